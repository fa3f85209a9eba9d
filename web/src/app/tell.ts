// Which runs newly need a person: the part of browser notifications that decides.
import type { Run } from "@/api/client";

/** What a run asks of a person, as a text that changes with each new question; or nothing. */
export function need(run: Run): string | null {
  if (run.attention) return `attention ${run.attention.since}`;
  return run.status === "failed" ? `failed ${run.activity.since}` : null;
}

/** What each known run asks. */
export type Needs = ReadonlyMap<string, string | null>;

export const needs = (runs: Run[]): Needs => new Map(runs.map((run) => [run.id, need(run)]));

/** The runs that ask something now and did not ask it `before`. */
export function newlyAsking(before: Needs, runs: Run[]): Run[] {
  return runs.filter((run) => {
    const asks = need(run);
    return asks !== null && before.get(run.id) !== asks;
  });
}

/** The lock that a page holds while a person can see the run on it. */
export const lookLock = (runId: string) => `abbado.look.${runId}`;
/** The lock of the one page that tells. */
export const TELL_LOCK = "abbado.tell";
