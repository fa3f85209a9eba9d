import { useQuery } from "@tanstack/react-query";
import { setOpen } from "@/app/palette-state";
import { versionQuery } from "@/api/queries";
import { setTheme, useTheme, type Theme } from "@/lib/theme";
import { Button } from "@/ui/button";
import { Failed, Skeleton } from "@/ui/panes";

const THEMES: { theme: Theme; label: string }[] = [
  { theme: "system", label: "System" },
  { theme: "light", label: "Light" },
  { theme: "dark", label: "Dark" },
];

function ThemeChoice() {
  const chosen = useTheme();
  return (
    <fieldset>
      <legend className="text-lg font-semibold">Theme</legend>
      <div className="mt-1 flex flex-wrap gap-x-5">
        {THEMES.map(({ theme, label }) => (
          <label key={theme} className="flex items-center gap-2 py-1 max-md:py-2">
            <input
              type="radio"
              name="theme"
              className="size-4 accent-(--accent)"
              checked={chosen === theme}
              onChange={() => setTheme(theme)}
            />
            {label}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

export function About() {
  const version = useQuery(versionQuery());
  return (
    <div className="flex max-w-2xl flex-col gap-6 px-4 py-4">
      <section aria-labelledby="abbado">
        <h2 id="abbado" className="text-lg font-semibold">
          abbado
        </h2>
        {version.isPending ? (
          <Skeleton lines={2} />
        ) : version.isError ? (
          <Failed error={version.error} retry={() => void version.refetch()} />
        ) : (
          <dl className="mt-1 grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
            <dt className="text-muted">Version</dt>
            <dd>{version.data.version}</dd>
            <dt className="text-muted">Commit</dt>
            <dd className="font-mono text-xs leading-5 break-all">{version.data.commit}</dd>
            <dt className="text-muted">API</dt>
            <dd>
              <a
                className="text-accent underline"
                href="/api/openapi.json"
                target="_blank"
                rel="noreferrer"
              >
                openapi.json
              </a>
            </dd>
          </dl>
        )}
      </section>
      <ThemeChoice />
      <section aria-labelledby="keys">
        <h2 id="keys" className="text-lg font-semibold">
          Keys
        </h2>
        <p className="mt-1 mb-2 text-muted">
          Everything works from the keyboard; <kbd>Ctrl K</kbd> opens the command palette.
        </p>
        <Button onClick={() => setOpen("keys")}>Keyboard shortcuts</Button>
      </section>
    </div>
  );
}
