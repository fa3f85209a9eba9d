import { Link } from "@tanstack/react-router";
import { clsx } from "clsx";
import { ExternalLink, GitMerge, GitPullRequestArrow, MoreHorizontal, Trash2 } from "lucide-react";
import type { ReactNode } from "react";
import type { Branch, Schemas } from "@/api/client";
import { Button } from "@/ui/button";
import { Menu } from "@/ui/menu";
import { Age } from "@/ui/time";
import { barLength, upstreamWords } from "./bars";
import type { Doing } from "./dialogs";

function Mark({ children, title }: { children: ReactNode; title: string }) {
  return (
    <span
      title={title}
      className="rounded border border-line-strong px-1 text-xs whitespace-nowrap text-muted"
    >
      {children}
    </span>
  );
}

/** Behind to the left of the middle, ahead to the right. */
function Bars({ branch, most }: { branch: Branch; most: number }) {
  if (branch.base === null)
    return <span className="block text-muted md:w-34 md:text-center">—</span>;
  const side = (commits: number, className: string, start: boolean) => (
    <span className={clsx("flex w-16 items-center gap-1", start ? "flex-row-reverse" : "")}>
      <span
        aria-hidden
        className={clsx("h-1.5 rounded-sm", className)}
        style={{ width: `${barLength(commits, most) * 0.6}%` }}
      />
      <span className="text-xs">{commits}</span>
    </span>
  );
  return (
    <span
      className="flex items-center"
      title={`${branch.behind} behind, ${branch.ahead} ahead of ${branch.base}`}
    >
      <span className="sr-only">behind </span>
      {side(branch.behind, "bg-warn", true)}
      <span aria-hidden className="mx-1 h-3 w-px bg-line-strong" />
      <span className="sr-only">ahead </span>
      {side(branch.ahead, "bg-good", false)}
    </span>
  );
}

const CHECKS = { none: "", pending: "○ checks running", success: "✓ checks", failure: "✗ checks" };

function PullRequest({ pr }: { pr: Schemas["PrStatusView"] }) {
  return (
    <a
      href={pr.url}
      target="_blank"
      rel="noreferrer"
      title={pr.title}
      className="inline-flex items-center gap-1 text-xs text-accent hover:underline"
    >
      #{pr.number} {pr.state} {CHECKS[pr.checks]}
      <ExternalLink size={11} aria-hidden />
      <span className="sr-only">(opens in a new tab)</span>
    </a>
  );
}

interface Props {
  branch: Branch;
  most: number;
  pr: Schemas["PrStatusView"] | undefined;
  alone: boolean;
  onDo: (doing: Doing) => void;
}

export function BranchRow({ branch, most, pr, alone, onDo }: Props) {
  const unpushed = upstreamWords(branch);
  const run = branch.run_id && (
    <Link
      to="/runs/$runId/$tab"
      params={{ runId: branch.run_id, tab: "changes" }}
      className="text-accent underline"
    >
      its run
    </Link>
  );
  return (
    <tr className="border-b align-top hover:bg-hover">
      <th scope="row" className="max-w-0 py-2 pr-2 pl-3 text-left font-normal md:w-[45%]">
        <span className="flex flex-wrap items-baseline gap-1.5">
          <span className="font-mono text-xs font-semibold break-all">{branch.name}</span>
          {branch.is_default && <Mark title="Default branch">default</Mark>}
          {branch.is_head && <Mark title="Checked out in your repository">HEAD</Mark>}
          {pr && <PullRequest pr={pr} />}
        </span>
        <span className="block truncate text-muted" title={branch.subject}>
          {!alone && `${branch.repo_name} · `}
          <Age time={branch.committed_at} /> · {branch.subject}
        </span>
        <span className="mt-0.5 flex flex-wrap items-center gap-x-3 text-xs text-muted md:hidden">
          <Bars branch={branch} most={most} />
          <span>{unpushed}</span>
          {run}
        </span>
      </th>
      <td className="px-2 py-2 max-md:hidden">
        <Bars branch={branch} most={most} />
      </td>
      <td
        className={clsx(
          "px-2 py-2 max-md:hidden",
          branch.unpushed ? "text-warn" : branch.pushed ? "" : "text-muted",
        )}
      >
        {unpushed}
      </td>
      <td className="px-2 py-2 max-md:hidden">{run || <span className="text-muted">—</span>}</td>
      <td className="max-w-0 truncate px-2 py-2 font-mono text-xs text-muted max-lg:hidden lg:w-[22%]">
        <span title={branch.worktree ?? undefined}>{branch.worktree ?? "—"}</span>
      </td>
      <td className="py-1 pr-2 text-right">
        {!branch.is_default && (
          <Menu
            items={[
              {
                label: "Merge…",
                icon: <GitMerge size={14} />,
                onSelect: () => onDo({ what: "merge", branch }),
              },
              {
                label: "Rebase…",
                icon: <GitPullRequestArrow size={14} />,
                onSelect: () => onDo({ what: "rebase", branch }),
              },
              null,
              {
                label: "Delete…",
                icon: <Trash2 size={14} />,
                danger: true,
                onSelect: () => onDo({ what: "delete", branch }),
              },
            ]}
          >
            <Button
              kind="quiet"
              icon={<MoreHorizontal size={16} />}
              aria-label={`More actions for ${branch.name}`}
            />
          </Menu>
        )}
      </td>
    </tr>
  );
}
