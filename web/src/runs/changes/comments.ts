// Comments on lines, stored in this browser until they are sent to the agent as one message.
import type { Entry } from "./entries";

export type Side = "old" | "new";

/** Where a comment is. */
export interface Place {
  /** Key of the file, see `Entry`. */
  key: string;
  side: Side;
  /** Counted from 1. */
  line: number;
}

export interface Comment extends Place {
  id: string;
  repo: string;
  path: string;
  /** The line as it was when the comment was made. */
  code: string;
  text: string;
}

/** The server's limit for a message. */
export const MESSAGE_BYTES_MAX = 64 * 1024;
/** A longer line is quoted up to here. */
const CODE_CHARS_MAX = 500;

function isComment(value: unknown): value is Comment {
  if (typeof value !== "object" || value === null) return false;
  const at = value as Record<string, unknown>;
  return (
    ["id", "key", "repo", "path", "code", "text"].every((name) => typeof at[name] === "string") &&
    (at["side"] === "old" || at["side"] === "new") &&
    Number.isInteger(at["line"])
  );
}

/** Parses stored comments and skips what is invalid. */
export function readComments(kept: string): Comment[] {
  try {
    const all: unknown = JSON.parse(kept);
    return Array.isArray(all) ? all.filter(isComment) : [];
  } catch {
    return [];
  }
}

export const samePlace = (a: Place, b: Place) =>
  a.key === b.key && a.side === b.side && a.line === b.line;

/** A line of a file without its line break, if there is one. */
export function lineAt(entry: Entry, side: Side, line: number): string | undefined {
  const text = side === "old" ? entry.file.old_content : entry.file.new_content;
  return text?.split("\n")[line - 1]?.replace(/\r$/, "");
}

/** Control characters would act as keys in the terminal, so the server refuses them. */
function plain(text: string): string {
  return text.replace(/\r\n?/g, "\n").replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "�");
}

/**
 * One message with all comments: file, line and code of each, then the comment. Paths are as the
 * agent sees them: below its working folder, which contains the repos when there are several.
 */
export function messageOf(comments: Comment[], severalRepos: boolean): string {
  const sorted = comments.toSorted(
    (a, b) =>
      compare(a.repo, b.repo) ||
      compare(a.path, b.path) ||
      a.line - b.line ||
      compare(a.side, b.side),
  );
  const repo = sorted[0]?.repo ?? "";
  const head = severalRepos
    ? "Review comments on your changes:"
    : `Review comments on your changes in ${repo}:`;
  const each = sorted.map((comment, at) => {
    const path = severalRepos ? `${comment.repo}/${comment.path}` : comment.path;
    const line = `line ${comment.line}${comment.side === "old" ? " before your changes" : ""}`;
    const code =
      comment.code.length > CODE_CHARS_MAX
        ? `${comment.code.slice(0, CODE_CHARS_MAX)}…`
        : comment.code;
    return `${at + 1}. ${plain(path)}, ${line}:\n> ${plain(code)}\n${plain(comment.text.trim())}`;
  });
  return [head, ...each].join("\n\n");
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

export const bytesOf = (text: string) => new TextEncoder().encode(text).length;
