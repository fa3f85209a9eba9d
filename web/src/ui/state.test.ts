import { expect, test } from "vitest";
import type { Run } from "@/api/client";
import { stateOf } from "./state";

const run = (more: Partial<Run>) =>
  ({
    status: "running",
    attention: null,
    process: { alive: true, pid: 1, exit_code: null, stopped: false },
    ...more,
  }) as Run;

test("a stopped CLI is never shown as running, and a question goes before everything", () => {
  const stopped = { alive: true, pid: 1, exit_code: null, stopped: true };
  expect(stateOf(run({}))).toBe("running");
  expect(stateOf(run({ process: stopped }))).toBe("suspended");
  const attention = { kind: "question", message: "?", since: "2026-03-09T00:00:00Z" };
  expect(stateOf(run({ process: stopped, attention }))).toBe("needs-you");
});
