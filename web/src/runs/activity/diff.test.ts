import { expect, test } from "vitest";
import { editDiff, lineDiff } from "./diff";

const plain = (lines: { sign: string; text: string }[]) => lines.map((l) => l.sign + l.text);

test("the shortest difference of lines", () => {
  expect(plain(lineDiff("a\nb\nc\nd\n", "a\nx\nc\ny\nd\n"))).toEqual([
    " a",
    "-b",
    "+x",
    " c",
    "+y",
    " d",
  ]);
  expect(plain(lineDiff("", "a\n"))).toEqual(["+a"]);
});

test("large texts are replaced as a whole, quickly", () => {
  const text = (of: string) => Array.from({ length: 3000 }, (_, at) => `${of}${at}`).join("\n");
  const lines = lineDiff(text("a"), text("b"));
  expect(lines.length).toBe(6000);
});

test("an edit takes the answer's hunks, with numbers", () => {
  const input = { file_path: "/w/a.rs", old_string: "b", new_string: "x" };
  const hunk = { oldStart: 7, newStart: 7, lines: [" a", "-b", "+x", "\\ No newline"] };
  const [edit] = editDiff("Edit", input, { structuredPatch: [hunk] }) ?? [];
  expect(edit).toEqual({
    path: "/w/a.rs",
    more: 0,
    lines: [
      { sign: " ", text: "a", old: 7, now: 7 },
      { sign: "-", text: "b", old: 8, now: 0 },
      { sign: "+", text: "x", old: 0, now: 8 },
    ],
  });
  expect(plain(editDiff("Edit", input, undefined)?.[0]?.lines ?? [])).toEqual(["-b", "+x"]);
});

test("several edits, and patches of several files", () => {
  const edits = [
    { old_string: "a", new_string: "b" },
    { old_string: "c", new_string: "" },
  ];
  const [multi] = editDiff("MultiEdit", { file_path: "f", edits }, undefined) ?? [];
  expect(plain(multi?.lines ?? [])).toEqual(["-a", "+b", "@", "-c"]);
  const command =
    "*** Begin Patch\n*** Add File: a.txt\n+hello\n*** Update File: b.txt\n@@ fn x\n y\n-z\n*** End Patch\n";
  const files = editDiff("apply_patch", { command }, "ok") ?? [];
  expect(files.map(({ path, lines }) => [path, plain(lines)])).toEqual([
    ["a.txt", ["+hello"]],
    ["b.txt", ["@fn x", " y", "-z"]],
  ]);
});

test("other tools have no diff", () => {
  expect(editDiff("Bash", { command: "ls" }, "")).toBeUndefined();
});
