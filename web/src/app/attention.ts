// Decides which runs started to need a person, for browser notifications.
import type { Run } from "@/api/client";

/** A text that changes with each new question of a run; undefined when it questions nobody. */
export function question(run: Run): string | null {
  if (run.attention) return `attention ${run.attention.since}`;
  return run.status === "failed" ? `failed ${run.activity.since}` : null;
}

/** The question of each known run. */
export type Questions = ReadonlyMap<string, string | null>;

export const questions = (runs: Run[]): Questions =>
  new Map(runs.map((run) => [run.id, question(run)]));

/** The runs with a question that they did not have `before`. */
export function newQuestions(before: Questions, runs: Run[]): Run[] {
  return runs.filter((run) => {
    const asks = question(run);
    return asks !== null && before.get(run.id) !== asks;
  });
}

/** The lock that a page holds while the run is visible on it. */
export const viewLock = (runId: string) => `abbado.look.${runId}`;
/** The lock of the one page that notifies. */
export const NOTIFIER_LOCK = "abbado.tell";
