import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { RunEvent } from "@/api/client";
import { Fold } from "./feed";
import type { Row } from "./row";
import { merge } from "./view";

const START = Date.parse("2026-01-01T00:00:00Z");

/** Events one second apart; the sequence is counted. */
function log(...events: [type: string, payload?: object][]): RunEvent[] {
  return events.map(([event_type, payload = {}], at) => {
    const created_at = new Date(START + at * 1000).toISOString();
    const [id, sequence] = [at + 1, at + 1];
    return { id, run_id: "r", sequence, event_type, payload, created_at } as RunEvent;
  });
}

function rows(events: RunEvent[], chunk = events.length): Row[] {
  const fold = new Fold();
  const all: Row[] = [];
  for (let at = 0; at < events.length; at += chunk) {
    merge(all, structuredClone(fold.take(events.slice(at, at + chunk)).rows));
  }
  return all;
}

const short = (row: Row) => `${row.first}-${row.last} ${row.kind} ${row.state} ${row.essence}`;

const call = (id: string, tool: string, input: unknown): [string, object] => [
  "agent.tool_call",
  { tool_name: tool, tool_input: input, tool_use_id: id },
];
const answer = (id: string, more: object): [string, object] => [
  "agent.tool_result",
  { tool_name: "", tool_use_id: id, ...more },
];

const TURN = log(
  ["run.created", { task: "Fix the login\n\nIt redirects twice." }],
  ["worktree.created", { repos: [{ name: "api", worktree: "/w/api", branch: "b" }], millis: 120 }],
  ["run.started", { by: "prompt" }],
  ["agent.token", { text: "I will ", message_id: "m1" }],
  ["agent.token", { text: "look.", message_id: "m1" }],
  ["agent.message", { text: "I will look.", message_id: "m1" }],
  call("t1", "Read", { file_path: "/w/api/src/login.rs" }),
  call("t2", "Bash", { command: "cargo test", description: "Test" }),
  answer("t1", { tool_response: "fn main() {}" }),
  answer("t2", { error: "Exit code 101\nno" }),
  call("t3", "Edit", { file_path: "/w/api/a.rs", old_string: "a\nb\nc", new_string: "a\nx\ny\nc" }),
  answer("t3", { tool_response: { structuredPatch: [{ lines: [" a", "-b", "+x", "+y", " c"] }] } }),
  ["run.result", { tokens_in: 1000, tokens_out: 200, cost_usd: 0.25 }],
  ["run.checkpointed", { number: 1, reason: "stop" }],
  ["run.paused", { by: "stop" }],
  ["user.message", { text: "and the tests?", by: "api" }],
  ["run.result", { tokens_in: 1500, tokens_out: 200, cost_usd: 0.3, unknown_tokens: 9 }],
  ["run.completed", { reason: "exit" }],
);

test("a call and its result are one row, with what they did", () => {
  expect(rows(TURN).map(short)).toEqual([
    "1-1 prompt ok Fix the login …",
    "2-2 life ok Worktree created in 0.1 s: api on b",
    "3-3 life ok Started by a prompt",
    "4-6 message ok I will look.",
    "7-9 tool ok src/login.rs",
    "8-10 tool failed cargo test",
    "11-12 tool ok a.rs",
    "14-14 checkpoint ok Checkpoint 1 · stop",
    "15-15 end ok Finished its turn · 3 tools · 14 s · 1.2k tokens · $0.25",
    "16-16 prompt ok and the tests?",
    "18-18 end ok Completed: its process exited · 2.0 s · 500 tokens · $0.05 + unknown",
  ]);
  const edit = rows(TURN).find((row) => row.first === 11);
  expect(edit).toMatchObject({ name: "Edit", add: 2, del: 1, ms: 1000 });
});

test("an approval and its end say what was asked and decided", () => {
  const asked = { kind: "permission", tool_name: "Bash", tool_input: { command: "ls" } };
  const request = (id: string): [string, object] => [
    "approval.requested",
    { ...asked, approval_id: id, message: "Claude asks for permission to use Bash: ls" },
  ];
  const close = (type: string, id: string, more: object = {}): [string, object] => [
    `approval.${type}`,
    { approval_id: id, ...more },
  ];
  const found = rows(
    log(
      request("a"),
      close("decided", "a", { decision: "deny", message: "not here" }),
      request("b"),
      close("void", "b", { why: "terminal" }),
      close("expired", "c"),
    ),
  );
  expect(found.map(({ kind, essence }) => `${kind}: ${essence}`)).toEqual([
    "attention: Claude asks for permission to use Bash: ls",
    "answer: Denied: not here · Bash ls",
    "attention: Claude asks for permission to use Bash: ls",
    "answer: Answered in the terminal · Bash ls",
    "answer: Expired: nobody answered in time",
  ]);
});

test("the rows do not depend on how the log was cut", () => {
  for (const chunk of [1, 2, 5, 7]) expect(rows(TURN, chunk)).toEqual(rows(TURN));
});

