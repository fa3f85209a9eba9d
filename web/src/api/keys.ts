// Keys of the query cache, shared by the queries and the stream that refreshes them.
export const keys = {
  runs: ["runs"] as const,
  /** The open ones of all runs. */
  approvals: ["approvals"] as const,
  run: (id: string) => ["run", id] as const,
  tasks: (id: string) => ["run", id, "tasks"] as const,
  queue: (id: string) => ["run", id, "queue"] as const,
  diffStats: (id: string) => ["run", id, "diff-stats"] as const,
  changes: (id: string) => ["run", id, "changes"] as const,
  checkpoints: (id: string) => ["run", id, "checkpoints"] as const,
  /** Its events about turns, tools and totals. */
  facts: (id: string) => ["run", id, "facts"] as const,
  created: (id: string) => ["run", id, "created"] as const,
  projects: ["projects"] as const,
  agents: (projectId: string) => ["projects", projectId, "agents"] as const,
  branches: (projectId: string) => ["projects", projectId, "branches"] as const,
  prStatus: (projectId: string) => ["projects", projectId, "pr-status"] as const,
  folders: (prefix: string) => ["folders", prefix] as const,
  templates: ["agent-templates"] as const,
  models: ["settings", "models"] as const,
  notifications: ["settings", "notifications"] as const,
  version: ["version"] as const,
};
