import type { Run } from "@/api/client";

/** Why the run is in its state, in the words of the evidence. */
export function reasonOf(run: Run): string {
  return run.attention?.message ?? run.reason ?? run.activity.what;
}