test("tokens with another id than their message, before and after it, are one row", () => {
  const before = log(
    ["agent.token", { text: "I will plan ", message_id: "uuid" }],
    ["agent.token", { text: "this.\n", message_id: "uuid" }],
    ["agent.message", { text: "I will plan this.", message_id: "msg_1" }],
    ["agent.message", { text: "And more.", message_id: "msg_1" }],
  );
  expect(rows(before).map(short)).toEqual([
    "1-3 message ok I will plan this.",
    "4-4 message ok And more.",
  ]);
  const after = log(
    ["agent.message", { text: "I will plan this.", message_id: "msg_1" }],
    ["agent.token", { text: "I will plan ", message_id: "uuid" }],
    ["agent.token", { text: "this.", message_id: "uuid" }],
    ["agent.token", { text: "Something else", message_id: "uuid2" }],
    ["run.paused", { by: "interrupt" }],
  );
  expect(rows(after).map(short)).toEqual([
    "1-1 message ok I will plan this.",
    "4-4 message none Something else",
    "5-5 end ok Interrupted in the terminal",
  ]);
});

test("tokens are given out as they come", () => {
  const fold = new Fold();
  const { pieces } = fold.take(
    log(
      ["agent.token", { text: "a", message_id: "1" }],
      ["agent.token", { text: "b", message_id: "1" }],
      ["agent.token", { text: "c", message_id: "2" }],
    ),
  );
  expect(pieces).toEqual([
    { first: 1, text: "ab" },
    { first: 3, text: "c" },
  ]);
});

test("what a subagent does is in its block", () => {
  const inside = { agent_id: "a1" };
  const folded = rows(
    log(
      call("t0", "Agent", { description: "Look around", prompt: "…", subagent_type: "Explore" }),
      ["agent.subagent_start", { agent_id: "a1", agent_type: "Explore", last_message: null }],
      answer("t0", { tool_response: { isAsync: true } }),
      call("t1", "Bash", { command: "ls" }),
      [
        "agent.tool_call",
        { tool_name: "Grep", tool_input: { pattern: "x" }, tool_use_id: "t2", ...inside },
      ],
      answer("t2", { tool_response: "" }),
      ["hook.received", { hook_event_name: "Stop", payload: {} }],
      call("t3", "Read", { file_path: "b" }),
      ["agent.subagent_stop", { agent_id: "a1", agent_type: "Explore", last_message: "Found." }],
    ),
  );
  expect(folded.map((row) => [row.first, row.block, row.kind])).toEqual([
    [1, 0, "tool"],
    [2, 0, "agent"],
    [4, 0, "tool"],
    [5, 2, "tool"],
    [7, 0, "life"],
    [8, 0, "tool"], // not marked: not guessed
    [9, 2, "message"],
  ]);
  expect(folded[1]).toMatchObject({
    name: "Explore",
    essence: "Look around",
    state: "ok",
    count: 2,
    ms: 7000,
  });
});

test("a hook of a CLI that the agent started says so", () => {
  const payload = { prompt: "Sum up" };
  const folded = rows(
    log([
      "hook.received",
      { hook_event_name: "BeforeAgent", payload, ignored: true, nested: true },
    ]),
  );
  expect(folded.map((row) => row.essence)).toEqual(["Hook BeforeAgent from a nested CLI: Sum up"]);
});

test("calls without a result do not stay open when the turn ends", () => {
  const folded = rows(log(call("t1", "Bash", { command: "sleep" }), ["run.cancelled"]));
  expect(folded.map(short)).toEqual(["1-1 tool none sleep", "2-2 end ok Cancelled · 1 tool"]);
});

test("unknown events keep their type and payload", () => {
  expect(rows(log(["run.danced", { steps: 3 }])).map((row) => [row.name, row.essence])).toEqual([
    ["run.danced", '{"steps":3}'],
  ]);
});

test("every stored type has words, and no essence is long", () => {
  const folder = new URL("../../../../schema/events/", import.meta.url);
  const known = import.meta.glob("../../../../schema/events/*.json", { query: "?raw" });
  const samples = Object.keys(known).map((path) => path.slice(path.lastIndexOf("/") + 1));
  expect(samples.length).toBeGreaterThan(30);
  const folded = samples.map((name): [string, object] => {
    const sample = JSON.parse(readFileSync(new URL(name, folder), "utf8")) as {
      event_type: string;
      payload: object;
    };
    return [sample.event_type, sample.payload];
  });
  for (const row of rows(log(...folded))) {
    expect(row.kind, row.name).not.toBe("other");
    expect(row.essence.length, row.essence).toBeLessThanOrEqual(120);
  }
});

test("a long essence is cut to a copy of its start", () => {
  const [row] = rows(log(call("t", "Bash", { command: `echo ${"x".repeat(300_000)}` })));
  expect(row?.essence.length).toBe(120);
});

test("why a run failed is not cut for the time that it took", () => {
  const reason = "program '/opt/no-such-program' was not found; install it, or give its full path";
  const folded = rows(
    log(
      ["run.created", { task: "x" }],
      ["run.started", { by: "prompt" }],
      ["run.failed", { reason }],
    ),
  );
  expect(folded.at(-1)?.essence).toBe(`Failed: ${reason}`);
});
