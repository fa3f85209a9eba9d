// Keeps the query cache up to date: each batch of events invalidates the affected queries.
import type { QueryClient } from "@tanstack/react-query";
import { api, data, type Run, type RunEvent } from "./client";
import { keys } from "./keys";
import { onEvents, onPlace } from "./stream";

/** Shortest time between two reads of a run, in milliseconds. */
const RUN_MS = 250;
/** The same of the open approvals. */
const APPROVALS_MS = 250;
/** The same for its changes, which start git. */
const CHANGES_MS = 1500;

/** Events that change nothing in the run's view but its last sequence. */
const SILENT = new Set(["agent.token"]);
/** Events after which files of the run may have changed. */
const MAY_CHANGE_FILES = new Set([
  "agent.tool_result",
  "run.paused",
  "run.completed",
  "run.failed",
  "run.cancelled",
  "run.checkpointed",
  "run.restored",
  "run.reverted",
  "run.committed",
  "run.rebased",
  "worktree.created",
  "worktree.removed",
]);
const CHECKPOINTS = new Set(["run.checkpointed", "run.restored", "run.reverted"]);
/** Events that the details of a run are folded from. */
const FACTS =
  /^(run\.(started|paused|completed|failed|cancelled|result)|agent\.(tool_|needs)|user\.message$|approval\.)/;
/** Tools that write the task list: some with the call, some with the result. */
const TASKS = /^(TaskCreate|TaskUpdate|TodoWrite|update_plan)$/;
const APPROVALS = /^approval\.|^run\.deleted$/;
const QUEUE = /^(message\.|queue\.|user\.message$)/;
const BRANCHES =
  /^(run\.(committed|pushed|pull_request|branch_renamed|rebased|reverted|deleted|checkpointed)|worktree\.)/;

/** Runs `act` at once, then at most once per `wait` milliseconds for the same key. */
function throttled(wait: number, act: (key: string) => void) {
  const waiting = new Map<string, boolean>();
  const call = (key: string) => {
    if (waiting.has(key)) {
      waiting.set(key, true);
      return;
    }
    waiting.set(key, false);
    setTimeout(() => {
      const wanted = waiting.get(key);
      waiting.delete(key);
      if (wanted) call(key);
    }, wait);
    act(key);
  };
  return call;
}

/** Stores a run's view in the cache unless a newer one is there. */
export function placeRun(client: QueryClient, run: Run) {
  const known = client.getQueryData<Run>(keys.run(run.id));
  if (known && known.last_sequence > run.last_sequence) return;
  client.setQueryData(keys.run(run.id), run);
  client.setQueryData<Run[]>(keys.runs, (runs) => {
    if (!runs) return runs;
    const at = runs.findIndex((known) => known.id === run.id);
    return at < 0 ? [run, ...runs] : runs.with(at, run);
  });
}

/** Runs that this page is deleting: their queries are no longer refreshed. */
const leaving = new Set<string>();

function dropRun(client: QueryClient, id: string) {
  client.setQueryData<Run[]>(keys.runs, (runs) => runs?.filter((run) => run.id !== id));
  // A query that is removed while a page shows it would be refetched.
  const which = leaving.has(id) ? { type: "inactive" as const } : {};
  client.removeQueries({ queryKey: keys.run(id), ...which });
}

/** Deletes a run. The caller leaves its page afterwards. */
export async function deleteRun(client: QueryClient, id: string, force: boolean) {
  leaving.add(id);
  try {
    await data(
      api.DELETE("/api/runs/{id}", {
        params: { path: { id }, ...(force && { query: { force } }) },
      }),
    );
    dropRun(client, id);
  } catch (error) {
    leaving.delete(id);
    await client.invalidateQueries({ queryKey: keys.run(id) });
    throw error;
  }
}

/** Subscribes this cache to the stream. */
export function keepInSync(client: QueryClient): () => void {
  const gone = new Set<string>();
  // A read may still be scheduled for a run that is being deleted.
  const goes = (id: string) => gone.has(id) || leaving.has(id);
  const readRun = throttled(RUN_MS, (id) => {
    if (goes(id)) return;
    // Not fetchQuery: it would join a call that started before the event.
    data<Run>(api.GET("/api/runs/{id}", { params: { path: { id } } }))
      .then((run) => {
        if (!goes(id)) placeRun(client, run);
      })
      .catch(() => undefined); // deleted meanwhile, or offline: the next event or position refreshes it
  });
  const old = (queryKey: readonly string[]) =>
    void client.invalidateQueries({ queryKey, exact: true });
  const readChanges = throttled(CHANGES_MS, (id) => {
    if (goes(id)) return;
    old(keys.changes(id));
    old(keys.diffStats(id));
  });
  const readFacts = throttled(CHANGES_MS, (id) => {
    if (!goes(id)) old(keys.facts(id));
  });
  const readApprovals = throttled(APPROVALS_MS, () => old(keys.approvals));
  const readBranches = throttled(CHANGES_MS, (projectId) => old(keys.branches(projectId)));

  const take = (events: RunEvent[]) => {
    const once = new Set<string>();
    const mark = (what: string, id: string, act: (id: string) => void) => {
      if (once.has(what + id)) return;
      once.add(what + id);
      act(id);
    };
    for (const event of events) {
      const { run_id: id, event_type: type } = event;
      if (APPROVALS.test(type)) mark("approvals", "", readApprovals);
      if (type === "run.deleted") {
        gone.add(id);
        dropRun(client, id);
        continue;
      }
      if (SILENT.has(type)) continue;
      if (!leaving.has(id)) {
        mark("run", id, readRun);
        if (MAY_CHANGE_FILES.has(type)) mark("changes", id, readChanges);
        if (CHECKPOINTS.has(type)) mark("checkpoints", id, () => old(keys.checkpoints(id)));
        if (type === "agent.tool_result") mark("tasks", id, () => old(keys.tasks(id)));
        if (FACTS.test(type)) mark("facts", id, readFacts);
        if (type === "agent.tool_call" && TASKS.test(event.payload.tool_name)) {
          mark("tasks", id, () => old(keys.tasks(id)));
        }
        if (QUEUE.test(type)) mark("queue", id, () => old(keys.queue(id)));
      }
      if (BRANCHES.test(type)) {
        const created = type === "run.created" ? event.payload.project_id : undefined;
        const projectId = client.getQueryData<Run>(keys.run(id))?.project_id ?? created;
        if (projectId) mark("branches", projectId, readBranches);
      }
    }
  };
  const stopEvents = onEvents(take);
  const stopPlace = onPlace(() => void client.invalidateQueries());
  return () => {
    stopEvents();
    stopPlace();
  };
}
