// How the input of a tool is shown to the person who decides about it. Pure.
import { editDiff, type DiffLine, type FileDiff } from "@/runs/activity/diff";
import { editTool, isObject, patchText, str, type Json } from "@/runs/activity/essence";

/** What the view of an input shows. */
export type Shown =
  | { as: "command"; text: string; why: string | undefined }
  | { as: "diff"; files: FileDiff[] }
  | { as: "content"; path: string; text: string }
  | { as: "plan"; text: string }
  | { as: "json"; text: string };

export interface Parts {
  shown: Shown;
  /** The fields that the view does not show, one below the other; empty when there are none. */
  rest: string;
  /** Bytes that the log does not keep, and so nobody sees here. */
  cut: number;
}

type Seen = Omit<Parts, "cut">;

const pretty = (value: unknown) => JSON.stringify(value, null, 2);

const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\u{e0000}-\u{e007f}]/gu;

/**
 * The text with characters that are invisible, or that change the order of others, as `⟨U+202E⟩`:
 * what a person sees is what runs.
 */
export function visible(text: string): string {
  return text.replace(/\r\n/g, "\n").replace(HIDDEN, (hidden) => {
    const code = hidden.codePointAt(0) ?? 0;
    return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });
}

/** What a patch in the form of apply_patch begins with. */
const PATCH = /^\*\*\* Begin Patch$/m;

/** A word of a command line, quoted when a shell would split it. */
const quoted = (word: unknown) =>
  typeof word === "string" && /^[\w@%+=:,./-]+$/.test(word)
    ? word
    : `'${String(word).replace(/'/g, "'\\''")}'`;

/** How the log says how much of a string beside it was cut. */
const CUT = /_truncated_bytes$/;
const isCut = (key: string, value: unknown): value is number =>
  CUT.test(key) && typeof value === "number";

/** Bytes that were cut from strings of the input, at any depth. */
function cutOf(input: unknown): number {
  if (Array.isArray(input)) return input.reduce<number>((sum, one) => sum + cutOf(one), 0);
  if (!isObject(input)) return 0;
  return Object.entries(input).reduce(
    (sum, [key, value]) => sum + (isCut(key, value) ? value : cutOf(value)),
    0,
  );
}

/** The fields without those that are shown elsewhere. */
function without(input: Json, shown: readonly string[]): Json {
  const left = ([key, value]: [string, unknown]) => !shown.includes(key) && !isCut(key, value);
  return Object.fromEntries(Object.entries(input).filter(left));
}

const restText = (rest: Json) =>
  visible(
    Object.entries(rest)
      .map(([key, value]) => `${key}: ${pretty(value)}`)
      .join("\n"),
  );

/** The fields of single edits that a diff does not show, such as `replace_all`. */
function restOfEdits(edits: unknown[]): Json {
  const rest = edits.filter(isObject).map((edit) => without(edit, ["old_string", "new_string"]));
  return rest.some((one) => Object.keys(one).length > 0) ? { edits: rest } : {};
}

const isEdit = (edit: unknown) =>
  isObject(edit) &&
  typeof edit["new_string"] === "string" &&
  /^(string|undefined)$/.test(typeof edit["old_string"]);

/** A patch as it is, line by line. */
function patchLines(text: string): FileDiff {
  const rows = text.replace(/\n$/, "").split("\n");
  const names = rows.flatMap((row) => /^\*\*\* \w+ File: (.+)$/.exec(row)?.[1] ?? []);
  const lines = rows.map((row): DiffLine => {
    const sign = /^[-+ ]/.exec(row)?.[0] as "+" | "-" | " " | undefined;
    const text = visible(sign === undefined ? row : row.slice(1));
    return { sign: sign ?? "@", text, old: 0, now: 0 };
  });
  return { path: visible(names.join(", ")) || "Patch", lines, more: 0 };
}

/** Edits as a diff with all its lines; undefined for what is none, or has another form. */
function diffParts(name: string, input: unknown): Seen | undefined {
  const kind = editTool(name, input);
  const patch = /patch/i.test(name) && kind === "patch" ? patchText(input) : undefined;
  if (patch !== undefined && PATCH.test(patch)) {
    const shown: Shown = { as: "diff", files: [patchLines(patch)] };
    const holds = (value: unknown) =>
      value === patch || (Array.isArray(value) && value.includes(patch));
    if (!isObject(input)) return { shown, rest: "" };
    const key = Object.keys(input).find((key) => holds(input[key])) ?? "";
    const words = Array.isArray(input[key])
      ? { [key]: input[key].filter((word) => word !== patch) }
      : {};
    return { shown, rest: restText({ ...without(input, [key]), ...words }) };
  }
  if (!isObject(input)) return undefined;
  const edits = kind === "edit" ? [input] : kind === "multi" ? input["edits"] : undefined;
  if (!Array.isArray(edits) || !edits.every(isEdit)) return undefined;
  const files = editDiff(name, input, undefined, Infinity) ?? [];
  for (const file of files) {
    file.path = visible(file.path);
    for (const line of file.lines) line.text = visible(line.text);
  }
  const path = str(input["file_path"]) === undefined ? "path" : "file_path";
  const shownKeys = kind === "edit" ? [path, "old_string", "new_string"] : [path, "edits"];
  const rest = { ...without(input, shownKeys), ...(kind === "multi" ? restOfEdits(edits) : {}) };
  return { shown: { as: "diff", files }, rest: restText(rest) };
}

/** What is shown of a tool's input; every field of it is in one of the parts. */
export function partsOf(name: string, input: unknown): Parts {
  return { ...seenOf(name, input), cut: cutOf(input) };
}

function seenOf(name: string, input: unknown): Seen {
  if (!isObject(input)) {
    const text = input === undefined || input === null ? "" : (str(input) ?? pretty(input));
    return diffParts(name, input) ?? { shown: { as: "json", text: visible(text) }, rest: "" };
  }
  const { command, plan, content, description } = input;
  if (name === "ExitPlanMode" && typeof plan === "string") {
    return { shown: { as: "plan", text: visible(plan) }, rest: restText(without(input, ["plan"])) };
  }
  if (editTool(name, input) === "write" && typeof content === "string") {
    const key = typeof input["file_path"] === "string" ? "file_path" : "path";
    const path = visible(str(input[key]) ?? "");
    const shown: Shown = { as: "content", path, text: visible(content) };
    return { shown, rest: restText(without(input, [key, "content"])) };
  }
  const diff = diffParts(name, input);
  if (diff) return diff;
  if (typeof command === "string" || (Array.isArray(command) && command.length > 0)) {
    const line = typeof command === "string" ? command : command.map(quoted).join(" ");
    const why = typeof description === "string" ? visible(description) : undefined;
    const keys = why === undefined ? ["command"] : ["command", "description"];
    const shown: Shown = { as: "command", text: visible(line), why };
    return { shown, rest: restText(without(input, keys)) };
  }
  return { shown: { as: "json", text: visible(pretty(input)) }, rest: "" };
}

/** A file's path as a person reads it, and whether it lies outside of the run's worktrees. */
export function placeOf(
  path: string,
  roots: readonly string[],
): { path: string; outside: boolean } {
  if (/(^|\/)\.\.(\/|$)/.test(path)) return { path, outside: true };
  if (!/^[/~]/.test(path)) return { path, outside: false };
  for (const root of roots) {
    if (path.startsWith(`${root}/`)) {
      const name = roots.length > 1 ? `${root.slice(root.lastIndexOf("/") + 1)}/` : "";
      return { path: name + path.slice(root.length + 1), outside: false };
    }
  }
  return { path, outside: roots.length > 0 };
}
