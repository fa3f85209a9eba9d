import { expect, test } from "vitest";
import type { Branch } from "@/api/client";
import { barLength, branchMatches, mostCommits, targets, upstreamWords } from "./bars";

const branch = (name: string, more: Partial<Branch> = {}): Branch => ({
  repo_id: "r",
  repo_name: "site",
  name,
  is_default: false,
  is_head: false,
  commit: "c",
  subject: "s",
  committed_at: "2026-01-01T00:00:00.000Z",
  base: "main",
  ahead: 0,
  behind: 0,
  upstream: null,
  pushed: false,
  unpushed: null,
  run_id: null,
  worktree: null,
  ...more,
});

test("bars grow with the commits, and one commit is seen beside a thousand", () => {
  const lengths = [0, 1, 10, 100, 1000].map((commits) => barLength(commits, 1000));
  expect(lengths[0]).toBe(0);
  expect(lengths[1]).toBeGreaterThanOrEqual(8);
  expect(lengths[4]).toBe(100);
  expect([...lengths].sort((a, b) => a - b)).toEqual(lengths);
  expect(barLength(3, 0)).toBe(0);
  expect(mostCommits([branch("a", { ahead: 2 }), branch("b", { behind: 5 })])).toBe(5);
  expect(mostCommits([])).toBe(0);
});

test("the upstream in words", () => {
  const words = (upstream: string | null, unpushed: number | null) =>
    upstreamWords({ upstream, unpushed });
  expect(words(null, null)).toBe("never pushed");
  expect(words("origin/a", 0)).toBe("all on origin/a");
  expect(words("origin/a", 2)).toBe("2 not on origin/a");
});

test("targets are the other branches of the repo, the default one first", () => {
  const main = branch("main", { is_default: true });
  const all = [branch("b"), branch("a"), main, branch("x", { repo_id: "other" })];
  expect(targets(all, branch("b")).map((found) => found.name)).toEqual(["main", "a"]);
});

test("the filter wants every word", () => {
  expect(branchMatches(branch("abbado/run-1"), "SITE run")).toBe(true);
  expect(branchMatches(branch("abbado/run-1"), "site nope")).toBe(false);
});
