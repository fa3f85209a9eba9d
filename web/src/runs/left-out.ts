// Paths that no checkpoint can hold, in words.
import { CallError, type LeftOut } from "@/api/client";

/** Paths that a sentence names. */
const NAMED_MAX = 3;

/**
 * What the server cannot keep, a line each, when that is why it refused: it goes on when it is told
 * to go on without these. Nothing for other errors.
 */
export function notKept(error: unknown): string[] | undefined {
  if (!(error instanceof CallError) || error.code !== "work_not_kept") return undefined;
  const lines = error.message.split("\n").filter((line) => line.startsWith("- "));
  return lines.map((line) => line.slice(2));
}

/** One of them with its repo, when there are several. */
export const pathOf = (left: LeftOut, severalRepos: boolean): string =>
  severalRepos ? `${left.repo_name}: ${left.path}` : left.path;

/** What was not kept, as the end of a message; nothing when all was. */
export function withoutWords(all: LeftOut[], severalRepos: boolean): string {
  if (all.length === 0) return "";
  const named = all.slice(0, NAMED_MAX).map((left) => pathOf(left, severalRepos));
  const more = all.length - named.length;
  if (more > 0) named.push(`${more} more`);
  return `, without ${named.join(", ")}`;
}
