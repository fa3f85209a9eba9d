import { expect, test } from "vitest";
import type { Run } from "@/api/client";
import {
  axis,
  byDay,
  chosen,
  dayOf,
  daysBetween,
  median,
  medianByDay,
  OTHERS,
  outcomeOf,
  timeToDone,
  totalsBy,
  totalsOf,
} from "./fold";

const at = (day: number, hour = 10) => new Date(2026, 2, day, hour);
const run = (over: Partial<Run> & { day?: number; minutes?: number }): Run => {
  const { day = 9, minutes = 10, ...rest } = over;
  return {
    id: "r",
    project_id: "p",
    cli_name: "demo",
    status: "completed",
    attention: null,
    work: "none",
    created_at: at(day).toISOString(),
    activity: { what: "", since: new Date(at(day).getTime() + minutes * 60_000).toISOString() },
    tokens_in: 1,
    tokens_out: 2,
    tokens_cache_read: 0,
    tokens_cache_write: 0,
    cost_usd: 1,
    cost: { usd: 1, known_usd: 1, source: "reported", prices_as_of: null },
    ...rest,
  } as Run;
};

test("days have no holes, over the end of a month and a change of the clock", () => {
  const days = daysBetween(new Date(2026, 2, 27, 23).getTime(), new Date(2026, 3, 2, 1).getTime());
  expect(days).toEqual([
    "2026-03-27",
    "2026-03-28",
    "2026-03-29",
    "2026-03-30",
    "2026-03-31",
    "2026-04-01",
    "2026-04-02",
  ]);
});

test("a period counts today; all begins with the first run", () => {
  const runs = [run({ day: 1 }), run({ day: 8 }), run({ day: 9, project_id: "q" })];
  const now = at(9, 1).getTime();
  expect(
    chosen(runs, undefined, 2, now).map(({ created_at }) => dayOf(Date.parse(created_at))),
  ).toEqual(["2026-03-08", "2026-03-09"]);
  expect(chosen(runs, "q", null, now)).toHaveLength(1);
  expect(axis(runs, 2, now)).toEqual(["2026-03-08", "2026-03-09"]);
  expect(axis(runs, null, now)).toHaveLength(9);
  expect(axis([], null, now)).toEqual(["2026-03-09"]);
});

test("small groups are joined when there are too many", () => {
  const runs = [
    run({ cli_name: "a", cost_usd: 5 }),
    run({ cli_name: "b", cost_usd: 1 }),
    run({ cli_name: "c", cost_usd: 2 }),
    run({ cli_name: "free", cost_usd: 0 }),
  ];
  const of = (most: number) =>
    byDay(
      runs,
      ["2026-03-09"],
      (run) => run.cli_name,
      (run) => run.cost_usd,
      most,
    );
  expect(of(3).groups).toEqual(["a", "c", "b"]);
  expect(of(2).groups).toEqual(["a", OTHERS]);
  expect([...(of(2).rows[0]?.values ?? [])]).toEqual([
    ["a", 5],
    [OTHERS, 3],
  ]);
});

test("outcomes: work at the prompt is done, a question is open", () => {
  const attention = { kind: "permission_prompt", message: "May I?", since: "" };
  expect(
    [
      run({}),
      run({ status: "paused", work: "changed" }),
      run({ status: "paused", work: "none" }),
      run({ status: "paused", work: "changed", attention }),
      run({ status: "failed" }),
      run({ status: "running" }),
    ].map(outcomeOf),
  ).toEqual(["done", "done", "open", "open", "failed", "open"]);
});

test("times and their median", () => {
  expect(timeToDone(run({ minutes: 3 }))).toBe(180_000);
  expect(timeToDone(run({ status: "failed" }))).toBeNull();
  expect([median([]), median([3, 1, 2]), median([1, 4, 2, 3])]).toEqual([null, 2, 2.5]);
  expect(
    medianByDay([run({ minutes: 1 }), run({ minutes: 3 })], ["2026-03-08", "2026-03-09"]),
  ).toEqual([
    { day: "2026-03-08", ms: null },
    { day: "2026-03-09", ms: 120_000 },
  ]);
});

test("totals, by group with the dearest first", () => {
  const runs = [run({}), run({ status: "failed" }), run({ project_id: "q", cost_usd: 9 })];
  expect(totalsOf(runs)).toEqual({
    runs: 3,
    done: 2,
    failed: 1,
    tokens: 9,
    cost: 11,
    unpriced: 0,
    median: 600_000,
  });
  expect(totalsBy(runs, (run) => run.project_id).map(({ name }) => name)).toEqual(["q", "p"]);
});

test("a run without a known price is counted, one without tokens has no price to know", () => {
  const cost = { usd: null, known_usd: 0.5, source: "unknown" as const, prices_as_of: null };
  const none = { tokens_in: 0, tokens_out: 0, cost_usd: 0, cost: { ...cost, known_usd: 0 } };
  const runs = [
    run({}),
    run({ cost_usd: 0.5, cost }),
    run({ ...none, tokens_cache_read: 3 }),
    run(none),
  ];
  expect(totalsOf(runs)).toMatchObject({ cost: 1.5, unpriced: 2 });
});
