// Results of shipping, kept for the life of the page.
import { useSyncExternalStore } from "react";
import type { RepoResult } from "./ship";

export interface Result {
  id: number;
  /** What was done, such as "Push". */
  what: string;
  at: string;
  lines: RepoResult[];
  /** The server's message when it failed. */
  error?: string;
  retry?: () => void;
}

let results: Record<string, Result[]> = {};
let nextId = 1;
const listeners = new Set<() => void>();

function notify() {
  for (const listener of listeners) listener();
}
function listen(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function addResult(runId: string, result: Omit<Result, "id" | "at">) {
  const kept = (results[runId] ?? []).filter((old) => old.what !== result.what);
  const added = { ...result, id: nextId++, at: new Date().toISOString() };
  results = { ...results, [runId]: [added, ...kept].slice(0, 6) };
  notify();
}

export function dropResult(runId: string, id: number) {
  results = { ...results, [runId]: (results[runId] ?? []).filter((result) => result.id !== id) };
  notify();
}

const NONE: Result[] = [];
export const useResults = (runId: string) =>
  useSyncExternalStore(listen, () => results[runId] ?? NONE);
