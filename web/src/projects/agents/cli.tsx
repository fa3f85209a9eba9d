import { clsx } from "clsx";
import type { Provider } from "@/api/client";

/** Whether the program of an agent is installed. */
export function Installed({ provider }: { provider: Provider | undefined }) {
  if (!provider) return null;
  const there = provider.installed === true;
  return (
    <span className={clsx("text-xs whitespace-nowrap", there ? "text-good" : "text-warn")}>
      {there ? `✓ ${provider.version ?? "installed"}` : "△ not installed"}
    </span>
  );
}

/** How to install a missing program. */
export function InstallHint({ provider }: { provider: Provider | undefined }) {
  if (!provider || provider.installed === true || !provider.install_hint) return null;
  return (
    <p className="mt-2 rounded-md bg-warn-soft px-3 py-2 break-words">
      <strong className="text-warn">{provider.label} was not found on this machine.</strong>{" "}
      {provider.install_hint.split("`").map((part, at) =>
        at % 2 === 1 ? (
          <code key={at} className="font-mono text-xs">
            {part}
          </code>
        ) : (
          <span key={at}>{at === 0 ? part.charAt(0).toUpperCase() + part.slice(1) : part}</span>
        ),
      )}
      . Or enter its full path under “Launch options”.
    </p>
  );
}
