// Files of several attempts, one row per file.
import type { Changes, FileChange } from "@/api/client";

export interface FileRow {
  repo: string;
  path: string;
  /** One per attempt, in their order; undefined where the file is unchanged. */
  files: (FileChange | undefined)[];
}

/**
 * One row per file that any attempt changed, by repo and path; changes not loaded yet count as
 * empty.
 */
export function fileRows(changes: readonly (Changes | undefined)[]): FileRow[] {
  const rows = new Map<string, FileRow>();
  changes.forEach((change, at) => {
    for (const { repo_name: repo, files } of change?.repos ?? []) {
      for (const file of files) {
        const key = `${repo}\0${file.path}`;
        const row = rows.get(key) ?? { repo, path: file.path, files: changes.map(() => undefined) };
        row.files[at] = file;
        rows.set(key, row);
      }
    }
  });
  return [...rows.values()].sort(
    (a, b) => a.repo.localeCompare(b.repo) || a.path.localeCompare(b.path),
  );
}

/** Whether all attempts made the same change to the file. */
export function sameInAll(row: FileRow): boolean {
  const [first, ...others] = row.files;
  return (
    first !== undefined &&
    !first.truncated &&
    !first.binary &&
    others.every((other) => other !== undefined && other.diff === first.diff)
  );
}

export type LineKind = "added" | "removed" | "hunk" | "head" | "plain";

/** The lines of a unified diff with their kind. Lines before the first hunk are its head. */
export function diffLines(diff: string): { kind: LineKind; text: string }[] {
  let inHunk = false;
  return diff
    .replace(/\n$/, "")
    .split("\n")
    .map((text) => {
      if (text.startsWith("diff --git ")) inHunk = false;
      if (text.startsWith("@@")) {
        inHunk = true;
        return { kind: "hunk", text };
      }
      if (!inHunk) return { kind: "head", text };
      if (text.startsWith("+")) return { kind: "added", text };
      return { kind: text.startsWith("-") ? "removed" : "plain", text };
    });
}
