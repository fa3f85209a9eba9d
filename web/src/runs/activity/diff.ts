// Small diffs of edits, from the tool call or its response. Pure.
import { diffArrays } from "diff";
import { editTool, isObject, patchText, str } from "./essence";

export interface DiffLine {
  sign: " " | "+" | "-" | "@";
  text: string;
  /** Line number before and after; 0 while unknown. */
  old: number;
  now: number;
}

export interface FileDiff {
  path: string;
  lines: DiffLine[];
  /** Omitted lines. */
  more: number;
}

/** Most lines shown of one edit. */
const LINES_MAX = 400;
/** Most changed lines for which the shortest diff is computed. */
const CHANGES_MAX = 500;

function split(text: string): string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** The diff of two texts: the shortest one when it is small. */
export function lineDiff(before: string, after: string): DiffLine[] {
  const [a, b] = [split(before), split(after)];
  const lines = (sign: DiffLine["sign"], texts: string[]): DiffLine[] =>
    texts.map((text) => ({ sign, text, old: 0, now: 0 }));
  const parts = diffArrays(a, b, { maxEditLength: CHANGES_MAX });
  if (parts === undefined) return [...lines("-", a), ...lines("+", b)];
  return parts.flatMap(({ added, removed, value }) =>
    lines(added ? "+" : removed ? "-" : " ", value),
  );
}

function file(path: string, lines: DiffLine[], most: number): FileDiff {
  return { path, lines: lines.slice(0, most), more: Math.max(0, lines.length - most) };
}

/** Claude's `structuredPatch`: hunks with line numbers. */
function hunks(patch: unknown[]): DiffLine[] {
  const lines: DiffLine[] = [];
  for (const hunk of patch) {
    if (!isObject(hunk) || !Array.isArray(hunk["lines"])) continue;
    let old = Number(hunk["oldStart"] ?? 0);
    let now = Number(hunk["newStart"] ?? 0);
    if (lines.length > 0) lines.push({ sign: "@", text: "", old: 0, now: 0 });
    for (const row of hunk["lines"]) {
      if (typeof row !== "string" || row.startsWith("\\")) continue;
      const sign = row.startsWith("+") ? "+" : row.startsWith("-") ? "-" : " ";
      lines.push({
        sign,
        text: row.slice(1),
        old: sign === "+" ? 0 : old++,
        now: sign === "-" ? 0 : now++,
      });
    }
  }
  return lines;
}

/** Codex's patch: files with hunks that have no numbers. */
function patched(text: string, most: number): FileDiff[] {
  const files: FileDiff[] = [];
  let path = "";
  let lines: DiffLine[] = [];
  const end = () => {
    if (path !== "") files.push(file(path, lines, most));
    lines = [];
  };
  for (const row of text.split("\n")) {
    const opened = /^\*\*\* (?:Add|Update|Delete) File: (.+)$/.exec(row)?.[1];
    if (opened !== undefined) {
      end();
      path = opened;
    } else if (row.startsWith("***") || path === "") {
      const moved = /^\*\*\* Move to: (.+)$/.exec(row)?.[1];
      if (moved !== undefined) path = `${path} → ${moved}`;
      if (row.startsWith("*** End Patch")) {
        end();
        path = "";
      }
    } else if (row.startsWith("@@")) {
      lines.push({ sign: "@", text: row.slice(2).trim(), old: 0, now: 0 });
    } else {
      const sign = row.startsWith("+") ? "+" : row.startsWith("-") ? "-" : " ";
      lines.push({ sign, text: row.slice(1), old: 0, now: 0 });
    }
  }
  end();
  return files;
}

/** What an edit changes, `most` lines of a file; nothing for calls that are not a known edit. */
export function editDiff(
  name: string,
  input: unknown,
  response: unknown,
  most = LINES_MAX,
): FileDiff[] | undefined {
  const kind = editTool(name, input);
  if (kind === undefined) return undefined;
  if (kind === "patch") return patched(patchText(input) ?? "", most);
  const at = isObject(input) ? input : {};
  const path = str(at["file_path"]) ?? str(at["path"]) ?? "";
  const patch = isObject(response) ? response["structuredPatch"] : undefined;
  if (Array.isArray(patch) && patch.length > 0) return [file(path, hunks(patch), most)];
  if (kind === "write") return [file(path, lineDiff("", str(at["content"]) ?? ""), most)];
  const edits = kind === "multi" ? (at["edits"] as unknown[]) : [at];
  const lines: DiffLine[] = [];
  for (const edit of edits) {
    if (!isObject(edit)) continue;
    if (lines.length > 0) lines.push({ sign: "@", text: "", old: 0, now: 0 });
    lines.push(...lineDiff(str(edit["old_string"]) ?? "", str(edit["new_string"]) ?? ""));
  }
  return [file(path, lines, most)];
}
