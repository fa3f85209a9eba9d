// What a file's patch says besides its lines, and how a long one is split.
import type { FileChange } from "@/api/client";

/** A longer diff is collapsed until the user opens it, in lines. */
export const LONG_LINES = 2000;
/** Lines per part of a long diff. */
export const PART_LINES = 400;

/** How to show a changed file. */
export interface Look {
  /** Sentences about it; all that is shown when `diff` is false. */
  notes: string[];
  /** Whether there are lines to show. */
  diff: boolean;
  /** Lines of the diff without headers. */
  lines: number;
}

const MODES: Record<string, string> = {
  "100644": "a plain file",
  "100755": "an executable file",
  "120000": "a symbolic link",
  "160000": "a submodule",
};
const mode = (octal: string) => MODES[octal] ?? `mode ${octal}`;

/** Reads the head of a patch and describes changes other than lines. */
export function look(file: FileChange): Look {
  const notes: string[] = [];
  const headEnd = file.diff.search(/^(@@ |GIT binary patch|Binary files )/m);
  const head = headEnd < 0 ? file.diff : file.diff.slice(0, headEnd);
  const old = /^old mode (\d+)$/m.exec(head)?.[1];
  const now = /^(?:new mode|new file mode|deleted file mode) (\d+)$/m.exec(head)?.[1];
  const kept = /^index \S+ (\d+)$/m.exec(head)?.[1];
  const kind = now ?? kept;
  if (old !== undefined && now !== undefined)
    notes.push(`Changed from ${mode(old)} to ${mode(now)}.`);
  else if (kind === "120000") notes.push("A symbolic link; its text is its target.");
  else if (kind === "160000") notes.push("A submodule; its text is its commit.");
  else if (now === "100755" && file.status === "added") notes.push("An executable file.");
  if (file.path_bytes != null || file.old_path_bytes != null)
    notes.push("Its name is not valid UTF-8; unreadable bytes are shown as �.");
  if (file.binary) notes.push("A binary file; no lines to show.");
  else if (file.truncated)
    notes.push(
      "Larger than 1 MiB before or after, so its contents are not shown here. Open it in the worktree.",
    );
  const lines = file.insertions + file.deletions;
  const hunks = !file.binary && !file.truncated && headEnd >= 0;
  if (!hunks && !file.binary && !file.truncated) {
    if (file.status === "renamed") notes.push("Renamed with no change to its contents.");
    else if (file.status === "added") notes.push("An empty file.");
    else if (file.status === "deleted") notes.push("It was empty.");
    else if (notes.length === 0) notes.push("No lines changed.");
  }
  return { notes, diff: hunks, lines: hunks ? shownLines(file.diff, headEnd) : lines };
}

function shownLines(diff: string, from: number): number {
  let lines = 0;
  for (let at = from; at >= 0 && at < diff.length; lines++) {
    const end = diff.indexOf("\n", at);
    if (end < 0) return lines + 1;
    at = end + 1;
  }
  return lines;
}

const HUNK = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/;

/** Splits a patch into patches of at most `size` lines, each with correct hunk headers. */
export function partsOf(diff: string, size = PART_LINES): string[] {
  const lines = diff.endsWith("\n") ? diff.slice(0, -1).split("\n") : diff.split("\n");
  const first = lines.findIndex((line) => HUNK.test(line));
  if (first < 0) return [diff];
  const head = lines.slice(0, first);
  const parts: string[] = [];
  let hunks: string[] = []; // of the part
  let body: string[] = []; // of the hunk
  let [oldAt, newAt, oldCount, newCount] = [0, 0, 0, 0];
  let taken = 0;
  const closeHunk = () => {
    if (body.length === 0) return;
    // A side without lines names the line before it, as git does.
    const oldFrom = oldCount === 0 ? Math.max(0, oldAt - 1) : oldAt;
    const newFrom = newCount === 0 ? Math.max(0, newAt - 1) : newAt;
    hunks.push(`@@ -${oldFrom},${oldCount} +${newFrom},${newCount} @@`, ...body);
    [oldAt, newAt, oldCount, newCount] = [oldAt + oldCount, newAt + newCount, 0, 0];
    body = [];
  };
  const closePart = () => {
    closeHunk();
    if (hunks.length > 0) parts.push([...head, ...hunks, ""].join("\n"));
    hunks = [];
    taken = 0;
  };
  for (const line of lines.slice(first)) {
    const start = HUNK.exec(line);
    if (start) {
      closeHunk();
      [oldAt, newAt] = [Number(start[1]), Number(start[2])];
      if (/^@@ -\d+,0 /.test(line)) oldAt += 1;
      if (/ \+\d+,0 @@/.test(line)) newAt += 1;
      continue;
    }
    // "\ No newline at end of file" belongs to the line before it.
    if (taken >= size && !line.startsWith("\\")) closePart();
    body.push(line);
    taken++;
    if (line.startsWith("-")) oldCount++;
    else if (line.startsWith("+")) newCount++;
    else if (!line.startsWith("\\")) {
      oldCount++;
      newCount++;
    }
  }
  closePart();
  return parts;
}
