import type { Run } from "@/api/client";

/** Why the run is in its state. */
export function reasonOf(run: Run): string {
  if (run.process.stopped) {
    const what = run.activity.what.replace(/^s/, "S");
    return `${what}: press a key in its terminal, or choose Resume.`;
  }
  return run.attention?.message ?? run.reason ?? run.activity.what;
}
