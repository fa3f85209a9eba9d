import { expect, test } from "vitest";
import type { Run } from "@/api/client";
import { questions, newQuestions } from "./attention";

const run = (id: string, over: Partial<Run>): Run =>
  ({ id, status: "running", attention: null, activity: { what: "", since: "t0" }, ...over }) as Run;
const asks = (since: string) => ({
  status: "running" as const,
  attention: { kind: "permission_prompt", message: "May I?", since },
});
const ids = (runs: Run[]) => runs.map(({ id }) => id);

test("a question is new once; the next one is new again", () => {
  const before = questions([run("a", {})]);
  const first = [run("a", asks("t1"))];
  expect(ids(newQuestions(before, first))).toEqual(["a"]);
  expect(newQuestions(questions(first), first)).toEqual([]);
  expect(ids(newQuestions(questions(first), [run("a", asks("t2"))]))).toEqual(["a"]);
});

test("a failure is new, also of a run that was not known", () => {
  expect(ids(newQuestions(questions([]), [run("b", { status: "failed" })]))).toEqual(["b"]);
});

test("an answered question is no news", () => {
  expect(newQuestions(questions([run("a", asks("t1"))]), [run("a", {})])).toEqual([]);
});
