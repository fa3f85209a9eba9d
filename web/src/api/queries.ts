// The queries of all pages. Nothing polls: the stream (sync.ts) invalidates them.
import { queryOptions } from "@tanstack/react-query";
import { api, data, type Approval, type Run } from "./client";
import { keys } from "./keys";

const byRun = (id: string) => ({ params: { path: { id } } });

export const runsQuery = () =>
  queryOptions({ queryKey: keys.runs, queryFn: () => data<Run[]>(api.GET("/api/runs")) });
export const runQuery = (id: string) =>
  queryOptions({
    queryKey: keys.run(id),
    queryFn: () => data<Run>(api.GET("/api/runs/{id}", byRun(id))),
  });
/** Approvals per call. */
const APPROVALS_MAX = 1000;

async function openApprovals(): Promise<Approval[]> {
  const all: Approval[] = [];
  for (;;) {
    const after = all.at(-1)?.approval_id;
    const query = { state: "open" as const, limit: APPROVALS_MAX, ...(after && { after }) };
    const page = await data<Approval[]>(api.GET("/api/approvals", { params: { query } }));
    all.push(...page);
    if (page.length < APPROVALS_MAX) return all;
  }
}

/** The open approvals of all runs, oldest first. */
export const approvalsQuery = () =>
  queryOptions({ queryKey: keys.approvals, queryFn: openApprovals });
export const tasksQuery = (id: string) =>
  queryOptions({
    queryKey: keys.tasks(id),
    queryFn: () => data(api.GET("/api/runs/{id}/tasks", byRun(id))),
  });
export const queueQuery = (id: string) =>
  queryOptions({
    queryKey: keys.queue(id),
    queryFn: () => data(api.GET("/api/runs/{id}/queue", byRun(id))),
  });
export const diffStatsQuery = (id: string) =>
  queryOptions({
    queryKey: keys.diffStats(id),
    queryFn: () => data(api.GET("/api/runs/{id}/diff-stats", byRun(id))),
  });
export const changesQuery = (id: string) =>
  queryOptions({
    queryKey: keys.changes(id),
    queryFn: () => data(api.GET("/api/runs/{id}/changes", byRun(id))),
  });
export const checkpointsQuery = (id: string) =>
  queryOptions({
    queryKey: keys.checkpoints(id),
    queryFn: () => data(api.GET("/api/runs/{id}/checkpoints", byRun(id))),
  });
export const projectsQuery = () =>
  queryOptions({ queryKey: keys.projects, queryFn: () => data(api.GET("/api/projects")) });
export const agentsQuery = (id: string) =>
  queryOptions({
    queryKey: keys.agents(id),
    queryFn: () => data(api.GET("/api/projects/{id}/agents", byRun(id))),
  });
export const branchesQuery = (id: string) =>
  queryOptions({
    queryKey: keys.branches(id),
    queryFn: () => data(api.GET("/api/projects/{id}/branches", byRun(id))),
  });
/** Calls the forge over the network, so only on request. */
export const prStatusQuery = (id: string) =>
  queryOptions({
    queryKey: keys.prStatus(id),
    queryFn: () => data(api.GET("/api/projects/{id}/branches/pr-status", byRun(id))),
  });
/**
 * Folders under the home folder whose path starts with `prefix`; no event reports their changes.
 */
export const foldersQuery = (prefix: string) =>
  queryOptions({
    queryKey: keys.folders(prefix),
    queryFn: () => data(api.GET("/api/fs/dirs", { params: { query: { prefix } } })),
    staleTime: 5000,
  });
export const templatesQuery = () =>
  queryOptions({
    queryKey: keys.templates,
    queryFn: () => data(api.GET("/api/agent-templates")),
  });
export const modelsQuery = () =>
  queryOptions({ queryKey: keys.models, queryFn: () => data(api.GET("/api/settings/models")) });
export const notificationsQuery = () =>
  queryOptions({
    queryKey: keys.notifications,
    queryFn: () => data(api.GET("/api/settings/notifications")),
  });
export const versionQuery = () =>
  queryOptions({ queryKey: keys.version, queryFn: () => data(api.GET("/api/version")) });
