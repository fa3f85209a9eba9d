import { expect, test } from "vitest";
import type { Approval } from "@/api/client";
import { closedWords, decisionWords, grantsOf, subjectOf, timeLeft, titleOf } from "./words";

const approval = (over: Partial<Approval>): Approval =>
  ({
    kind: "permission",
    state: "open",
    tool_name: "Bash",
    tool_input: { command: "npm test" },
    decision: null,
    decision_message: null,
    answer: null,
    by: null,
    why: null,
    ...over,
  }) as Approval;
const questions = (...texts: string[]) => ({
  kind: "question" as const,
  tool_name: "AskUserQuestion",
  tool_input: { questions: texts.map((question) => ({ question })) },
});

test("titles and subjects", () => {
  expect(titleOf(approval({ tool_name: "mcp__db__query" }))).toBe("Permission to use db · query");
  expect(titleOf(approval(questions("Which?", "How?")))).toBe("2 questions");
  expect(titleOf(approval({ kind: "plan" }))).toBe("Plan to approve");
  expect(subjectOf(approval({}))).toBe("Bash npm test");
  expect(subjectOf(approval(questions("Which?", "How?")))).toBe("Which?");
  expect(subjectOf(approval({ kind: "plan" }))).toBe("the plan");
});

test("time left", () => {
  const left = (ms: number) => timeLeft(new Date(1000 + ms).toISOString(), 1000);
  expect(left(599_000)).toEqual({ text: "9 min left", soon: false });
  expect(left(59_500)).toEqual({ text: "60 s left", soon: true });
  expect(left(0)).toEqual({ text: "time is up", soon: true });
});

test("decisions", () => {
  expect(decisionWords({ decision: "allow_always" })).toBe("Allowed always");
  expect(decisionWords({ decision: "deny", message: "not now" })).toBe("Denied: not now");
  expect(decisionWords({ decision: "answer", answer: { "Which?": ["a", "b"] } })).toBe(
    "Answered: a, b",
  );
  const several = { "Which?": "a", "How?": "fast" };
  expect(decisionWords({ decision: "answer", answer: several })).toBe(
    "Answered: Which? a; How? fast",
  );
});

test("how an approval was closed", () => {
  const closed = (over: Partial<Approval>) => closedWords(approval(over));
  expect(closed({})).toBe("");
  expect(closed({ state: "expired" })).toBe("Expired: nobody answered in time.");
  expect(closed({ state: "void", why: "terminal" })).toBe("Answered in the terminal.");
  const decided = { state: "decided", by: "api" } as const;
  expect(closed({ ...decided, decision: "allow" })).toBe("Allowed elsewhere.");
  expect(closed({ ...decided, decision: "deny", by: "link" })).toBe(
    "Denied on the page of its link.",
  );
  expect(closed({ ...decided, decision: "deny", decision_message: "no!" })).toBe("Denied: no!");
});

test("what allow always grants", () => {
  const rules = [{ toolName: "Bash", ruleContent: "npm test:*" }, { toolName: "Read" }];
  expect(
    grantsOf([
      { type: "addRules", rules, behavior: "allow", destination: "localSettings" },
      { type: "setMode", mode: "acceptEdits", destination: "session" },
      { type: "addDirectories", directories: ["/a", "/b"], destination: "userSettings" },
      { type: "other", n: 1 },
    ]),
  ).toEqual([
    "Allow Bash(npm test:*), Read (kept in .claude/settings.local.json)",
    "Edit files without asking (until the session ends)",
    "Allow access to /a, /b (kept in your user settings, for all projects)",
    '{"type":"other","n":1}',
  ]);
  expect(grantsOf(null)).toEqual([]);
});
