import { expect, test } from "vitest";
import type { RunEvent } from "@/api/client";
import { factOf, joined, timesOf, toolTimes, turnsOf, type Fact } from "./turns";

const fact = (at: number, event_type: RunEvent["event_type"], payload: object = {}): Fact => {
  const created_at = new Date(at).toISOString();
  return factOf({ id: at, run_id: "r", sequence: at, event_type, payload, created_at } as RunEvent);
};
const totals = (n: number, cost: number) => ({
  tokens_in: n,
  tokens_out: 2 * n,
  tokens_cache_read: 3 * n,
  tokens_cache_write: 4 * n,
  cost_usd: cost,
});

test("totals become what each turn used, also when they come after its end", () => {
  const turns = turnsOf(
    [
      fact(0, "run.started"),
      fact(5, "run.result", totals(10, 1)),
      fact(10, "run.paused"),
      fact(11, "run.result", totals(20, 1.5)),
      fact(50, "run.started"),
      fact(60, "run.result", { ...totals(25, 4), unknown_tokens: 3 }),
      fact(61, "run.completed"),
    ],
    100,
  );
  const first = { in: 20, out: 40, cacheRead: 60, cacheWrite: 80 };
  const second = { in: 5, out: 10, cacheRead: 15, cacheWrite: 20 };
  expect(turns).toMatchObject([
    { tokens: first, cost: 1.5, unpriced: false, from: 0, to: 10 },
    { tokens: second, cost: 2.5, unpriced: true, from: 50, to: 61 },
  ]);
});

test("a turn is thinking, tools and waits for a person, without holes", () => {
  const [turn] = turnsOf(
    [
      fact(0, "run.started"),
      fact(10, "agent.tool_call", { tool_name: "Bash", tool_use_id: "a" }),
      fact(15, "agent.needs_attention", { kind: "permission_prompt" }),
      fact(30, "agent.tool_result", { tool_name: "Bash", tool_use_id: "a" }),
      fact(40, "run.paused"),
    ],
    100,
  );
  expect(turn?.spans).toEqual([
    { doing: "thinking", from: 0, to: 10 },
    { doing: "tool", from: 10, to: 15 },
    { doing: "you", from: 15, to: 30 },
    { doing: "thinking", from: 30, to: 40 },
  ]);
  expect(turn && timesOf(turn)).toEqual({ thinking: 20, tool: 5, you: 15 });
  expect(turn && toolTimes([turn])).toEqual([{ name: "Bash", calls: 1, ms: 5 }]);
});

test("an approval is a wait until it is closed", () => {
  const spans = (closed: RunEvent["event_type"]) => {
    const facts = [fact(0, "run.started"), fact(10, "approval.requested"), fact(30, closed)];
    return turnsOf(facts, 40)[0]?.spans.map(({ doing, to }) => [doing, to]);
  };
  const all = ["approval.decided", "approval.expired", "approval.void"] as const;
  for (const closed of all) {
    expect(spans(closed)).toEqual([
      ["thinking", 10],
      ["you", 30],
      ["thinking", 40],
    ]);
  }
});

test("tools at the same time count each for itself, in the lane once", () => {
  const [turn] = turnsOf(
    [
      fact(0, "run.started"),
      fact(10, "agent.tool_call", { tool_name: "Read", tool_use_id: "a" }),
      fact(12, "agent.tool_call", { tool_name: "Read", tool_use_id: "b" }),
      fact(20, "agent.tool_result", { tool_name: "Read", tool_use_id: "b" }),
      fact(30, "agent.tool_result", { tool_name: "Read", tool_use_id: "a" }),
      fact(40, "run.paused"),
    ],
    100,
  );
  expect(turn && timesOf(turn)).toEqual({ thinking: 20, tool: 20, you: 0 });
  expect(turn && toolTimes([turn])).toEqual([{ name: "Read", calls: 2, ms: 28 }]);
});

test("a turn that lasts ends now; a question that stands lasts as long", () => {
  const [turn] = turnsOf([fact(0, "run.started"), fact(60, "agent.needs_attention")], 100);
  expect(turn?.lasts).toBe(true);
  expect(turn && timesOf(turn)).toEqual({ thinking: 60, tool: 0, you: 40 });
});

test("calls without an id are paired by name; a call without a result ends with the turn", () => {
  const turns = turnsOf(
    [
      fact(0, "run.started"),
      fact(1, "agent.tool_call", { tool_name: "shell" }),
      fact(4, "agent.tool_result", { tool_name: "shell" }),
      fact(5, "agent.tool_call", { tool_name: "shell" }),
      fact(10, "run.cancelled"),
    ],
    100,
  );
  expect(toolTimes(turns)).toEqual([{ name: "shell", calls: 2, ms: 8 }]);
});

test("what comes outside of a turn makes none", () => {
  expect(turnsOf([fact(1, "run.failed"), fact(2, "agent.needs_attention")], 9)).toEqual([]);
});

test("intervals are joined", () => {
  expect(
    joined([
      [5, 6],
      [1, 3],
      [2, 4],
      [4, 4],
    ]),
  ).toEqual([
    [1, 4],
    [5, 6],
  ]);
});

test("outputs of tools are left behind", () => {
  const event = {
    id: 1,
    run_id: "r",
    sequence: 7,
    event_type: "agent.tool_result",
    payload: { tool_name: "Bash", tool_use_id: "a", tool_response: "x".repeat(1000) },
    created_at: "1970-01-01T00:00:01.000Z",
  } as const;
  expect(factOf(event)).toEqual({
    sequence: 7,
    type: "agent.tool_result",
    at: 1000,
    tool: { id: "a", name: "Bash" },
  });
});
