import { expect, test } from "vitest";
import type { Branch, Project, Run } from "@/api/client";
import { attemptsAtOneTask, commonBranches, pastTasks, usualAgent } from "./choices";

const branch = (name: string, repo_id: string, is_default = false) =>
  ({ name, repo_id, is_default }) as Branch;
const run = (id: string, project_id: string, agent_id: string, task: string, day: number) =>
  ({ id, project_id, agent_id, task, created_at: `2026-01-0${day}T00:00:00.000Z` }) as Run;

const RUNS = [
  run("1", "p", "a", "one", 1),
  run("2", "p", "b", "two", 2),
  run("3", "q", "c", "three", 3),
  run("4", "p", "gone", "one ", 4),
];

test("only branches of every repo are offered, the default one first", () => {
  const project = { repos: [{ id: "x" }, { id: "y" }] } as Project;
  const branches = [
    branch("b", "x"),
    branch("b", "y"),
    branch("main", "x", true),
    branch("main", "y", true),
    branch("lonely", "x"),
  ];
  expect(commonBranches(branches, project)).toEqual(["main", "b"]);
});

test("past tasks are there once, those of the project first", () => {
  expect(pastTasks(RUNS, "p")).toEqual(["one", "two", "three"]);
});

test("the agent of the last run is the usual one, unless it is gone", () => {
  expect(usualAgent(["a", "b"], RUNS, "p")).toBe("b");
  expect(usualAgent(["z"], RUNS, "p")).toBe("z");
  expect(usualAgent([], RUNS, "p")).toBeUndefined();
});

test("what can be compared are several runs of one task", () => {
  expect(attemptsAtOneTask(RUNS).map((group) => group.runs.map(({ id }) => id))).toEqual([
    ["1", "4"],
  ]);
});
