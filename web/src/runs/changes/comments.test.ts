import { expect, test } from "vitest";
import { bytesOf, lineAt, messageOf, readComments, type Comment } from "./comments";

const comment = (more: Partial<Comment> = {}): Comment => ({
  id: "1",
  key: "site:src/a.ts",
  repo: "site",
  path: "src/a.ts",
  side: "new",
  line: 12,
  code: "const x = 1;",
  text: "Call it y.",
  ...more,
});

test("the message quotes repo, file, line and code", () => {
  expect(messageOf([comment()], false)).toBe(
    "Review comments on your changes in site:\n\n1. src/a.ts, line 12:\n> const x = 1;\nCall it y.",
  );
});

test("comments go by file and line; with several repos paths begin with the repo", () => {
  const message = messageOf(
    [
      comment({ repo: "web", path: "b", line: 2, text: "third" }),
      comment({ line: 30, text: "second" }),
      comment({ line: 4, side: "old", code: "gone", text: " first\nand more \n" }),
    ],
    true,
  );
  expect(message).toBe(
    [
      "Review comments on your changes:",
      "1. site/src/a.ts, line 4 before your changes:\n> gone\nfirst\nand more",
      "2. site/src/a.ts, line 30:\n> const x = 1;\nsecond",
      "3. web/b, line 2:\n> const x = 1;\nthird",
    ].join("\n\n"),
  );
});

test("what a terminal would take for a key is no part of a message; tabs and breaks are", () => {
  const message = messageOf([comment({ code: "\tx\u001b[2J\u0007", text: "a\r\nb\u009b" })], false);
  expect(message).toContain("> \tx�[2J�\na\nb�");
});

test("a long line is quoted up to a bound", () => {
  expect(messageOf([comment({ code: "x".repeat(100_000) })], false).length).toBeLessThan(700);
});

test("a message begins with a word, so that no CLI takes it for a command of its own", () => {
  expect(messageOf([comment({ text: "/exit" })], false)).toMatch(/^[A-Z]/);
});

test("size is in bytes", () => {
  expect(bytesOf("ä€")).toBe(5);
});

test("kept comments are read back; anything else is left out", () => {
  const kept = [comment(), comment({ side: "new", line: 3 })];
  expect(readComments(JSON.stringify(kept))).toEqual(kept);
  expect(readComments(JSON.stringify([{ id: 1 }, null, { ...comment(), line: "3" }]))).toEqual([]);
  expect(readComments("{")).toEqual([]);
  expect(readComments("{}")).toEqual([]);
});

test("a line of either side", () => {
  const entry = {
    key: "k",
    repo: "r",
    file: {
      path: "a",
      old_path: null,
      status: "modified" as const,
      binary: false,
      insertions: 0,
      deletions: 0,
      diff: "",
      old_content: "one\r\ntwo\n",
      new_content: null,
      truncated: false,
    },
  };
  expect(lineAt(entry, "old", 1)).toBe("one");
  expect(lineAt(entry, "old", 9)).toBeUndefined();
  expect(lineAt(entry, "new", 1)).toBeUndefined();
});
