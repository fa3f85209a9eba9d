// Sums over runs: by day, by outcome, by project.
import type { Run } from "@/api/client";

/** A local date as `2026-03-09`. */
export function dayOf(at: number): string {
  const date = new Date(at);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** The days from `from` to `to`, inclusive; both in milliseconds of the epoch. */
export function daysBetween(from: number, to: number): string[] {
  const days: string[] = [];
  const date = new Date(from);
  date.setHours(12, 0, 0, 0); // noon exists on every day, also when the clock is changed
  const last = dayOf(to);
  for (; dayOf(date.getTime()) <= last; date.setDate(date.getDate() + 1)) {
    days.push(dayOf(date.getTime()));
  }
  return days;
}

/** The runs of a project, or of all, created in the latest `days` days; null for any time. */
export function chosen(
  runs: Run[],
  project: string | undefined,
  days: number | null,
  now: number,
): Run[] {
  const first = days === null ? "" : firstDay(days, now);
  return runs.filter(
    (run) =>
      (project === undefined || run.project_id === project) &&
      dayOf(Date.parse(run.created_at)) >= first,
  );
}

/** The first of the latest `days` days. */
export function firstDay(days: number, now: number): string {
  const date = new Date(now);
  date.setHours(12, 0, 0, 0);
  date.setDate(date.getDate() - days + 1);
  return dayOf(date.getTime());
}

/** The days of the axis: the period, or for all runs from the first run to today. */
export function axis(runs: Run[], days: number | null, now: number): string[] {
  const first =
    days === null
      ? Math.min(now, ...runs.map((run) => Date.parse(run.created_at)))
      : new Date(`${firstDay(days, now)}T12:00:00`).getTime();
  return daysBetween(first, now);
}

/** The largest groups by their sum; the rest is `OTHERS`. */
export const OTHERS = "others";

export interface ByDay {
  /** Names of groups, the largest first, `OTHERS` last. */
  groups: string[];
  /** The values of each group per day of the axis. */
  rows: { day: string; values: Map<string, number> }[];
}

/** Sums `value` by day and group; at most `most` groups, the rest together. */
export function byDay(
  runs: Run[],
  days: string[],
  groupOf: (run: Run) => string,
  value: (run: Run) => number,
  most: number,
): ByDay {
  const totals = new Map<string, number>();
  for (const run of runs) {
    const group = groupOf(run);
    totals.set(group, (totals.get(group) ?? 0) + value(run));
  }
  const sorted = [...totals].filter(([, sum]) => sum > 0).sort((a, b) => b[1] - a[1]);
  const own = sorted.slice(0, sorted.length > most ? most - 1 : most).map(([name]) => name);
  const known = new Set(own);
  const rows = new Map(days.map((day) => [day, new Map<string, number>()]));
  for (const run of runs) {
    const values = rows.get(dayOf(Date.parse(run.created_at)));
    if (!values) continue;
    const group = groupOf(run);
    const name = known.has(group) ? group : OTHERS;
    values.set(name, (values.get(name) ?? 0) + value(run));
  }
  return {
    groups: sorted.length > own.length ? [...own, OTHERS] : own,
    rows: [...rows].map(([day, values]) => ({ day, values })),
  };
}

export type Outcome = "done" | "failed" | "cancelled" | "open";

/** Done: completed, or paused at its prompt with work to review or shipped. */
export function outcomeOf(run: Run): Outcome {
  switch (run.status) {
    case "completed":
      return "done";
    case "failed":
    case "cancelled":
      return run.status;
    case "paused":
      return run.attention === null && run.work !== "none" ? "done" : "open";
    case "queued":
    case "running":
      return "open";
  }
}

/** From creation to the end of the latest turn, in milliseconds; nothing for runs that are not done. */
export function timeToDone(run: Run): number | null {
  if (outcomeOf(run) !== "done") return null;
  return Math.max(0, Date.parse(run.activity.since) - Date.parse(run.created_at));
}

/** The median; undefined for an empty list. */
export function median(values: number[]): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const high = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const low = sorted[Math.ceil(sorted.length / 2) - 1] ?? 0;
  return (low + high) / 2;
}

/** The median time to done by day of creation; null where none was done. */
export function medianByDay(runs: Run[], days: string[]): { day: string; ms: number | null }[] {
  const times = new Map<string, number[]>();
  for (const run of runs) {
    const ms = timeToDone(run);
    if (ms === null) continue;
    const day = dayOf(Date.parse(run.created_at));
    times.set(day, [...(times.get(day) ?? []), ms]);
  }
  return days.map((day) => ({ day, ms: median(times.get(day) ?? []) }));
}

export interface Totals {
  runs: number;
  done: number;
  failed: number;
  /** Input and output; the caches aside. */
  tokens: number;
  /** Dollars, as far as they are known. */
  cost: number;
  /** Runs of which some tokens have no known price. */
  unpriced: number;
  /** Milliseconds. */
  median: number | null;
}

/** Some tokens of it have no known price. */
export function isUnpriced(run: Run): boolean {
  const tokens = [run.tokens_in, run.tokens_out, run.tokens_cache_read, run.tokens_cache_write];
  return run.cost.usd === null && tokens.some((n) => n > 0);
}

export function totalsOf(runs: Run[]): Totals {
  const sum = (value: (run: Run) => number) => runs.reduce((all, run) => all + value(run), 0);
  return {
    runs: runs.length,
    done: runs.filter((run) => outcomeOf(run) === "done").length,
    failed: runs.filter((run) => outcomeOf(run) === "failed").length,
    tokens: sum((run) => run.tokens_in + run.tokens_out),
    cost: sum((run) => run.cost_usd),
    unpriced: runs.filter(isUnpriced).length,
    median: median(runs.map(timeToDone).filter((ms) => ms !== null)),
  };
}

/** Totals by group, the most expensive first, then by number of runs. */
export function totalsBy(
  runs: Run[],
  groupOf: (run: Run) => string,
): { name: string; totals: Totals }[] {
  const groups = new Map<string, Run[]>();
  for (const run of runs) {
    const name = groupOf(run);
    groups.set(name, [...(groups.get(name) ?? []), run]);
  }
  return [...groups]
    .map(([name, of]) => ({ name, totals: totalsOf(of) }))
    .sort((a, b) => b.totals.cost - a.totals.cost || b.totals.runs - a.totals.runs);
}
