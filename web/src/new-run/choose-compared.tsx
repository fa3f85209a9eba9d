import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { runsQuery } from "@/api/queries";
import { firstLine } from "@/lib/format";
import { Empty, Failed, Skeleton } from "@/ui/panes";
import { StateBadge, stateOf } from "@/ui/state";
import { attemptsAtOneTask } from "./choices";

/** Tasks attempted by several runs, to choose which to compare. */
export function ChooseCompared() {
  const runs = useQuery(runsQuery());
  if (runs.isPending) return <Skeleton />;
  if (runs.isError) return <Failed error={runs.error} retry={() => void runs.refetch()} />;
  const groups = attemptsAtOneTask(runs.data);
  if (groups.length === 0) {
    return (
      <Empty title="Nothing to compare yet">
        Start several agents on the same task under{" "}
        <Link to="/runs/new" className="text-accent underline">
          New run
        </Link>
        , then compare their attempts here.
      </Empty>
    );
  }
  return (
    <div className="mx-auto max-w-2xl p-4">
      <h1 className="text-lg font-semibold">Compare</h1>
      <p className="text-muted">Tasks attempted by several runs.</p>
      <ul className="mt-3 border-t">
        {groups.map(({ task, runs }) => (
          <li key={runs[0]?.id} className="border-b">
            <Link
              to="/compare"
              search={{ runs: runs.map((run) => run.id).join(",") }}
              className="block py-2 hover:bg-hover"
            >
              <span className="block truncate font-medium">{firstLine(task)}</span>
              <span className="flex flex-wrap gap-x-3">
                {runs.map((run) => (
                  <StateBadge key={run.id} state={stateOf(run)} />
                ))}
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </div>
  );
}
