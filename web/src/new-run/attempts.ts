// Several attempts at one task: which calls to make, and their outcomes.
import type { Run } from "@/api/client";

/** Most attempts that are started at once. */
export const ATTEMPTS_MAX = 16;

/** The number of runs per agent id. */
export type Wanted = Readonly<Record<string, number>>;

export interface Attempt {
  agentId: string;
  /** Sent as Idempotency-Key, so that a repeated call starts no second run. */
  key: string;
  run?: Run;
  error?: string;
}

/** 128 random bits as text. Not randomUUID, which pages over plain HTTP from another host lack. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function totalOf(wanted: Wanted): number {
  return Object.values(wanted).reduce((sum, n) => sum + n, 0);
}

/** Sets the count of one agent to `n`, within the limit for all together. */
export function withCount(wanted: Wanted, agentId: string, n: number): Wanted {
  const others = totalOf(wanted) - (wanted[agentId] ?? 0);
  const rest = Object.fromEntries(Object.entries(wanted).filter(([id]) => id !== agentId));
  const count = Math.max(0, Math.min(ATTEMPTS_MAX - others, Math.floor(n) || 0));
  return count === 0 ? rest : { ...rest, [agentId]: count };
}

/** One attempt per wanted run, in the order of the agents. */
export function attemptsOf(wanted: Wanted, agentIds: readonly string[]): Attempt[] {
  return agentIds.flatMap((agentId) =>
    Array.from({ length: wanted[agentId] ?? 0 }, () => ({ agentId, key: newKey() })),
  );
}

/**
 * Sends each attempt that has no run yet, all at once, and returns every attempt with its outcome.
 * A refused attempt does not affect the others.
 */
export function sendAll(
  attempts: readonly Attempt[],
  send: (attempt: Attempt) => Promise<Run>,
): Promise<Attempt[]> {
  return Promise.all(
    attempts.map(async (attempt): Promise<Attempt> => {
      if (attempt.run) return attempt;
      const { agentId, key } = attempt;
      try {
        return { agentId, key, run: await send(attempt) };
      } catch (error) {
        return { agentId, key, error: error instanceof Error ? error.message : String(error) };
      }
    }),
  );
}

/** The ids of the runs that started. */
export function begun(attempts: readonly Attempt[]): string[] {
  return attempts.flatMap(({ run }) => (run ? [run.id] : []));
}
