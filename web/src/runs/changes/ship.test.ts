import { expect, test } from "vitest";
import type { Branch } from "@/api/client";
import {
  canShip,
  checkpointNames,
  committedLines,
  pullRequestLines,
  pushedLines,
  suggestedMessage,
  takenBefore,
} from "./ship";

test("a message is the first line of the task, cut at a word", () => {
  expect(suggestedMessage("\n Fix the login\n\nIt loops.")).toBe("Fix the login");
  const long = suggestedMessage(`Make ${"very ".repeat(30)}long`);
  expect(long).toMatch(/^Make (very )+very…$/);
  expect(long.length).toBeLessThanOrEqual(72);
  expect(suggestedMessage("x".repeat(100))).toHaveLength(72);
});

const repo = {
  repo_id: "r",
  name: "site",
  repo_path: "/x",
  branch: "b",
  base_commit: "c0",
  source: "main",
};
const branch = (more: Partial<Branch>) =>
  ({ repo_id: "r", name: "b", commit: "c0", pushed: false, unpushed: null, ...more }) as Branch;
const can = (
  more: Partial<Parameters<typeof canShip>[0]>,
  status: "paused" | "running" | "queued" = "paused",
  worktree: string | null = "/w",
) =>
  canShip({
    run: {
      status,
      repos: [{ ...repo, worktree }],
      process: { alive: false, pid: null, exit_code: null, stopped: false },
    },
    branches: [branch({})],
    filesChanged: 1,
    leftOut: 0,
    uncommitted: true,
    ...more,
  });

test("before a commit there is nothing to push", () => {
  expect(can({})).toMatchObject({ commit: true, push: false, propose: false, revert: true });
});

test("what cannot be read can be taken back, though nothing else was changed", () => {
  const nothing = { filesChanged: 0, uncommitted: false };
  expect(can(nothing)).toMatchObject({ revert: false });
  expect(can({ ...nothing, leftOut: 1 })).toMatchObject({ commit: false, revert: true });
});

test("after it there is, until it was pushed", () => {
  const committed = { uncommitted: false, branches: [branch({ commit: "c1" })] };
  expect(can(committed)).toMatchObject({ commit: false, push: true, propose: true, revert: true });
  const pushed = {
    uncommitted: false,
    branches: [branch({ commit: "c1", pushed: true, unpushed: 0 })],
  };
  expect(can(pushed)).toMatchObject({ push: false, propose: true });
});

test("while the agent works it is paused before anything is replaced", () => {
  expect(can({}, "running")).toMatchObject({ commit: true, revert: false, pauseFirst: true });
  expect(can({})).toMatchObject({ pauseFirst: false });
});

test("without a worktree nothing is committed or reverted", () => {
  expect(can({}, "paused", null)).toMatchObject({
    commit: false,
    revert: false,
    worktreeGone: true,
  });
  expect(can({}, "queued", null)).toMatchObject({ worktreeGone: false });
});

test("branches that are not known hide nothing", () => {
  expect(can({ branches: undefined })).toMatchObject({ push: true, propose: true });
  expect(can({ branches: undefined, filesChanged: 0 })).toMatchObject({ push: false });
});

test("answers read as one line a repo", () => {
  expect(
    committedLines([
      { repo_name: "a", branch: "b", commit: "0123456789abcdef", head: "0123456789abcdef" },
      {
        repo_name: "c",
        branch: "b",
        commit: null,
        head: null,
        error: "the commit was refused: no",
      },
    ]),
  ).toEqual([
    { repo: "a", ok: true, text: "0123456789 on b" },
    { repo: "c", ok: false, text: "the commit was refused: no" },
  ]);
  const pushed = {
    branch: "b",
    head: "0",
    remote: null,
    remote_branch: null,
    remote_url: null,
    pushed: true,
    error: null,
  };
  expect(
    pushedLines([
      { ...pushed, repo_name: "a", remote: "origin", remote_branch: "b", remote_url: "/r.git" },
      { ...pushed, repo_name: "d", remote: "origin", remote_branch: "x", remote_url: "/r.git" },
      { ...pushed, repo_name: "c", pushed: false, error: "no remote" },
    ]).map((line) => `${line.ok} ${line.text}`),
  ).toEqual(["true b pushed to /r.git", "true b pushed to x at /r.git", "false no remote"]);
  expect(
    pullRequestLines([
      { repo_name: "a", number: 7, url: "https://forge/x/7" },
      { repo_name: "c", number: 8, url: "javascript:alert(1)" },
    ]),
  ).toEqual([
    { repo: "a", ok: true, text: "Pull request #7", url: "https://forge/x/7" },
    { repo: "c", ok: false, text: "not opened" },
  ]);
});

const checkpoints = ["stop", "pause", "stop", "revert", "restore", "odd"].map((reason, at) => ({
  number: at + 1,
  reason,
}));

test("turns count on; the rest says why it was taken", () => {
  expect([...checkpointNames(checkpoints).values()]).toEqual([
    "Turn 1",
    "Paused",
    "Turn 2",
    "Before revert",
    "Before restore",
    "odd",
  ]);
});

test("undo restores the checkpoint that the act took, and no older one", () => {
  expect(takenBefore(checkpoints, "revert", 3)).toBe(4);
  expect(takenBefore(checkpoints, "revert", 4)).toBeUndefined();
});
