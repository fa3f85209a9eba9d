import { expect, test } from "vitest";
import { newRow, type Kind, type Row } from "./row";
import { arrange, merge, rowOf, type Choice } from "./view";

const row = (first: number, kind: Kind, more: Partial<Row> = {}): Row => ({
  ...newRow(kind, first, 0),
  ...more,
});
const ROWS = [
  row(1, "prompt", { essence: "Fix it" }),
  row(2, "agent", { last: 9, name: "Explore" }),
  row(3, "tool", { essence: "cargo test", last: 6 }),
  row(4, "tool", { essence: "a.rs", block: 2 }),
  row(5, "message", { essence: "Hello" }),
  row(7, "life", { essence: "Started", block: 2 }),
  row(8, "checkpoint"),
];
const ALL: Choice = { filters: new Set(), open: new Set(), search: "", found: new Set() };
const firsts = (choice: Partial<Choice>) =>
  arrange(ROWS, { ...ALL, ...choice }).map(({ first }) => first);

test("blocks open and close", () => {
  expect(firsts({})).toEqual([1, 2, 3, 5, 8]);
  expect(firsts({ open: new Set([2]) })).toEqual([1, 2, 4, 7, 3, 5, 8]);
});

test("kinds are chosen", () => {
  expect(firsts({ filters: new Set(["messages"]) })).toEqual([1, 5]);
  expect(firsts({ filters: new Set(["tools"]) })).toEqual([3, 4]);
  expect(firsts({ filters: new Set(["subagents"]), open: new Set([2]) })).toEqual([2, 4, 7]);
  expect(firsts({ filters: new Set(["messages", "lifecycle"]) })).toEqual([1, 5, 7, 8]);
});

test("a search looks at essence, name and what was found in the log", () => {
  expect(firsts({ search: "cargo" })).toEqual([3]);
  expect(firsts({ search: "explore" })).toEqual([2]);
  expect(firsts({ search: "nothing", found: new Set([6, 5]) })).toEqual([3, 5]);
});

test("changes find their places", () => {
  const rows = [row(1, "prompt"), row(4, "tool")];
  merge(rows, [row(4, "tool", { last: 9 }), row(5, "life")]);
  merge(rows, [row(3, "life")]);
  expect(rows.map(({ first, last }) => [first, last])).toEqual([
    [1, 1],
    [3, 3],
    [4, 9],
    [5, 5],
  ]);
});

test("each event has a row", () => {
  expect([1, 6, 5, 100].map((sequence) => rowOf(ROWS, sequence)?.first)).toEqual([1, 3, 5, 8]);
  expect(rowOf([], 3)).toBeUndefined();
});
