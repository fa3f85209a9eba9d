import { expect, test } from "vitest";
import { CallError, type LeftOut } from "@/api/client";
import { notKept, withoutWords } from "./left-out";

const REFUSAL =
  "Nothing was changed, because some of the work cannot be saved:\n" +
  "- site: 'pipe' (it is a pipe, which has no contents to save)\n" +
  "- 3 more\n" +
  "Move it out of the worktree or make it readable, or repeat with ?force=true to proceed without it.";

test("what cannot be kept is taken from a refusal that says so, a line each", () => {
  expect(notKept(new CallError(409, REFUSAL, "work_not_kept"))).toEqual([
    "site: 'pipe' (it is a pipe, which has no contents to save)",
    "3 more",
  ]);
});

test("no other refusal is one that can be forced", () => {
  expect(notKept(new CallError(409, REFUSAL, "conflict"))).toBeUndefined();
  expect(notKept(new CallError(409, REFUSAL))).toBeUndefined();
  expect(notKept(new Error(REFUSAL))).toBeUndefined();
});

test("a message ends with what was not kept", () => {
  const left = (path: string): LeftOut => ({ repo_name: "site", path, why: "it is a pipe" });
  expect(withoutWords([], false)).toBe("");
  expect(withoutWords([left("a")], false)).toBe(", without a");
  expect(withoutWords(["a", "b", "c", "d", "e"].map(left), true)).toBe(
    ", without site: a, site: b, site: c, 2 more",
  );
});
