// Calls that ship or undo a run's work. Each shows its result on the page.
import { useQueryClient } from "@tanstack/react-query";
import { useMemo } from "react";
import { api, data, type Run } from "@/api/client";
import { keys } from "@/api/keys";
import { checkpointsQuery } from "@/api/queries";
import { placeRun } from "@/api/sync";
import { failed, succeeded } from "@/ui/toast";
import { notKept, withoutWords } from "../left-out";
import { addResult } from "./results";
import {
  committedLines,
  pullRequestLines,
  pushedLines,
  takenBefore,
  type RepoResult,
} from "./ship";

export interface PullRequest {
  title: string;
  body: string;
  base: string;
  draft: boolean;
}

export function useShipCalls(run: Run) {
  const client = useQueryClient();
  const { id, project_id: projectId } = run;
  const severalRepos = run.repos.length > 1;
  return useMemo(() => {
    const path = { params: { path: { id } } };
    const renew = () =>
      Promise.all(
        [keys.branches(projectId), keys.changes(id), keys.diffStats(id), keys.checkpoints(id)].map(
          (queryKey) => client.invalidateQueries({ queryKey, exact: true }),
        ),
      );
    /** Runs the call and shows its result, or the server's message with a way to retry. */
    const shown = async (what: string, act: () => Promise<RepoResult[]>): Promise<boolean> => {
      try {
        addResult(id, { what, lines: await act() });
        await renew();
        return true;
      } catch (error) {
        addResult(id, {
          what,
          lines: [],
          error: error instanceof Error ? error.message : String(error),
          retry: () => void shown(what, act),
        });
        await renew(); // part of it may have succeeded
        return false;
      }
    };
    const newest = async () => {
      const all = await client.fetchQuery({ ...checkpointsQuery(id), staleTime: 0 });
      return { all, last: all.at(-1)?.number ?? 0 };
    };
    const forced = (force: boolean) => (force ? { query: { force } } : {});
    const put = async (number: number, name: string, force: boolean) => {
      const { last } = await newest();
      const { left_out: leftOut, ...answer } = await data(
        api.POST("/api/runs/{id}/checkpoints/{number}/restore", {
          params: { path: { id, number }, ...forced(force) },
        }),
      );
      placeRun(client, answer);
      await renew();
      const before = takenBefore((await newest()).all, "restore", last);
      succeeded(
        `${name} restored${withoutWords(leftOut, severalRepos)}`,
        before === undefined ? undefined : undoBy(before, "Previous state"),
      );
    };
    const undo = (number: number, name: string, force: boolean) => {
      put(number, name, force).catch((error: unknown) => {
        const action = { label: "Undo anyway", onClick: () => undo(number, name, true) };
        failed("Could not undo", error, notKept(error) && action);
      });
    };
    const undoBy = (number: number, name: string) => ({
      label: "Undo",
      onClick: () => {
        undo(number, name, false);
      },
    });
    return {
      commit: (message: string) =>
        shown("Commit", async () => {
          const answer = await data(
            api.POST("/api/runs/{id}/commit", { ...path, body: { message } }),
          );
          return committedLines(answer);
        }),
      push: () =>
        shown("Push", async () => pushedLines(await data(api.POST("/api/runs/{id}/push", path)))),
      accept: () =>
        shown("Accept", async () =>
          pushedLines(await data(api.POST("/api/runs/{id}/accept", path))),
        ),
      pullRequest: ({ title, body, base, draft }: PullRequest) =>
        shown("Pull request", async () =>
          pullRequestLines(
            await data(
              api.POST("/api/runs/{id}/pull-request", {
                ...path,
                body: { title, body, draft, ...(base.trim() ? { base: base.trim() } : {}) },
              }),
            ),
          ),
        ),
      /** Throws `CallError`. */
      rename: async (name: string) => {
        const answer = await data(
          api.POST("/api/runs/{id}/rename-branch", { ...path, body: { name } }),
        );
        placeRun(client, answer as Run);
        await renew();
      },
      revert: async (force: boolean) => {
        const { last } = await newest();
        const { left_out: leftOut, ...answer } = await data(
          api.POST("/api/runs/{id}/revert", { params: { path: { id }, ...forced(force) } }),
        );
        placeRun(client, answer);
        await renew();
        const before = takenBefore((await newest()).all, "revert", last);
        succeeded(
          `All changes reverted${withoutWords(leftOut, severalRepos)}`,
          before === undefined ? undefined : undoBy(before, "Changes"),
        );
      },
      restore: put,
    };
  }, [client, id, projectId, severalRepos]);
}

export type ShipCalls = ReturnType<typeof useShipCalls>;
