// The inbox: what agents ask, of all runs.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect } from "react";
import { approvalsQuery, runsQuery } from "@/api/queries";
import { needsYou } from "@/runs/groups";
import { Empty, Failed, Skeleton } from "@/ui/panes";
import { Kbd } from "@/ui/kbd";
import { ApprovalList } from "./list";

/** Runs that need a person for something that cannot be answered here. */
function Others({ asking }: { asking: ReadonlySet<string> }) {
  const runs = useQuery(runsQuery()).data ?? [];
  const count = runs.filter((run) => needsYou(run) && !asking.has(run.id)).length;
  if (count === 0) return null;
  return (
    <p className="px-4 py-3 text-muted">
      <Link to="/runs" className="text-accent underline">
        {count === 1 ? "1 run" : `${count} runs`}
      </Link>{" "}
      {count === 1 ? "needs" : "need"} you for something else: a question in the terminal, a
      failure, or changes to ship.
    </p>
  );
}

export function InboxPage() {
  const approvals = useQuery(approvalsQuery());
  useEffect(() => {
    document.title = "Inbox · abbado";
    return () => {
      document.title = "abbado";
    };
  }, []);
  const open = approvals.data ?? [];
  const asking = new Set(open.map(({ run_id }) => run_id));
  return (
    <div className="flex h-full min-h-0 flex-col">
      <header className="flex items-baseline gap-3 border-b px-4 py-2">
        <h1 className="text-lg leading-7 font-semibold">Inbox</h1>
        {open.length > 0 && (
          <>
            <p className="text-muted">{open.length} open</p>
            <p className="ml-auto text-xs text-muted max-lg:hidden">
              <Kbd>j</Kbd> <Kbd>k</Kbd> move · <Kbd>a</Kbd> or <Kbd>d</Kbd>, then <Kbd>Enter</Kbd>,
              answers · <Kbd>o</Kbd> opens the run
            </p>
          </>
        )}
      </header>
      <div className="relative min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto max-w-4xl">
          {approvals.isPending ? (
            <Skeleton />
          ) : approvals.isError && approvals.data === undefined ? (
            <Failed error={approvals.error} retry={() => void approvals.refetch()} />
          ) : (
            <>
              {open.length === 0 && (
                <Empty title="No questions">
                  When an agent asks for permission, has a question or shows a plan, you can answer
                  it here. Choose this in the agent’s form, under “Questions are answered”.
                </Empty>
              )}
              {/* Also while it is empty: it tells how the last one was closed. */}
              <ApprovalList approvals={open} label="Open approvals" inbox />
              <Others asking={asking} />
            </>
          )}
        </div>
      </div>
    </div>
  );
}
