import { Link } from "@tanstack/react-router";
import {
  Check,
  ExternalLink,
  GitBranch,
  GitCommitHorizontal,
  GitPullRequest,
  MoreHorizontal,
  TriangleAlert,
  Undo2,
  Upload,
  X,
} from "lucide-react";
import { useState, type ComponentType } from "react";
import type { Run } from "@/api/client";
import { Button } from "@/ui/button";
import { Menu } from "@/ui/menu";
import { Age } from "@/ui/time";
import { Tip } from "@/ui/tip";
import type { ShipCalls } from "./calls";
import { dropResult, useResults, type Result } from "./results";
import type { Can } from "./ship";
import {
  CommitDialog,
  PullRequestDialog,
  RenameDialog,
  RevertDialog,
  type DialogProps,
} from "./ship-dialogs";

const DIALOGS = {
  commit: CommitDialog,
  pullRequest: PullRequestDialog,
  rename: RenameDialog,
  revert: RevertDialog,
} satisfies Record<string, ComponentType<DialogProps>>;

/** Whether a filter has to be allowed first. */
const needsFilter = ({ error, lines }: Result) =>
  [error ?? "", ...lines.map((line) => line.text)].some((text) => text.includes("trusted_filters"));

function ResultLine({ run, result }: { run: Run; result: Result }) {
  const [busy, setBusy] = useState(false);
  return (
    <li className="flex items-start gap-2 px-3 py-1">
      <span className="w-24 shrink-0 font-medium">{result.what}</span>
      <ul className="min-w-0 flex-1">
        {result.error !== undefined && (
          <li role="alert" className="flex items-start gap-1.5 text-bad">
            <TriangleAlert size={14} className="mt-0.5 shrink-0" aria-label="Failed" />
            <span className="min-w-0 break-words whitespace-pre-wrap">{result.error}</span>
          </li>
        )}
        {result.lines.map(({ repo, ok, text, url }) => (
          <li key={repo} className="flex items-start gap-1.5">
            {ok ? (
              <Check size={14} className="mt-0.5 shrink-0 text-good" aria-label="Done" />
            ) : (
              <TriangleAlert size={14} className="mt-0.5 shrink-0 text-bad" aria-label="Failed" />
            )}
            <span className="min-w-0 break-words">
              <span className="font-medium">{repo}</span>{" "}
              {url === undefined ? (
                <span className={ok ? "text-muted" : "text-bad"}>{text}</span>
              ) : (
                <a
                  href={url}
                  target="_blank"
                  rel="noreferrer"
                  className="inline-flex items-center gap-1 text-accent underline"
                >
                  {text} <ExternalLink size={12} aria-hidden />
                </a>
              )}
            </span>
          </li>
        ))}
        {needsFilter(result) && (
          <li>
            <Link
              to="/projects/$projectId/$tab"
              params={{ projectId: run.project_id, tab: "repos" }}
              className="text-accent underline"
            >
              Allow the filter in the project's settings
            </Link>
          </li>
        )}
      </ul>
      {result.error !== undefined && result.retry && (
        <Button
          className="!h-6"
          busy={busy}
          onClick={() => {
            setBusy(true);
            result.retry?.();
          }}
        >
          Try again
        </Button>
      )}
      <Age time={result.at} className="shrink-0 text-xs text-muted" />
      <Button
        kind="quiet"
        className="!h-6 !w-6"
        icon={<X size={13} />}
        aria-label={`Dismiss: ${result.what}`}
        onClick={() => dropResult(run.id, result.id)}
      />
    </li>
  );
}

/** Commit, push, pull request, accept, revert: what is possible now, and the results. */
export function ShipBar({ run, can, calls }: { run: Run; can: Can; calls: ShipCalls }) {
  const [dialog, setDialog] = useState<keyof typeof DIALOGS | null>(null);
  const [busy, setBusy] = useState<"push" | "accept" | null>(null);
  const results = useResults(run.id);
  const Asking = dialog && DIALOGS[dialog];
  const doing = (what: "push" | "accept") => {
    setBusy(what);
    void calls[what]().finally(() => setBusy(null));
  };
  return (
    <section aria-label="Ship" className="border-b">
      <div className="flex flex-wrap items-center gap-1.5 px-3 py-1.5">
        {can.commit && (
          <Button
            kind="primary"
            icon={<GitCommitHorizontal size={15} />}
            onClick={() => setDialog("commit")}
          >
            Commit…
          </Button>
        )}
        {can.push && (
          <Tip text={`Push ${run.run_branch}(never forced)`}>
            <Button
              icon={<Upload size={14} />}
              busy={busy === "push"}
              onClick={() => doing("push")}
            >
              Push
            </Button>
          </Tip>
        )}
        {can.propose && (
          <>
            <Button icon={<GitPullRequest size={14} />} onClick={() => setDialog("pullRequest")}>
              Pull request…
            </Button>
            <Tip text="Push, and mark the work as accepted">
              <Button
                icon={<Check size={14} />}
                busy={busy === "accept"}
                onClick={() => doing("accept")}
              >
                Accept
              </Button>
            </Tip>
          </>
        )}
        {can.revert && (
          <Button kind="danger" icon={<Undo2 size={14} />} onClick={() => setDialog("revert")}>
            Revert…
          </Button>
        )}
        <span className="ml-auto flex min-w-0 items-center gap-2 text-xs text-muted max-md:hidden">
          {run.work === "shipped" && (
            <span className="inline-flex items-center gap-1 text-good">
              <Check size={13} aria-hidden /> Shipped
            </span>
          )}
          <span className="inline-flex min-w-0 items-center gap-1">
            <GitBranch size={13} className="shrink-0" aria-hidden />
            <span className="truncate font-mono">{run.run_branch}</span>
          </span>
        </span>
        <Menu
          items={[
            {
              label: "Rename branch…",
              icon: <GitBranch size={14} />,
              onSelect: () => setDialog("rename"),
            },
          ]}
        >
          <Button
            kind="quiet"
            icon={<MoreHorizontal size={16} />}
            aria-label="More branch actions"
          />
        </Menu>
      </div>
      {can.worktreeGone && (
        <p className="border-t bg-warn-soft px-3 py-1.5">
          The worktree no longer exists. This is what the branch and the last checkpoint contain;
          continuing the run recreates the worktree.
        </p>
      )}
      {results.length > 0 && (
        <ol
          aria-label="Results"
          aria-live="polite"
          className="max-h-40 overflow-y-auto border-t bg-sunken py-1"
        >
          {results.map((result) => (
            <ResultLine key={result.id} run={run} result={result} />
          ))}
        </ol>
      )}
      {Asking && <Asking run={run} calls={calls} onClose={() => setDialog(null)} />}
    </section>
  );
}
