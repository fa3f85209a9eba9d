// How far branches are ahead and behind, as comparable bars.
import type { Branch } from "@/api/client";

/**
 * The length of a bar in per cent of the longest. The scale is logarithmic, so that one commit is
 * visible beside a thousand.
 */
export function barLength(commits: number, most: number): number {
  if (commits <= 0 || most <= 0) return 0;
  return Math.max(8, Math.round((100 * Math.log2(1 + commits)) / Math.log2(1 + most)));
}

/** The most commits that any branch is ahead or behind. */
export function mostCommits(branches: readonly Branch[]): number {
  return Math.max(0, ...branches.flatMap((branch) => [branch.ahead, branch.behind]));
}

/** The branch compared with its upstream, in words. */
export function upstreamWords(branch: Pick<Branch, "upstream" | "unpushed">): string {
  if (branch.upstream === null) return "never pushed";
  if (branch.unpushed === null || branch.unpushed === 0) return `all on ${branch.upstream}`;
  return `${branch.unpushed} not on ${branch.upstream}`;
}

/** Whether the branch's names contain each word of the filter. */
export function branchMatches(branch: Branch, filter: string): boolean {
  const text = `${branch.repo_name} ${branch.name} ${branch.subject}`.toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** Branches of the same repo that this one can be merged into or rebased onto. */
export function targets(branches: readonly Branch[], branch: Branch): Branch[] {
  return branches
    .filter((other) => other.repo_id === branch.repo_id && other.name !== branch.name)
    .sort((a, b) => Number(b.is_default) - Number(a.is_default) || a.name.localeCompare(b.name));
}
