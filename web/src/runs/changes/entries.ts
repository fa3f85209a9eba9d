// The changed files of all repos as one list, and as the rows of a tree.
import type { Changes, FileChange } from "@/api/client";

/** One changed file with the repo it belongs to. */
export interface Entry {
  /** Identifies the file within the run: repo, then the path as git has it. */
  key: string;
  repo: string;
  file: FileChange;
}

export interface FolderRow {
  kind: "folder";
  /** Identifies the folder; also stored when it is collapsed. */
  id: string;
  name: string;
  depth: number;
  /** Files under it. */
  count: number;
  open: boolean;
}
export interface FileRow {
  kind: "file";
  name: string;
  depth: number;
  entry: Entry;
}
export type TreeRow = FolderRow | FileRow;

/** Label and letter of a file's status. */
export const STATUS = {
  added: { letter: "A", word: "Added", colour: "text-good" },
  modified: { letter: "M", word: "Modified", colour: "text-warn" },
  deleted: { letter: "D", word: "Deleted", colour: "text-bad" },
  renamed: { letter: "R", word: "Renamed", colour: "text-busy" },
} as const;

/** All changed files in the order of the tree: folders before files, then by name. */
export function entriesOf(changes: Changes): Entry[] {
  return changes.repos.flatMap((repo) =>
    repo.files
      .map((file) => ({
        key: `${repo.repo_name}:${file.path_bytes ?? file.path}`,
        repo: repo.repo_name,
        file,
        parts: file.path.split("/"),
      }))
      .sort((a, b) => inTree(a.parts, b.parts))
      .map(({ key, repo: name, file }) => ({ key, repo: name, file })),
  );
}

function inTree(a: string[], b: string[]): number {
  for (let at = 0; ; at++) {
    const lastA = at === a.length - 1;
    const lastB = at === b.length - 1;
    const [nameA = "", nameB = ""] = [a[at], b[at]];
    if (lastA !== lastB) return lastA ? 1 : -1;
    if (nameA !== nameB) return nameA < nameB ? -1 : 1;
    if (lastA) return 0;
  }
}

/** Entries whose path, old path or repo contains all words of the filter, ignoring case. */
export function filtered(entries: Entry[], filter: string): Entry[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return entries;
  return entries.filter(({ repo, file }) => {
    const text = `${repo}/${file.path} ${file.old_path ?? ""}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

interface Folder {
  name: string;
  id: string;
  count: number;
  folders: Map<string, Folder>;
  files: FileRow["entry"][];
}
const folder = (name: string, id: string): Folder => ({
  name,
  id,
  count: 0,
  folders: new Map(),
  files: [],
});

/**
 * The rows of the tree, without the contents of collapsed folders. A chain of folders with a single
 * child is one row; repos are the first level when there are several.
 */
export function treeRows(
  entries: Entry[],
  collapsed: ReadonlySet<string>,
  severalRepos: boolean,
): TreeRow[] {
  const root = folder("", "");
  for (const entry of entries) {
    const parts = entry.file.path.split("/").slice(0, -1);
    if (severalRepos) parts.unshift(entry.repo);
    let at = root;
    for (const part of parts) {
      let next = at.folders.get(part);
      if (!next) {
        next = folder(part, `${at.id}/${part}`);
        at.folders.set(part, next);
      }
      next.count++;
      at = next;
    }
    at.files.push(entry);
  }
  const rows: TreeRow[] = [];
  const walk = (of: Folder, depth: number) => {
    for (let inner of of.folders.values()) {
      let { name } = inner;
      const isRepo = severalRepos && depth === 0;
      while (!isRepo && inner.files.length === 0 && inner.folders.size === 1) {
        const [only] = inner.folders.values();
        if (!only) break;
        inner = only;
        name += `/${inner.name}`;
      }
      const open = !collapsed.has(inner.id);
      rows.push({ kind: "folder", id: inner.id, name, depth, count: inner.count, open });
      if (open) walk(inner, depth + 1);
    }
    for (const entry of of.files) {
      const name = entry.file.path.slice(entry.file.path.lastIndexOf("/") + 1);
      rows.push({ kind: "file", name, depth, entry });
    }
  };
  walk(root, 0);
  return rows;
}

/** A short hash of a file's diff, to notice when a viewed file changes. */
export function markOf(file: FileChange): string {
  const text = file.diff || `${file.status} ${file.insertions} ${file.deletions}`;
  let [a, b] = [0xdeadbeef, 0x41c6ce57];
  for (let at = 0; at < text.length; at++) {
    const letter = text.charCodeAt(at);
    a = Math.imul(a ^ letter, 2654435761);
    b = Math.imul(b ^ letter, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return (b >>> 0).toString(36) + (a >>> 0).toString(36);
}
