// Keeps the query cache true: each batch of events says which answers are old now.
import type { QueryClient } from "@tanstack/react-query";
import { api, data, type Run, type RunEvent } from "./client";
import { keys } from "./keys";
import { onEvents, onPlace } from "./stream";

/** A run is read again at most once in so many milliseconds. */
const RUN_MS = 250;
/** Its changes, which start git, at most once in so many milliseconds. */
const CHANGES_MS = 1500;

/** Events that leave the run's own document as it is, but for its last sequence. */
const SILENT = new Set(["agent.token"]);
/** Events after which files of the run may be others. */
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
/** Events of which the details of a run are folded. */
const FACTS =
  /^(run\.(started|paused|completed|failed|cancelled|result)|agent\.(tool_|needs)|user\.message$)/;
/** Tools that write the task list: some with the call already, some with its result. */
const TASKS = /^(TaskCreate|TaskUpdate|TodoWrite|update_plan)$/;
const QUEUE = /^(message\.|queue\.|user\.message$)/;
const BRANCHES =
  /^(run\.(committed|pushed|pull_request|branch_renamed|rebased|reverted|deleted|checkpointed)|worktree\.)/;

/** Lets `act` run at once, then at most once in `wait` milliseconds for the same key. */
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

/** Puts a run's document where lists and pages read it, unless a newer one is there. */
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

/** Runs that are being deleted from here: nothing of them is asked for any more. */
const leaving = new Set<string>();

function dropRun(client: QueryClient, id: string) {
  client.setQueryData<Run[]>(keys.runs, (runs) => runs?.filter((run) => run.id !== id));
  // What is removed while a page shows it is asked for again.
  const which = leaving.has(id) ? { type: "inactive" as const } : {};
  client.removeQueries({ queryKey: keys.run(id), ...which });
}

/** Deletes a run, whose page is left when this is done. */
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

/** Starts to follow the stream for this cache. */
export function keepInSync(client: QueryClient): () => void {
  const gone = new Set<string>();
  // Nothing is read any more of what goes; a reading may have been due before it did.
  const goes = (id: string) => gone.has(id) || leaving.has(id);
  const readRun = throttled(RUN_MS, (id) => {
    if (goes(id)) return;
    // Not by fetchQuery: it would join a call that began before the event.
    data<Run>(api.GET("/api/runs/{id}", { params: { path: { id } } }))
      .then((run) => {
        if (!goes(id)) placeRun(client, run);
      })
      .catch(() => undefined); // deleted meanwhile, or offline: the next event or place tells
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
        const told = type === "run.created" ? event.payload.project_id : undefined;
        const projectId = client.getQueryData<Run>(keys.run(id))?.project_id ?? told;
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
