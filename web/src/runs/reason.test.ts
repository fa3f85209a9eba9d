import { expect, test } from "vitest";
import type { Run } from "@/api/client";
import { reasonOf } from "./reason";

test("a stopped CLI says how it goes on", () => {
  const process = { alive: true, pid: 1, exit_code: null, stopped: true };
  const activity = { what: "stopped by SIGTSTP", since: "2026-03-09T00:00:00Z" };
  expect(reasonOf({ process, activity } as Run)).toBe(
    "Stopped by SIGTSTP: press a key in its terminal, or choose Resume.",
  );
});
