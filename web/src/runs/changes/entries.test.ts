import { expect, test } from "vitest";
import type { FileChange } from "@/api/client";
import { entriesOf, filtered, markOf, treeRows } from "./entries";

const file = (path: string, more: Partial<FileChange> = {}): FileChange => ({
  path,
  old_path: null,
  status: "modified",
  binary: false,
  insertions: 1,
  deletions: 0,
  diff: "",
  old_content: null,
  new_content: null,
  truncated: false,
  ...more,
});
const changes = (...repos: [string, FileChange[]][]) => ({
  left_out: [],
  files_changed: 0,
  insertions: 0,
  deletions: 0,
  repos: repos.map(([repo_name, files]) => ({
    repo_id: repo_name,
    repo_name,
    branch: "b",
    base_commit: "c",
    uncommitted: true,
    files,
  })),
});
const shown = (rows: ReturnType<typeof treeRows>) =>
  rows.map((row) => `${" ".repeat(row.depth)}${row.name}${row.kind === "folder" ? "/" : ""}`);

const one = entriesOf(
  changes([
    "api",
    [file("README.md"), file("src/a/b/deep.rs"), file("src/a/b/also.rs"), file("z")],
  ]),
);

test("folders come first, chains of folders are one row", () => {
  expect(shown(treeRows(one, new Set(), false))).toEqual([
    "src/a/b/",
    " also.rs",
    " deep.rs",
    "README.md",
    "z",
  ]);
});

test("a collapsed folder hides what is in it and counts it", () => {
  const rows = treeRows(one, new Set(["/src/a/b"]), false);
  expect(shown(rows)).toEqual(["src/a/b/", "README.md", "z"]);
  expect(rows[0]).toMatchObject({ count: 2, open: false });
});

test("several repos are the first level, also when one holds a single folder", () => {
  const two = entriesOf(changes(["api", [file("src/x")]], ["web", [file("y")]]));
  expect(shown(treeRows(two, new Set(), true))).toEqual(["api/", " src/", "  x", "web/", " y"]);
});

test("the list has the order of the tree", () => {
  const keys = one.map((entry) => entry.key);
  const rows = treeRows(one, new Set(), false);
  expect(rows.flatMap((row) => (row.kind === "file" ? [row.entry.key] : []))).toEqual(keys);
});

test("files whose names differ in bytes alone are two", () => {
  const odd = entriesOf(
    changes(["r", [file("a�", { path_bytes: "Yf8=" }), file("a�", { path_bytes: "Yf4=" })]]),
  );
  expect(new Set(odd.map((entry) => entry.key)).size).toBe(2);
});

test("the filter wants all words, in path, old path or repo", () => {
  const all = entriesOf(
    changes(["api", [file("src/new.rs", { old_path: "src/Old.rs" }), file("x")]]),
  );
  const found = (filter: string) => filtered(all, filter).map((entry) => entry.file.path);
  expect(found("API old")).toEqual(["src/new.rs"]);
  expect(found("new nothing")).toEqual([]);
  expect(found(" ")).toHaveLength(2);
});

test("another diff is another mark", () => {
  expect(markOf(file("a", { diff: "+x" }))).toBe(markOf(file("b", { diff: "+x" })));
  expect(markOf(file("a", { diff: "+x" }))).not.toBe(markOf(file("a", { diff: "+y" })));
  expect(markOf(file("a", { insertions: 2 }))).not.toBe(markOf(file("a", { insertions: 3 })));
});
