import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { Suspense, useEffect, type ComponentType } from "react";
import { CallError, type Run } from "@/api/client";
import { runQuery, tasksQuery } from "@/api/queries";
import { ApprovalCount } from "@/approvals/of-run";
import { useKeys } from "@/app/keys";
import { firstLine } from "@/lib/format";
import { lazyPart } from "@/lib/part";
import { Empty, Failed, Skeleton } from "@/ui/panes";
import { TabLinks } from "@/ui/tabs";
import { RunHeader } from "./header";
import { MessageBox } from "./message-box";
import { DiffCount } from "./row";

/** The props of every tab. */
export interface TabProps {
  run: Run;
}

const TABS: Record<string, ComponentType<TabProps>> = {
  terminal: lazyPart(() => import("./terminal/tab")),
  activity: lazyPart(() => import("./activity/tab")),
  tasks: lazyPart(() => import("./tasks/tab")),
  changes: lazyPart(() => import("./changes/tab")),
  logs: lazyPart(() => import("./logs/tab")),
  details: lazyPart(() => import("./details/tab")),
};
const NAMES = ["terminal", "activity", "tasks", "changes", "logs", "details"] as const;

function TaskCount({ runId }: { runId: string }) {
  const tasks = useQuery(tasksQuery(runId)).data;
  if (!tasks || tasks.length === 0) return null;
  const done = tasks.filter((task) => task.status === "completed").length;
  return (
    <span className="text-xs text-muted">
      {done}/{tasks.length}
    </span>
  );
}

export function RunPage() {
  const { runId, tab } = useParams({ from: "/runs/$runId/$tab" });
  const navigate = useNavigate();
  const run = useQuery(runQuery(runId));
  const to = (name: string) =>
    void navigate({ to: "/runs/$runId/$tab", params: { runId, tab: name } });
  useKeys({
    ...Object.fromEntries(NAMES.map((name, at) => [String(at + 1), () => to(name)])),
    Escape: () => void navigate({ to: "/runs" }),
  });
  const task = run.data?.task;
  useEffect(() => {
    if (task !== undefined) document.title = `${firstLine(task)} · abbado`;
    return () => {
      document.title = "abbado";
    };
  }, [task]);

  if (run.isPending) return <Skeleton />;
  if (run.isError) {
    return run.error instanceof CallError && run.error.status === 404 ? (
      <Empty title="Run not found">It may have been deleted.</Empty>
    ) : (
      <Failed error={run.error} retry={() => void run.refetch()} />
    );
  }
  const Tab = TABS[tab];
  const label = {
    terminal: "Terminal",
    activity: (
      <>
        Activity <ApprovalCount runId={runId} />
      </>
    ),
    tasks: (
      <>
        Tasks <TaskCount runId={runId} />
      </>
    ),
    changes: (
      <>
        Changes <DiffCount runId={runId} />
      </>
    ),
    logs: "Logs",
    details: "Details",
  };
  return (
    <div className="flex h-full min-h-0 flex-col">
      <RunHeader run={run.data} />
      <TabLinks
        label="Run sections"
        current={tab}
        tabs={NAMES.map((name) => ({ name, label: label[name], to: `/runs/${runId}/${name}` }))}
      />
      <div className="min-h-0 flex-1" data-testid={`tab-${tab}`}>
        <Suspense fallback={<Skeleton />}>
          {Tab ? (
            <Tab key={runId} run={run.data} />
          ) : (
            <Empty title="Page not found">Choose a tab above.</Empty>
          )}
        </Suspense>
      </div>
      <MessageBox key={runId} run={run.data} />
    </div>
  );
}
