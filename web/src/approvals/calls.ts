// Decides approvals, and tells how those were closed that this page did not decide.
import { useQueryClient, type QueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { api, CallError, data, type Approval, type Run, type Schemas } from "@/api/client";
import { keys } from "@/api/keys";
import { firstLine } from "@/lib/format";
import { failed, succeeded, told } from "@/ui/toast";
import { closedWords, decisionWords, subjectOf } from "./words";

export interface Decision {
  decision: Schemas["Choice"];
  message?: string;
  answer?: Record<string, string | string[]>;
}

/** Most notices about closed approvals at a time; more are told as one. */
const NOTICES_MAX = 3;
/** Approvals of a run that are looked through for how one was closed. */
const LOOKED_AT = 1000;

/** Approvals that this page decided or was refused to, so that nothing more is told of them. */
const settled = new Set<string>();

/**
 * Sends a decision. One that comes too late is told in the server's words, since the approval is
 * about to disappear; other errors are thrown.
 */
async function decide(client: QueryClient, approval: Approval, decision: Decision) {
  const { approval_id: id, run_id: runId } = approval;
  settled.add(id);
  const params = { path: { id: runId, approval_id: id } };
  // The generated type renders a free-form object as an empty one.
  const body = decision as Schemas["DecisionBody"];
  try {
    await data(api.POST("/api/runs/{id}/approvals/{approval_id}", { params, body }));
    succeeded(`${decisionWords(decision)}.`.replace(/([.!?…])\.$/, "$1"));
  } catch (error) {
    const late = error instanceof CallError && (error.status === 409 || error.status === 404);
    if (!late) {
      settled.delete(id);
      throw error;
    }
    failed("Too late to decide", error);
  }
  client.setQueryData<Approval[]>(keys.approvals, (open) =>
    open?.filter((other) => other.approval_id !== id),
  );
  // A read that began before the decision would bring it back.
  void client.invalidateQueries({ queryKey: keys.approvals });
}

export function useDecide(): (approval: Approval, decision: Decision) => Promise<void> {
  const client = useQueryClient();
  return (approval, decision) => decide(client, approval, decision);
}

/** How an approval was closed; undefined when it is open after all. */
async function closing({ run_id: runId, approval_id: id }: Approval): Promise<string | undefined> {
  const params = { path: { id: runId }, query: { limit: LOOKED_AT } };
  try {
    const all = await data<Approval[]>(api.GET("/api/runs/{id}/approvals", { params }));
    const found = all.find((approval) => approval.approval_id === id);
    return found ? closedWords(found) || undefined : "Closed.";
  } catch (error) {
    if (error instanceof CallError && error.status === 404) return "The run was deleted.";
    return "Closed.";
  }
}

async function tell(gone: Approval[], runs: Map<string, Run>) {
  if (gone.length > NOTICES_MAX) {
    told(`${gone.length} approvals were closed`, "Answered elsewhere, or no longer asked.");
    return;
  }
  for (const approval of gone) {
    const words = await closing(approval);
    if (words === undefined) continue;
    const run = runs.get(approval.run_id);
    const about = [subjectOf(approval), ...(run ? [firstLine(run.task)] : [])];
    told(words, about.join(" · "));
  }
}

/** Tells about approvals that disappear from the list and were not decided by this page. */
export function useClosings(open: Approval[] | undefined, runs: Map<string, Run>) {
  const before = useRef<Approval[]>([]);
  const latest = useRef(runs);
  useEffect(() => {
    latest.current = runs;
  });
  useEffect(() => {
    if (!open) return;
    const ids = new Set(open.map(({ approval_id }) => approval_id));
    const gone = before.current.filter(({ approval_id: id }) => !ids.has(id) && !settled.has(id));
    before.current = open;
    if (gone.length > 0) void tell(gone, latest.current);
  }, [open]);
}
