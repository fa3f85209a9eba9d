import { useQuery } from "@tanstack/react-query";
import { GitPullRequest, RefreshCw } from "lucide-react";
import { useMemo, useState } from "react";
import type { Project } from "@/api/client";
import { branchesQuery, prStatusQuery } from "@/api/queries";
import { Button } from "@/ui/button";
import { Input } from "@/ui/field";
import { Empty, Failed, Skeleton } from "@/ui/panes";
import { Tip } from "@/ui/tip";
import { branchMatches, mostCommits } from "./bars";
import { BranchDialog, type Doing } from "./dialogs";
import { BranchRow } from "./row";

/** Rows shown until the user asks for the rest: a long table is slow to lay out. */
const ROWS_MAX = 200;
const HEADS = [
  { name: "Branch", className: "pl-3 text-left" },
  { name: "Behind | ahead", className: "px-2 text-center max-md:hidden" },
  { name: "Upstream", className: "px-2 text-left max-md:hidden" },
  { name: "Run", className: "px-2 text-left max-md:hidden" },
  { name: "Checked out in", className: "px-2 text-left max-lg:hidden" },
];

export default function BranchesTab({ project }: { project: Project }) {
  // Commits in the user's own checkout produce no event, so the branches are read on each visit.
  const branches = useQuery({ ...branchesQuery(project.id), refetchOnMount: "always" });
  const prs = useQuery({ ...prStatusQuery(project.id), enabled: false, retry: false });
  const [filter, setFilter] = useState("");
  const [all, setAll] = useState(false);
  const [doing, setDoing] = useState<Doing | null>(null);
  const found = useMemo(
    () => (branches.data ?? []).filter((branch) => branchMatches(branch, filter)),
    [branches.data, filter],
  );
  const most = useMemo(() => mostCommits(branches.data ?? []), [branches.data]);
  if (project.repos.length === 0) {
    return <Empty title="No repository yet">Add one under Repositories.</Empty>;
  }
  if (branches.isPending) return <Skeleton lines={8} />;
  if (branches.isError) {
    return <Failed error={branches.error} retry={() => void branches.refetch()} />;
  }
  const shown = all ? found : found.slice(0, ROWS_MAX);
  return (
    <div className="pb-12">
      <div className="flex flex-wrap items-center gap-2 p-3">
        <Input
          type="search"
          aria-label="Filter branches"
          placeholder="Filter branches"
          className="max-w-72"
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
        />
        <span className="flex-1 text-muted">{found.length}</span>
        <Tip text="Asks the forge of each repository over the network">
          <Button
            icon={<GitPullRequest size={14} />}
            busy={prs.isFetching}
            onClick={() => void prs.refetch()}
          >
            Pull requests
          </Button>
        </Tip>
        <Tip text="Reload branches">
          <Button
            kind="quiet"
            icon={<RefreshCw size={14} />}
            aria-label="Reload branches"
            busy={branches.isFetching}
            onClick={() => void branches.refetch()}
          />
        </Tip>
      </div>
      {prs.isError && (
        <p role="alert" className="mx-3 mb-3 rounded-md bg-warn-soft px-3 py-2 break-words">
          Could not read the pull requests: {prs.error.message}
        </p>
      )}
      {prs.isSuccess && prs.data.length === 0 && (
        <p role="status" className="mx-3 mb-3 text-muted">
          None of these branches has a pull request.
        </p>
      )}
      <table className="w-full border-collapse">
        <thead>
          <tr className="border-b text-xs text-muted">
            {HEADS.map(({ name, className }) => (
              <th key={name} scope="col" className={`py-1 font-medium ${className}`}>
                {name}
              </th>
            ))}
            <th scope="col" className="w-10">
              <span className="sr-only">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((branch) => (
            <BranchRow
              key={`${branch.repo_id}/${branch.name}`}
              branch={branch}
              most={most}
              alone={project.repos.length === 1}
              pr={prs.data?.find(
                (pr) => pr.repo_id === branch.repo_id && pr.branch === branch.name,
              )}
              onDo={setDoing}
            />
          ))}
        </tbody>
      </table>
      {found.length === 0 && <p className="p-3 text-muted">No branch matches.</p>}
      {shown.length < found.length && (
        <Button className="m-3" onClick={() => setAll(true)}>
          Show all {found.length}
        </Button>
      )}
      {doing && (
        <BranchDialog
          key={`${doing.what} ${doing.branch.repo_id} ${doing.branch.name}`}
          projectId={project.id}
          branches={branches.data}
          doing={doing}
          onClose={() => setDoing(null)}
        />
      )}
    </div>
  );
}
