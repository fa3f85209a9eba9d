// The actions of a run. Those that are not possible now have no button.
import { useQueryClient, type QueryClient } from "@tanstack/react-query";
import { api, data, type Run } from "@/api/client";
import { keys } from "@/api/keys";
import { deleteRun, placeRun } from "@/api/sync";
import { failed } from "@/ui/toast";

/** A process is alive or being launched. */
export const canStop = (run: Run) => run.process.alive || run.status === "queued";
/** A message can reach the agent: by resuming its session, or typed into the live CLI. */
export const canContinue = (run: Run) =>
  run.session_id !== null && run.status !== "running" && run.status !== "queued";
/** It failed before its CLI started, so it can be retried. */
export const canRetry = (run: Run) =>
  run.status === "failed" &&
  run.session_id === null &&
  /^failed: (worktree|setup|launch)$/.test(run.activity.what);
/** While it works, messages wait in the queue. */
export const canQueue = (run: Run) => run.status === "running" || run.status === "queued";
export const canDelete = (run: Run) => run.status !== "running" && run.status !== "queued";
/** Its worktrees were created: from then on its changes can be read. */
export const hasChanges = (run: Run) =>
  run.status !== "queued" || run.repos.every((repo) => repo.worktree !== null);

const path = (id: string) => ({ params: { path: { id } } });

/** Calls that change a run; each stores the response in the query cache. They throw `CallError`. */
export function runCalls(client: QueryClient) {
  const placed = (run: unknown) => {
    placeRun(client, run as Run);
    return run as Run;
  };
  const goOn = async (id: string, message: string) =>
    placed(await data(api.POST("/api/runs/{id}/continue", { ...path(id), body: { message } })));
  const letGoOn = async (id: string) =>
    placed(await data(api.POST("/api/runs/{id}/continue", { ...path(id), body: {} })));
  const enqueue = async (id: string, message: string) => {
    await data(api.POST("/api/runs/{id}/queue", { ...path(id), body: { message } }));
    await client.invalidateQueries({ queryKey: keys.queue(id) });
  };
  return {
    cancel: async (id: string) => placed(await data(api.POST("/api/runs/{id}/cancel", path(id)))),
    pause: async (id: string) => placed(await data(api.POST("/api/runs/{id}/pause", path(id)))),
    /** Resumes a CLI that was suspended, for example by Ctrl+Z. */
    letGoOn,
    /** Sends the agent a message: now, or after its current turn. */
    send: async (run: Run, message: string) => {
      await (canQueue(run) && !run.process.stopped ? enqueue : goOn)(run.id, message);
    },
    retry: async (id: string) => placed(await data(api.POST("/api/runs/{id}/retry", path(id)))),
    notify: async (id: string, notify: boolean) =>
      placed(await data(api.POST("/api/runs/{id}/notify", { ...path(id), body: { notify } }))),
    remove: (id: string, force: boolean) => deleteRun(client, id, force),
  };
}

export function useRunCalls() {
  return runCalls(useQueryClient());
}

/** Runs `act` and shows a toast when it fails. */
export async function runAction(what: string, act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (error) {
    failed(what, error);
    return false;
  }
}
