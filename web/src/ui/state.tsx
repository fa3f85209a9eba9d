// A run's state: icon, word and colour together, never colour alone.
import { clsx } from "clsx";
import type { Run } from "@/api/client";

export type StateName = "needs-you" | "suspended" | Run["status"];

const STATES: Record<StateName, { sign: string; word: string; colour: string }> = {
  "needs-you": { sign: "◆", word: "Needs you", colour: "text-warn" },
  suspended: { sign: "‖", word: "Suspended", colour: "text-warn" },
  queued: { sign: "○", word: "Queued", colour: "text-muted" },
  running: { sign: "●", word: "Running", colour: "text-busy" },
  paused: { sign: "◑", word: "Paused", colour: "text-muted" },
  completed: { sign: "✓", word: "Completed", colour: "text-good" },
  failed: { sign: "✗", word: "Failed", colour: "text-bad" },
  cancelled: { sign: "⊘", word: "Cancelled", colour: "text-muted" },
};

/**
 * The state to show for a run: attention comes before the status, and a suspended CLI (Ctrl+Z) does
 * not count as running.
 */
export function stateOf(run: Pick<Run, "status" | "attention" | "process">): StateName {
  if (run.attention) return "needs-you";
  return run.process.stopped ? "suspended" : run.status;
}

export function StateSign({ state }: { state: StateName }) {
  const { sign, colour } = STATES[state];
  return (
    <span
      aria-hidden
      className={clsx("w-4 text-center", colour, state === "running" && "pulse-slow")}
    >
      {sign}
    </span>
  );
}

export function StateBadge({ state }: { state: StateName }) {
  const { word, colour } = STATES[state];
  return (
    <span className={clsx("inline-flex items-center gap-1 font-medium whitespace-nowrap", colour)}>
      <StateSign state={state} />
      {word}
    </span>
  );
}

export function stateWord(state: StateName): string {
  return STATES[state].word;
}
