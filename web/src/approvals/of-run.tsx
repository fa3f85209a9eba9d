import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { approvalsQuery } from "@/api/queries";
import { ApprovalList } from "./list";

/** The open approvals of a run. */
export function useApprovalsOf(runId: string) {
  const all = useQuery(approvalsQuery()).data;
  return useMemo(() => (all ?? []).filter((approval) => approval.run_id === runId), [all, runId]);
}

/** The open approvals of a run above its activity. */
export function ApprovalsOfRun({ runId }: { runId: string }) {
  const open = useApprovalsOf(runId);
  return (
    <section
      aria-label="Open approvals"
      className={
        open.length > 0
          ? "relative max-h-[70%] shrink-0 overflow-y-auto border-b-2 border-line-strong"
          : ""
      }
    >
      <div className="mx-auto max-w-5xl">
        <ApprovalList approvals={open} label="Open approvals" inbox={false} />
      </div>
    </section>
  );
}

/** How many approvals of the run are open; nothing while there are none. */
export function ApprovalCount({ runId }: { runId: string }) {
  const { length } = useApprovalsOf(runId);
  if (length === 0) return null;
  return (
    <span
      className="text-warn"
      title={length === 1 ? "1 open approval" : `${length} open approvals`}
    >
      <span aria-hidden>◆</span> {length}
      <span className="sr-only"> to answer</span>
    </span>
  );
}
