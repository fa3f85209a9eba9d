// The commands of the palette.
import type { Run } from "@/api/client";
import type { Theme } from "@/lib/theme";
import { firstLine } from "@/lib/format";
import { canContinue, canDelete, canQueue, canStop } from "@/runs/actions";
import { stateOf, stateWord } from "@/ui/state";

/** What a command does; the palette carries it out. */
export type Act =
  | { do: "go"; to: string }
  | { do: "theme"; theme: Theme }
  | { do: "message" | "pause" | "cancel" | "delete" | "notify" | "copy-link"; run: Run }
  | { do: "keys" };

export interface Command {
  /** Unique in the list. */
  id: string;
  label: string;
  /** More words that find it. */
  words: string[];
  /** The shortcut that does the same. */
  key?: string;
  act: Act;
}

export interface Group {
  title: string;
  commands: Command[];
}

const TABS = ["terminal", "activity", "tasks", "changes", "logs", "details"];

const go = (label: string, to: string, words: string[] = [], key?: string): Command => ({
  id: `go ${to} ${label}`,
  label,
  words,
  act: { do: "go", to },
  ...(key === undefined ? {} : { key }),
});

/** Commands of the open run; those that are not possible now are absent. */
export function runCommands(run: Run): Command[] {
  const at = `/runs/${run.id}`;
  const on = (act: "message" | "pause" | "cancel" | "delete" | "notify" | "copy-link") =>
    ({ do: act, run }) as const;
  const found: (Command | false)[] = [
    (canContinue(run) || canQueue(run)) && {
      id: "message",
      label: canQueue(run) ? "Queue a message…" : "Continue with a message…",
      words: ["write", "prompt", "resume"],
      key: "c",
      act: on("message"),
    },
    canStop(run) && {
      id: "pause",
      label: "Pause",
      words: ["stop", "interrupt"],
      key: "p",
      act: on("pause"),
    },
    canStop(run) && { id: "cancel", label: "Cancel", words: ["stop", "kill"], act: on("cancel") },
    run.work !== "none" && go("Commit, push, pull request…", `${at}/changes`, ["ship", "accept"]),
    {
      id: "notify",
      label: run.notify ? "Stop notifying me" : "Notify me when it goes idle or ends",
      words: ["notify", "notification", "bell", "discord"],
      act: on("notify"),
    },
    { id: "copy-link", label: "Copy the link to this run", words: ["url"], act: on("copy-link") },
    canDelete(run) && {
      id: "delete",
      label: "Delete…",
      words: ["remove"],
      act: on("delete"),
    },
    ...TABS.map((tab, nth) =>
      go(tab.charAt(0).toUpperCase() + tab.slice(1), `${at}/${tab}`, ["tab"], String(nth + 1)),
    ),
  ];
  return found.filter((command) => command !== false);
}

/** All commands in the order in which they are shown. `open` is the run on the page. */
export function commands(
  open: Run | undefined,
  runs: Run[],
  projects: { id: string; name: string }[],
): Group[] {
  const names = new Map(projects.map((project) => [project.id, project.name]));
  const byChange = runs.toSorted((a, b) => b.updated_at.localeCompare(a.updated_at));
  const groups: Group[] = [
    ...(open ? [{ title: "This run", commands: runCommands(open) }] : []),
    {
      title: "Go to",
      commands: [
        go("New run", "/runs/new", ["start", "create"], "n"),
        go("Runs", "/runs", ["list"]),
        go("Inbox", "/inbox", ["approvals", "permissions", "questions", "answer"], "i"),
        go("Projects", "/projects", ["repositories", "agents", "branches"]),
        go("Usage", "/usage", ["cost", "tokens"]),
        go("Settings: models and prices", "/settings/models", ["providers", "cli"]),
        go("Settings: notifications", "/settings/notifications", ["discord", "webhook"]),
        go("About abbado", "/settings/about", ["version", "settings"]),
      ],
    },
    {
      title: "Runs",
      commands: byChange
        .filter((run) => run.id !== open?.id)
        .map((run) => ({
          id: run.id,
          label: firstLine(run.task),
          words: [
            stateWord(stateOf(run)),
            names.get(run.project_id) ?? "",
            run.run_branch,
            run.cli_name,
          ],
          act: { do: "go", to: `/runs/${run.id}/terminal` },
        })),
    },
    {
      title: "Projects",
      commands: projects.map(({ id, name }) => go(name, `/projects/${id}/agents`, ["project"])),
    },
    {
      title: "App",
      commands: [
        ...(["light", "dark", "system"] as const).map((theme): Command => ({
          id: `theme ${theme}`,
          label: theme === "system" ? "Theme: system" : `Theme: ${theme}`,
          words: ["colours", "appearance"],
          act: { do: "theme", theme },
        })),
        {
          id: "keys",
          label: "Keyboard shortcuts",
          words: ["shortcuts", "help"],
          key: "?",
          act: { do: "keys" },
        },
      ],
    },
  ];
  return groups.filter((group) => group.commands.length > 0);
}
