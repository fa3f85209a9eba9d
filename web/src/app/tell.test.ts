import { expect, test } from "vitest";
import type { Run } from "@/api/client";
import { needs, newlyAsking } from "./tell";

const run = (id: string, over: Partial<Run>): Run =>
  ({ id, status: "running", attention: null, activity: { what: "", since: "t0" }, ...over }) as Run;
const asks = (since: string) => ({
  status: "running" as const,
  attention: { kind: "permission_prompt", message: "May I?", since },
});
const ids = (runs: Run[]) => runs.map(({ id }) => id);

test("a question is told once, the next one again", () => {
  const before = needs([run("a", {})]);
  const first = [run("a", asks("t1"))];
  expect(ids(newlyAsking(before, first))).toEqual(["a"]);
  expect(newlyAsking(needs(first), first)).toEqual([]);
  expect(ids(newlyAsking(needs(first), [run("a", asks("t2"))]))).toEqual(["a"]);
});

test("a failure is told, also of a run that was not known", () => {
  expect(ids(newlyAsking(needs([]), [run("b", { status: "failed" })]))).toEqual(["b"]);
});

test("an answered question is no news", () => {
  expect(newlyAsking(needs([run("a", asks("t1"))]), [run("a", {})])).toEqual([]);
});
