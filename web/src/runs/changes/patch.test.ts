import { expect, test } from "vitest";
import type { FileChange } from "@/api/client";
import { look, partsOf } from "./patch";

const file = (diff: string, more: Partial<FileChange> = {}): FileChange => ({
  path: "a",
  old_path: null,
  status: "modified",
  binary: false,
  insertions: 0,
  deletions: 0,
  diff,
  old_content: null,
  new_content: null,
  truncated: false,
  ...more,
});

test.each<[string, FileChange, string[], boolean]>([
  [
    "binary",
    file("diff --git a/a b/a\nnew file mode 100644\nindex 0..1\nGIT binary patch\nliteral 3\n", {
      binary: true,
    }),
    ["A binary file; no lines to show."],
    false,
  ],
  [
    "too large",
    file("", { truncated: true, insertions: 30000 }),
    [
      "Larger than 1 MiB before or after, so its contents are not shown here. Open it in the worktree.",
    ],
    false,
  ],
  [
    "renamed alone",
    file("diff --git a/b b/a\nsimilarity index 100%\nrename from b\nrename to a\n", {
      status: "renamed",
    }),
    ["Renamed with no change to its contents."],
    false,
  ],
  [
    "empty",
    file("diff --git a/a b/a\nnew file mode 100644\nindex 0..e69de29\n", { status: "added" }),
    ["An empty file."],
    false,
  ],
  [
    "mode alone",
    file("diff --git a/a b/a\nold mode 100644\nnew mode 100755\n"),
    ["Changed from a plain file to an executable file."],
    false,
  ],
  [
    "new link",
    file(
      "diff --git a/a b/a\nnew file mode 120000\nindex 0..1\n--- /dev/null\n+++ b/a\n@@ -0,0 +1 @@\n+x\n",
    ),
    ["A symbolic link; its text is its target."],
    true,
  ],
  [
    "link that points elsewhere",
    file("diff --git a/a b/a\nindex 1..2 120000\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x\n+y\n"),
    ["A symbolic link; its text is its target."],
    true,
  ],
  [
    "name that is not UTF-8",
    file("diff --git x y\nindex 1..2 100644\n@@ -1 +1 @@\n-x\n+y\n", { path_bytes: "Yf8=" }),
    ["Its name is not valid UTF-8; unreadable bytes are shown as �."],
    true,
  ],
  ["text", file("diff --git a/a b/a\nindex 1..2 100644\n@@ -1 +1 @@\n-x\n+y\n"), [], true],
])("what is said of a file: %s", (_, changed, notes, diff) => {
  expect(look(changed)).toMatchObject({ notes, diff });
});

test("a line of text that looks like a head is none", () => {
  const seen = look(file("diff --git a/a b/a\nindex 1..2 100644\n@@ -1 +1 @@\n-x\n+old mode 1\n"));
  expect(seen).toEqual({ notes: [], diff: true, lines: 3 });
});

const HEAD = "diff --git a/a b/a\n--- a/a\n+++ b/a\n";

test("a short patch is one part, and the same", () => {
  const patch = `${HEAD}@@ -3,3 +3,3 @@\n a\n-b\n+B\n c\n\\ No newline at end of file\n`;
  expect(partsOf(patch)).toEqual([patch]);
});

test("parts count from where the last one ended", () => {
  const patch = `${HEAD}@@ -1,4 +1,4 @@ fn x\n a\n-b\n+B\n c\n d\n@@ -20,2 +20,3 @@\n x\n+y\n z\n`;
  expect(partsOf(patch, 3)).toEqual([
    `${HEAD}@@ -1,2 +1,2 @@\n a\n-b\n+B\n`,
    `${HEAD}@@ -3,2 +3,2 @@\n c\n d\n@@ -20,1 +20,1 @@\n x\n`,
    `${HEAD}@@ -21,1 +21,2 @@\n+y\n z\n`,
  ]);
});

test("a side without lines names the line before, as git does", () => {
  const patch = `${HEAD}@@ -0,0 +1,3 @@\n+a\n+b\n+c\n\\ No newline at end of file\n`;
  expect(partsOf(patch, 2)).toEqual([
    `${HEAD}@@ -0,0 +1,2 @@\n+a\n+b\n`,
    `${HEAD}@@ -0,0 +3,1 @@\n+c\n\\ No newline at end of file\n`,
  ]);
});

test("no line is lost or doubled, whatever the size", () => {
  const lines = Array.from({ length: 997 }, (_, at) => `${" +-"[at % 3] ?? ""}${at}`);
  const count = (sign: string) =>
    lines.filter((line) => " ".startsWith(line[0] ?? "") || line.startsWith(sign)).length;
  const patch = `${HEAD}@@ -1,${count("-")} +1,${count("+")} @@\n${lines.join("\n")}\n`;
  for (const size of [1, 7, 100, 5000]) {
    const seen = partsOf(patch, size).flatMap((part) =>
      part
        .slice(HEAD.length)
        .split("\n")
        .filter((line) => line && !line.startsWith("@@")),
    );
    expect(seen).toEqual(lines);
  }
});
