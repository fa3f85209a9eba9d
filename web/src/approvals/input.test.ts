import { expect, test } from "vitest";
import { partsOf, placeOf, visible } from "./input";

test("hidden characters are shown", () => {
  expect(visible("a\r\nb\tc")).toBe("a\nb\tc");
  expect(visible("rm \u202eexe\u202c\r -rf\u001b[2K\u{e0041}")).toBe(
    "rm ⟨U+202E⟩exe⟨U+202C⟩⟨U+000D⟩ -rf⟨U+001B⟩[2K⟨U+E0041⟩",
  );
  expect(visible("naïve 👩‍💻 日本")).toBe("naïve 👩‍💻 日本");
});

test("a command, with its reason and every other field", () => {
  expect(partsOf("Bash", { command: "ls", description: "List", timeout: 5 })).toEqual({
    shown: { as: "command", text: "ls", why: "List" },
    rest: "timeout: 5",
    cut: 0,
  });
  const words = { command: ["bash", "-lc", "it's"] };
  expect(partsOf("shell", words).shown).toMatchObject({ text: "bash -lc 'it'\\''s'" });
});

test("edits are a diff of all their lines, writes their content", () => {
  const edit = { file_path: "/w/a", old_string: "a", new_string: "b", replace_all: true };
  expect(partsOf("Edit", edit)).toMatchObject({
    shown: { as: "diff", files: [{ path: "/w/a", more: 0 }] },
    rest: "replace_all: true",
  });
  const long = Array.from({ length: 900 }, (_, at) => `line ${at}`).join("\n");
  const { shown } = partsOf("Edit", { file_path: "f", old_string: "", new_string: long });
  expect(shown.as === "diff" && shown.files[0]?.lines.length).toBe(900);
  const edits = [
    { old_string: "a", new_string: "b" },
    { old_string: "c", new_string: "d", replace_all: true },
  ];
  expect(partsOf("MultiEdit", { file_path: "f", edits }).rest).toContain("replace_all");
  expect(partsOf("MultiEdit", { file_path: "f", edits: edits.slice(0, 1) }).rest).toBe("");
  expect(partsOf("Write", { file_path: "/w/a", content: "x\n" })).toEqual({
    shown: { as: "content", path: "/w/a", text: "x\n" },
    rest: "",
    cut: 0,
  });
  const patch = "*** Begin Patch\n*** Add File: a\n+x\n*** End Patch\n";
  const patched = partsOf("apply_patch", { command: ["apply_patch", patch], workdir: "/" });
  expect(patched.rest).toMatch(/workdir[^]*apply_patch/);
  const lines = patched.shown.as === "diff" ? patched.shown.files[0]?.lines : [];
  expect(lines?.map(({ sign, text }) => sign + text).join("\n")).toBe(
    "@*** Begin Patch\n@*** Add File: a\n+x\n@*** End Patch",
  );
});

test("an edit of another form hides nothing", () => {
  const odd = { file_path: "f", edits: ["rm"] };
  expect(partsOf("MultiEdit", odd).shown).toMatchObject({ as: "json" });
  const number = { file_path: "f", old_string: 1, new_string: "x" };
  expect(partsOf("Edit", number).shown).toMatchObject({ as: "json" });
  expect(partsOf("apply_patch", "rm -rf /").shown).toEqual({ as: "json", text: "rm -rf /" });
});

test("a plan is its text, and anything else is JSON", () => {
  expect(partsOf("ExitPlanMode", { plan: "# Do", planFilePath: "/p" })).toEqual({
    shown: { as: "plan", text: "# Do" },
    rest: 'planFilePath: "/p"',
    cut: 0,
  });
  expect(partsOf("WebFetch", { url: "http://x" }).shown).toEqual({
    as: "json",
    text: '{\n  "url": "http://x"\n}',
  });
  expect(partsOf("odd", "text").shown).toEqual({ as: "json", text: "text" });
  expect(partsOf("odd", null).shown).toEqual({ as: "json", text: "" });
});

test("a path within the worktree is short, and one outside is marked", () => {
  const place = (path: string, ...roots: string[]) => placeOf(path, roots);
  expect(place("/w/api/src/a.rs", "/w/api")).toEqual({ path: "src/a.rs", outside: false });
  expect(place("/w/web/a", "/w/api", "/w/web")).toEqual({ path: "web/a", outside: false });
  expect(place("/etc/passwd", "/w/api")).toEqual({ path: "/etc/passwd", outside: true });
  expect(place("/w/api/../x", "/w/api")).toEqual({ path: "/w/api/../x", outside: true });
  expect(place("src/a.rs", "/w/api").outside).toBe(false);
  expect(place("/etc/passwd").outside).toBe(false); // nothing is known of the worktrees
});

test("what the log does not keep is counted", () => {
  const write = { file_path: "/w/a", content: "x", content_truncated_bytes: 5000 };
  expect(partsOf("Write", write)).toMatchObject({ rest: "", cut: 5000 });
  const edits = [{ old_string: "a", new_string: "b", new_string_truncated_bytes: 7 }];
  expect(partsOf("MultiEdit", { file_path: "f", edits })).toMatchObject({ rest: "", cut: 7 });
});
