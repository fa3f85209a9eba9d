import { expect, test } from "vitest";
import { folderOf, repoName } from "./name";

test("the folder of a path", () => {
  expect(["/a/b", "/a/b/", "/", "", "b"].map(folderOf)).toEqual(["b", "b", "", "", "b"]);
});

test("a repo name keeps the rule of the server", () => {
  const names = ["/a/my site", "/a/.dotfiles", "/a/-x", "/a/b.git", "/a/Ärger", "/", "/a/日本"];
  expect(names.map((path) => repoName(path))).toEqual([
    "my-site",
    "dotfiles",
    "x",
    "b",
    "A-rger",
    "",
    "",
  ]);
  for (const path of [...names, `/a/${"x".repeat(99)}`]) {
    expect(repoName(path)).toMatch(/^([A-Za-z0-9_][A-Za-z0-9._-]{0,63})?$/);
  }
});

test("a taken name gets a number", () => {
  expect(repoName("/b/site", ["site", "site-2"])).toBe("site-3");
});
