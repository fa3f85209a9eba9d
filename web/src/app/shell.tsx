import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useParams } from "@tanstack/react-router";
import {
  BarChart3,
  Command,
  FolderGit2,
  Inbox,
  MoonStar,
  Play,
  Settings,
  SunMedium,
} from "lucide-react";
import { Suspense } from "react";
import { approvalsQuery, runsQuery } from "@/api/queries";
import { openPalette, useEverOpened } from "@/app/palette-state";
import { lazyPart } from "@/lib/part";
import { setTheme, useDark } from "@/lib/theme";
import { needsYou } from "@/runs/groups";
import { Button } from "@/ui/button";
import { Tip } from "@/ui/tip";
import { useBadge } from "./badge";
import { Keys } from "./keys";
import { useNotifications } from "./notify";
import { OfflineBanner } from "./offline";

const Palette = lazyPart(() => import("./palette"));

const PLACES = [
  { to: "/runs", params: {}, label: "Runs", icon: Play },
  { to: "/inbox", params: {}, label: "Inbox", icon: Inbox },
  { to: "/projects", params: {}, label: "Projects", icon: FolderGit2 },
  { to: "/usage", params: {}, label: "Usage", icon: BarChart3 },
  { to: "/settings/$tab", params: { tab: "models" }, label: "Settings", icon: Settings },
] as const;

function ThemeButton() {
  const dark = useDark();
  return (
    <Tip text={dark ? "Light theme" : "Dark theme"}>
      <Button
        kind="quiet"
        icon={dark ? <SunMedium size={16} /> : <MoonStar size={16} />}
        aria-label={dark ? "Light theme" : "Dark theme"}
        onClick={() => setTheme(dark ? "light" : "dark")}
      />
    </Tip>
  );
}

/** The number at a place of the rail; nothing for 0. */
function Count({ count, what }: { count: number; what: string }) {
  if (count === 0) return null;
  return (
    <span
      className="absolute top-0.5 right-2 min-w-4 rounded-full bg-accent px-1 text-center text-[0.625rem] leading-4 font-semibold text-on-accent"
      aria-label={`${count} ${what}`}
    >
      {count}
    </span>
  );
}

/** The frame of every page: rail, page, banner, toasts, palette. */
export function Shell() {
  const runs = useQuery(runsQuery()).data;
  const { runId } = useParams({ strict: false });
  const waiting = runs?.filter(needsYou).length ?? 0;
  const asked = useQuery(approvalsQuery()).data?.length ?? 0;
  const counts: Record<string, { count: number; what: string }> = {
    Runs: { count: waiting, what: "waiting for you" },
    Inbox: { count: asked, what: asked === 1 ? "open approval" : "open approvals" },
  };
  useBadge(waiting);
  useNotifications(runs, runId);
  const paletteAsked = useEverOpened();
  return (
    <div className="flex h-full flex-col">
      <a
        href="#page"
        className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:bg-raised focus:p-2"
      >
        Skip to content
      </a>
      <OfflineBanner />
      <div className="flex min-h-0 flex-1 max-md:flex-col-reverse">
        <nav
          aria-label="Main"
          className="flex shrink-0 gap-1 border-line bg-sunken p-1.5 max-md:justify-around max-md:border-t md:w-16 md:flex-col md:border-r"
        >
          {PLACES.map(({ to, params, label, icon: Icon }) => (
            <Link
              key={to}
              to={to}
              params={params}
              activeOptions={{ exact: false }}
              className="relative flex flex-col items-center gap-0.5 rounded-md px-1 py-1.5 text-xs text-muted hover:bg-hover hover:text-text max-md:min-w-12"
              activeProps={{ className: "bg-hover !text-text font-medium" }}
            >
              <Icon size={18} aria-hidden />
              {label}
              <Count {...(counts[label] ?? { count: 0, what: "" })} />
            </Link>
          ))}
          <div className="flex items-center gap-1 md:mt-auto md:flex-col">
            <Tip text="Command palette (Ctrl K)">
              <Button
                kind="quiet"
                icon={<Command size={16} />}
                aria-label="Open the command palette"
                onClick={openPalette}
              />
            </Tip>
            <ThemeButton />
          </div>
        </nav>
        <main id="page" tabIndex={-1} className="min-h-0 min-w-0 flex-1 outline-none">
          <Outlet />
        </main>
      </div>
      <Keys />
      {paletteAsked && (
        <Suspense>
          <Palette />
        </Suspense>
      )}
    </div>
  );
}
