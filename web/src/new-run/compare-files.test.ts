import { expect, test } from "vitest";
import type { Changes, FileChange } from "@/api/client";
import { diffLines, fileRows, sameInAll } from "./compare-files";

const file = (path: string, diff: string) =>
  ({ path, diff, truncated: false, binary: false }) as FileChange;
const changes = (repo_name: string, ...files: FileChange[]) =>
  ({ repos: [{ repo_name, files }] }) as unknown as Changes;

test("one row a file, with each attempt's change at its place", () => {
  const one = changes("web", file("b", "+1"), file("a", "+1"));
  const two = changes("web", file("b", "+2"));
  const rows = fileRows([one, undefined, two]);
  expect(rows.map(({ path }) => path)).toEqual(["a", "b"]);
  expect(rows[1]?.files.map((found) => found?.diff)).toEqual(["+1", undefined, "+2"]);
  expect(fileRows([])).toEqual([]);
  const repos = fileRows([changes("web", file("x", "")), changes("api", file("x", ""))]);
  expect(repos.map(({ repo }) => repo)).toEqual(["api", "web"]);
});

test("the same change in all attempts is recognised", () => {
  const row = (...diffs: (string | undefined)[]) => ({
    repo: "r",
    path: "p",
    files: diffs.map((diff) => (diff === undefined ? undefined : file("p", diff))),
  });
  expect(sameInAll(row("+1", "+1"))).toBe(true);
  expect(sameInAll(row("+1", "+2"))).toBe(false);
  expect(sameInAll(row("+1", undefined))).toBe(false);
  expect(sameInAll(row(undefined, "+1"))).toBe(false);
});

test("lines of a diff; dashes of the head are no removed lines", () => {
  const diff =
    "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n-old\n+new\n same\n--- kept\n";
  expect(diffLines(diff).map(({ kind }) => kind)).toEqual([
    "head",
    "head",
    "head",
    "hunk",
    "removed",
    "added",
    "plain",
    "removed",
  ]);
});
