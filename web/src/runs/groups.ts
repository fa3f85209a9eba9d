// The order of the list: what needs a person first.
import type { Run } from "@/api/client";

export type Group = "needs-you" | "running" | "to-ship" | "earlier";

export const GROUPS: { group: Group; title: string }[] = [
  { group: "needs-you", title: "Needs you" },
  { group: "running", title: "Running" },
  { group: "to-ship", title: "Done, not shipped" },
  { group: "earlier", title: "Earlier" },
];

/** How long failed runs count as needing a person, in milliseconds. */
const FAILURE_MS = 24 * 3_600_000;

/** The group of a run at `now` (milliseconds of the epoch). */
export function groupOf(run: Run, now: number): Group {
  if (run.attention || run.process.stopped) return "needs-you";
  switch (run.status) {
    case "queued":
    case "running":
      return "running";
    case "failed":
      return now - Date.parse(run.updated_at) < FAILURE_MS ? "needs-you" : "earlier";
    case "paused":
      return run.work === "changed" ? "needs-you" : "earlier";
    case "completed":
    case "cancelled":
      return run.work === "changed" ? "to-ship" : "earlier";
  }
}

export const needsYou = (run: Run) => groupOf(run, Date.now()) === "needs-you";

/** Whether the run's texts contain every word of the filter. */
export function matches(run: Run, filter: string, projectName: string): boolean {
  const text = [run.task, run.run_branch, run.cli_name, run.status, projectName, run.model ?? ""]
    .join(" ")
    .toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** The runs by group, newest change first within each; empty groups are left out. */
export function grouped(runs: Run[], now: number): { title: string; runs: Run[] }[] {
  const byGroup = new Map<Group, Run[]>();
  for (const run of runs) {
    const group = groupOf(run, now);
    byGroup.set(group, [...(byGroup.get(group) ?? []), run]);
  }
  return GROUPS.flatMap(({ group, title }) => {
    const found = byGroup.get(group);
    if (!found) return [];
    found.sort((a, b) => b.updated_at.localeCompare(a.updated_at));
    return [{ title, runs: found }];
  });
}
