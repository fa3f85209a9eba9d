// Runs of each project, counted from the list of runs.
import type { Run } from "@/api/client";

export interface RunCounts {
  all: number;
  /** Queued or running. */
  active: number;
}

/** The counts by project; a project without runs is not in it. */
export function runCounts(runs: readonly Pick<Run, "project_id" | "status">[]) {
  const counts = new Map<string, RunCounts>();
  for (const run of runs) {
    const known = counts.get(run.project_id) ?? { all: 0, active: 0 };
    known.all += 1;
    if (run.status === "queued" || run.status === "running") known.active += 1;
    counts.set(run.project_id, known);
  }
  return counts;
}

/** "3 runs, 1 at work". */
export function countWords(counts: RunCounts | undefined): string {
  if (!counts) return "no runs";
  const all = `${counts.all} ${counts.all === 1 ? "run" : "runs"}`;
  return counts.active === 0 ? all : `${all}, ${counts.active} active`;
}
