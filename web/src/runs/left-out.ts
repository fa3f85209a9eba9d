// Paths that no checkpoint can hold, in words.
import { CallError, type LeftOut } from "@/api/client";

/** Most paths that a sentence names. */
const NAMED_MAX = 3;

/**
 * The paths that the server cannot save, one per line, when it refused for that reason; with
 * `force` it proceeds without them. Undefined for other errors.
 */
export function notKept(error: unknown): string[] | undefined {
  if (!(error instanceof CallError) || error.code !== "work_not_kept") return undefined;
  const lines = error.message.split("\n").filter((line) => line.startsWith("- "));
  return lines.map((line) => line.slice(2));
}

/** A path, with its repo when there are several. */
export const pathOf = (left: LeftOut, severalRepos: boolean): string =>
  severalRepos ? `${left.repo_name}: ${left.path}` : left.path;

/** What was not saved, as the end of a message; empty when everything was. */
export function withoutWords(all: LeftOut[], severalRepos: boolean): string {
  if (all.length === 0) return "";
  const named = all.slice(0, NAMED_MAX).map((left) => pathOf(left, severalRepos));
  const more = all.length - named.length;
  if (more > 0) named.push(`${more} more`);
  return `, without ${named.join(", ")}`;
}
