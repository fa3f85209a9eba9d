import type { Run } from "@/api/client";

/** Why the run is in its state, in the words of the evidence. */
export function reasonOf(run: Run): string {
  if (run.process.stopped) {
    return `The CLI is ${run.activity.what}. Press a key in its terminal, or let it go on here.`;
  }
  return run.attention?.message ?? run.reason ?? run.activity.what;
}
