// What can be shipped now, and results in words, one line per repo.
import type { Branch, Run, Schemas } from "@/api/client";
import { firstLine } from "@/lib/format";

/** Longest suggested first line of a commit message, as git recommends. */
const SUBJECT_CHARS_MAX = 72;

/** A commit message from the task: its first line, cut at a word. */
export function suggestedMessage(task: string): string {
  const line = firstLine(task).trim();
  if (line.length <= SUBJECT_CHARS_MAX) return line;
  const cut = line.slice(0, SUBJECT_CHARS_MAX);
  const space = cut.lastIndexOf(" ");
  return `${space > 40 ? cut.slice(0, space) : cut.slice(0, -1)}…`;
}

/** The result in one repo. */
export interface RepoResult {
  repo: string;
  ok: boolean;
  text: string;
  /** A page of the forge. */
  url?: string;
}

export const committedLines = (all: Schemas["CommittedView"][]): RepoResult[] =>
  all.map(({ repo_name: repo, branch, commit, error }) =>
    commit
      ? { repo, ok: true, text: `${commit.slice(0, 10)} on ${branch}` }
      : { repo, ok: false, text: error ?? "not committed" },
  );

export const pushedLines = (all: Schemas["PushedView"][]): RepoResult[] =>
  all.map(({ repo_name: repo, branch, remote_branch: there, remote_url, pushed, error }) =>
    pushed
      ? {
          repo,
          ok: true,
          text: `${branch} pushed to ${there && there !== branch ? `${there} at ` : ""}${remote_url ?? "its remote"}`,
        }
      : { repo, ok: false, text: error ?? "not pushed" },
  );

export const pullRequestLines = (all: Schemas["PullRequestView"][]): RepoResult[] =>
  all.map(({ repo_name: repo, number, url, error }) =>
    url && /^https?:\/\//.test(url)
      ? { repo, ok: true, text: `Pull request #${number ?? ""}`, url }
      : { repo, ok: false, text: error ?? "not opened" },
  );

/** What is possible now. */
export interface Can {
  commit: boolean;
  push: boolean;
  /** Pull request and accept need commits. */
  propose: boolean;
  revert: boolean;
  /** Revert and restore need the run to be paused first. */
  pauseFirst: boolean;
  worktreeGone: boolean;
}

interface Facts {
  run: Pick<Run, "status" | "repos" | "process">;
  /** Branches of the project; nothing while they are not known. */
  branches: Branch[] | undefined;
  filesChanged: number;
  /** Paths that cannot be read: a revert may bring back what was there. */
  leftOut: number;
  /** A worktree has uncommitted changes. */
  uncommitted: boolean;
}

export function canShip({ run, branches, filesChanged, leftOut, uncommitted }: Facts): Can {
  const own = run.repos.map((repo) => ({
    base: repo.base_commit,
    branch: branches?.find((at) => at.repo_id === repo.repo_id && at.name === repo.branch),
  }));
  const known = branches !== undefined && own.some(({ branch }) => branch);
  const ahead = own.filter(({ base, branch }) => branch && branch.commit !== base);
  const unpushed = ahead.some(({ branch }) => !branch?.pushed || (branch.unpushed ?? 1) > 0);
  const working = run.status === "queued" || run.status === "running";
  const worktrees = run.repos.length > 0 && run.repos.every((repo) => repo.worktree !== null);
  return {
    commit: worktrees && uncommitted,
    push: known ? unpushed : filesChanged > 0,
    propose: known ? ahead.length > 0 : filesChanged > 0,
    revert: worktrees && !working && (filesChanged > 0 || leftOut > 0 || ahead.length > 0),
    pauseFirst: working && worktrees,
    worktreeGone: !worktrees && run.status !== "queued",
  };
}

type Checkpoint = Pick<Schemas["CheckpointView"], "number" | "reason">;

const REASONS: Record<string, string> = {
  pause: "Paused",
  cancel: "Cancelled",
  revert: "Before revert",
  restore: "Before restore",
};

/** The name of each checkpoint: turns are numbered, others say why they were taken. */
export function checkpointNames(all: Checkpoint[]): Map<number, string> {
  let turns = 0;
  return new Map(
    all.map(({ number, reason }) => [
      number,
      reason === "stop" ? `Turn ${++turns}` : (REASONS[reason] ?? reason),
    ]),
  );
}

/** The checkpoint that an action took first: the newest with its reason, newer than `after`. */
export function takenBefore(
  all: Checkpoint[],
  reason: "revert" | "restore",
  after: number,
): number | undefined {
  return all.findLast((at) => at.reason === reason && at.number > after)?.number;
}
