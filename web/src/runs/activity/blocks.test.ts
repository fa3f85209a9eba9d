import { expect, test } from "vitest";
import { splitBlocks, startOf } from "./blocks";

test("paragraphs are blocks; fences and lists stay whole", () => {
  const text = "# A\n\nOne\ntwo\n\n```sh\na\n\nb\n```\n\n1. x\n\n2. y\n\nEnd";
  expect(splitBlocks(text)).toEqual([
    "# A\n",
    "One\ntwo\n",
    "```sh\na\n\nb\n```\n\n1. x\n\n2. y\n",
    "End",
  ]);
  expect(splitBlocks("")).toEqual([""]);
});

test("nothing is lost, and what is whole does not change while the text grows", () => {
  const text = "Hello\n\nworld\n\n```\nx\n\n~~~\n\n```\nmore\n\nlast";
  expect(splitBlocks(text).join("\n")).toBe(text);
  for (let at = 1; at < text.length; at++) {
    const now = splitBlocks(text.slice(0, at));
    const whole = splitBlocks(text);
    const done = now.slice(0, -1);
    expect(whole.slice(0, done.length)).toEqual(done);
  }
});

test("a long text is cut at a line, with its fence closed", () => {
  expect(startOf("short")).toEqual({ shown: "short", more: 0 });
  const { shown, more } = startOf(`\`\`\`\n${"line\n".repeat(1000)}`, 100);
  expect(shown.endsWith("line\n```")).toBe(true);
  expect(more).toBeGreaterThan(4000);
});
