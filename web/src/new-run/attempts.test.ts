import { expect, test } from "vitest";
import type { Run } from "@/api/client";
import { ATTEMPTS_MAX, attemptsOf, begun, newKey, sendAll, totalOf, withCount } from "./attempts";

test("counts stay within the limit over all agents", () => {
  let wanted = withCount({}, "a", 3);
  wanted = withCount(wanted, "b", 99);
  expect(wanted).toEqual({ a: 3, b: ATTEMPTS_MAX - 3 });
  expect(totalOf(wanted)).toBe(ATTEMPTS_MAX);
  expect(withCount(wanted, "a", 0)).toEqual({ b: ATTEMPTS_MAX - 3 });
  expect(withCount({}, "a", Number.NaN)).toEqual({});
});

test("one attempt for each wanted run, each with a key of its own", () => {
  const attempts = attemptsOf({ b: 2, a: 1 }, ["a", "b", "c"]);
  expect(attempts.map(({ agentId }) => agentId)).toEqual(["a", "b", "b"]);
  expect(new Set(attempts.map(({ key }) => key)).size).toBe(3);
  expect(newKey()).toMatch(/^[0-9a-f]{32}$/);
});

test("a refused attempt holds up no other, and is sent again with its key alone", async () => {
  const first = attemptsOf({ a: 3 }, ["a"]);
  const sent: string[] = [];
  let n = 0;
  const tried = await sendAll(first, ({ key }) => {
    sent.push(key);
    n += 1;
    return n === 2
      ? Promise.reject(new Error("The queue is full."))
      : Promise.resolve({ id: `r${n}` } as Run);
  });
  expect(begun(tried)).toEqual(["r1", "r3"]);
  expect(tried[1]?.error).toBe("The queue is full.");
  const again: string[] = [];
  const done = await sendAll(tried, ({ key }) => {
    again.push(key);
    return Promise.resolve({ id: "r2" } as Run);
  });
  expect(again).toEqual([sent[1]]);
  expect(begun(done)).toEqual(["r1", "r2", "r3"]);
  expect(done[1]?.error).toBeUndefined();
});
