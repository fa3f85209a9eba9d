// A tool call in one line: what it acts on, and how many lines it changes.

/** Longest essence of a row, in UTF-16 units. */
export const ESSENCE_MAX = 120;
/** Characters of a text that are searched for its first line. */
const LOOKED_AT = 600;

export type Json = Record<string, unknown>;

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function str(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** The first non-blank line, with runs of blanks collapsed, cut to `ESSENCE_MAX`. */
export function oneLine(text: string): string {
  const start = text.slice(0, LOOKED_AT).trimStart();
  const line = (start.split("\n", 1)[0] ?? "").replace(/\s+/g, " ").trimEnd();
  const more = line.length < start.trimEnd().length || text.length > LOOKED_AT;
  if (line.length < ESSENCE_MAX) return more && line !== "" ? `${line} …` : line;
  // Not in the middle of a surrogate pair.
  const end = /[\uD800-\uDBFF]$/.test(line.slice(0, ESSENCE_MAX - 2)) ? 3 : 2;
  return `${line.slice(0, ESSENCE_MAX - end)} …`;
}

/** A path without its worktree. */
export function shortPath(path: string, roots: readonly string[]): string {
  for (const root of roots) {
    if (path.startsWith(`${root}/`)) {
      const name = roots.length > 1 ? `${root.slice(root.lastIndexOf("/") + 1)}/` : "";
      return name + path.slice(root.length + 1);
    }
  }
  return path.replace(/^.*\/worktrees\/[0-9a-f-]{36}\/[^/]+\//, "");
}

export interface LineCount {
  add: number;
  del: number;
}

function lines(text: string): string[] {
  if (text === "") return [];
  const split = text.split("\n");
  if (split.at(-1) === "") split.pop();
  return split;
}

/** Lines that differ when the common start and end are left out. */
export function changedLines(before: string, after: string): LineCount {
  const a = lines(before);
  const b = lines(after);
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (
    end < a.length - start &&
    end < b.length - start &&
    a[a.length - 1 - end] === b[b.length - 1 - end]
  ) {
    end++;
  }
  return { add: b.length - start - end, del: a.length - start - end };
}

/** Counts the `+` and `-` lines of a patch, or of Claude's `structuredPatch`. */
function patchLines(rows: readonly unknown[]): LineCount {
  const count = { add: 0, del: 0 };
  for (const row of rows) {
    if (typeof row !== "string") continue;
    if (row.startsWith("+")) count.add++;
    else if (row.startsWith("-")) count.del++;
  }
  return count;
}

/** The text of Codex's apply_patch, wherever the input has it. */
export function patchText(input: unknown): string | undefined {
  if (typeof input === "string") return input;
  if (!isObject(input)) return undefined;
  for (const key of ["command", "input", "patch"]) {
    const text = input[key];
    if (typeof text === "string" && text.includes("*** Begin Patch")) return text;
    if (Array.isArray(text)) {
      const part = text.find((word) => typeof word === "string" && word.includes("*** Begin"));
      if (typeof part === "string") return part;
    }
  }
  return undefined;
}

const PATCHED = /^\*\*\* (?:Add|Update|Delete) File: (.+)$/gm;

/** Kinds of tools that change files. */
export type EditTool = "edit" | "write" | "multi" | "patch";
export function editTool(name: string, input: unknown): EditTool | undefined {
  const at = isObject(input) ? input : {};
  switch (name) {
    case "Edit":
    case "edit":
    case "replace":
      return typeof at["new_string"] === "string" ? "edit" : undefined;
    case "Write":
    case "write_file":
      return typeof at["content"] === "string" ? "write" : undefined;
    case "MultiEdit":
      return Array.isArray(at["edits"]) ? "multi" : undefined;
    default:
      return name === "apply_patch" || name === "ApplyPatch" || patchText(input)
        ? patchText(input) === undefined
          ? undefined
          : "patch"
        : undefined;
  }
}

/** The size of an edit, by its input. */
export function inputLines(name: string, input: unknown): LineCount | undefined {
  const at = isObject(input) ? input : {};
  switch (editTool(name, input)) {
    case "edit":
      return changedLines(str(at["old_string"]) ?? "", str(at["new_string"]) ?? "");
    case "write":
      return { add: lines(str(at["content"]) ?? "").length, del: 0 };
    case "multi": {
      const sum = { add: 0, del: 0 };
      for (const edit of at["edits"] as unknown[]) {
        if (!isObject(edit)) continue;
        const one = changedLines(str(edit["old_string"]) ?? "", str(edit["new_string"]) ?? "");
        sum.add += one.add;
        sum.del += one.del;
      }
      return sum;
    }
    case "patch":
      return patchLines((patchText(input) ?? "").split("\n"));
    case undefined:
      return undefined;
  }
}

/** The exact size, from the response of Claude's edit tools. */
export function answeredLines(response: unknown): LineCount | undefined {
  if (!isObject(response) || !Array.isArray(response["structuredPatch"])) return undefined;
  const hunks = response["structuredPatch"].filter(isObject);
  if (hunks.length === 0) return undefined; // a new file: the input has it
  return patchLines(hunks.flatMap((hunk) => (Array.isArray(hunk["lines"]) ? hunk["lines"] : [])));
}

/** Whether a tool's response reports a failure that its event does not. */
export function answeredFailure(response: unknown): boolean {
  if (isObject(response)) {
    return (
      response["is_error"] === true ||
      response["isError"] === true ||
      response["interrupted"] === true ||
      (typeof response["exit_code"] === "number" && response["exit_code"] !== 0)
    );
  }
  if (typeof response !== "string") return false;
  const code = /^Exit code: (-?\d+)/.exec(response)?.[1];
  return code !== undefined && code !== "0";
}

/** `mcp__server__tool` is shown as `server · tool`. */
export function toolLabel(name: string): string {
  const parts = /^mcp__(.+?)__(.+)$/.exec(name);
  return parts ? `${parts[1]} · ${parts[2]}` : name;
}

/** Keys that describe an input best, the best first. */
const TELLING = ["command", "cmd", "file_path", "notebook_path", "path", "pattern", "query", "url"];
const PATHS = new Set(["file_path", "notebook_path", "path"]);
const SAID = ["description", "subject", "title", "prompt", "message", "text", "skill"];

function todos(items: unknown[]): string {
  const done = items.filter((item) => isObject(item) && item["status"] === "completed").length;
  return `${items.length} tasks, ${done} done`;
}

/** What a call acts on, in one line. */
export function toolEssence(name: string, input: unknown, roots: readonly string[]): string {
  if (!isObject(input)) {
    return input === null || input === undefined
      ? ""
      : oneLine(str(input) ?? JSON.stringify(input));
  }
  const patch = editTool(name, input) === "patch" ? patchText(input) : undefined;
  if (patch !== undefined) {
    const files = Array.from(patch.matchAll(PATCHED), (file) => shortPath(file[1] ?? "", roots));
    return oneLine(files.join(", "));
  }
  if (Array.isArray(input["todos"])) return todos(input["todos"]);
  if (Array.isArray(input["plan"])) return todos(input["plan"]);
  if (name === "TaskUpdate") {
    const to = str(input["status"]) ?? str(input["subject"]) ?? "";
    return oneLine(`#${str(input["taskId"]) ?? "?"} → ${to.replace("_", " ")}`);
  }
  if (name === "Agent" || name === "Task") {
    return oneLine(str(input["description"]) ?? str(input["prompt"]) ?? "");
  }
  const questions = input["questions"];
  if (Array.isArray(questions) && isObject(questions[0])) {
    return oneLine(str(questions[0]["question"]) ?? "");
  }
  for (const key of [...TELLING, ...SAID]) {
    const value = input[key];
    if (Array.isArray(value) && key === "command") return oneLine(value.join(" "));
    if (typeof value !== "string" || value === "") continue;
    const shown = PATHS.has(key) ? shortPath(value, roots) : value;
    const within = key === "pattern" ? str(input["path"]) : undefined;
    return oneLine(within === undefined ? shown : `${shown} in ${shortPath(within, roots)}`);
  }
  const first = Object.values(input).find((value) => typeof value === "string" && value !== "");
  if (typeof first === "string") return oneLine(first);
  return Object.keys(input).length === 0 ? "" : oneLine(JSON.stringify(input));
}
