import { useQueries } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useMemo } from "react";
import { CallError, type Run } from "@/api/client";
import { changesQuery, runQuery } from "@/api/queries";
import { firstLine } from "@/lib/format";
import { hasChanges } from "@/runs/actions";
import { Failed, Skeleton } from "@/ui/panes";
import { ComparedFiles } from "./compared-files";
import { ComparedRun } from "./compared-run";
import { ChooseCompared } from "./choose-compared";

/** Attempts side by side: what each cost and changed. The user keeps one. */
export function ComparePage() {
  const { runs: text } = useSearch({ from: "/compare" });
  const ids = useMemo(() => [...new Set(text.split(",").filter(Boolean))], [text]);
  const navigate = useNavigate();
  const runs = useQueries({ queries: ids.map((id) => runQuery(id)) });
  const changes = useQueries({
    queries: ids.map((id, at) => {
      const run = runs[at]?.data;
      return { ...changesQuery(id), retry: false, enabled: run !== undefined && hasChanges(run) };
    }),
  });
  useEffect(() => {
    document.title = "Compare · abbado";
    return () => {
      document.title = "abbado";
    };
  }, []);

  if (ids.length === 0) return <ChooseCompared />;
  const lost = runs.find(
    (run) => run.isError && !(run.error instanceof CallError && run.error.status === 404),
  );
  if (lost) return <Failed error={lost.error} retry={() => void lost.refetch()} />;
  if (runs.some((run) => run.isPending)) return <Skeleton />;
  const found = runs.flatMap(({ data }, at) => {
    const change = changes[at];
    return data && change ? [{ run: data, changes: change }] : [];
  });
  const there: Run[] = found.map(({ run }) => run);
  const leave = (id: string) => {
    const rest = there.map((run) => run.id).filter((other) => other !== id);
    void navigate({ to: "/compare", search: { runs: rest.join(",") }, replace: true });
  };
  const columns = {
    gridTemplateColumns: `repeat(${Math.max(1, found.length)}, minmax(0, 1fr))`,
    minWidth: `max(100%, ${found.length * 18}rem)`,
  };
  const tasks = new Set(there.map((run) => run.task.trim()));
  const [first] = there;
  return (
    <div className="h-full overflow-auto">
      <header className="sticky left-0 px-4 pt-3 pb-2">
        <h1 className="text-lg font-semibold">
          {first && tasks.size === 1 ? firstLine(first.task) : "Compare runs"}
        </h1>
        <p className="text-muted">
          {found.length} {found.length === 1 ? "attempt" : "attempts"}
          {tasks.size > 1 && ", with different tasks"}
          {found.length < ids.length && `; ${ids.length - found.length} deleted`}
        </p>
      </header>
      {first === undefined ? (
        <ChooseCompared />
      ) : (
        <>
          <ul aria-label="Attempts" className="grid border-y" style={columns}>
            {there.map((run, at) => (
              <ComparedRun
                key={run.id}
                run={run}
                at={at}
                all={there}
                withTask={tasks.size > 1}
                onLeave={() => leave(run.id)}
              />
            ))}
          </ul>
          <ComparedFiles
            runs={there}
            changes={found.map(({ changes }) => changes.data)}
            failures={found.map(({ changes }) => changes.error?.message)}
            columns={columns}
          />
        </>
      )}
    </div>
  );
}
