// Choices for a new run: branches, past tasks, the agent used last.
import type { Branch, Project, Run } from "@/api/client";

/** Names of branches that every repo of the project has: a run starts in all of them. */
export function commonBranches(branches: readonly Branch[], project: Project): string[] {
  const repos = new Map<string, Set<string>>();
  for (const { name, repo_id } of branches) {
    repos.set(name, (repos.get(name) ?? new Set()).add(repo_id));
  }
  const defaults = new Set(branches.filter((b) => b.is_default).map((b) => b.name));
  return [...repos]
    .filter(([, found]) => project.repos.every((repo) => found.has(repo.id)))
    .map(([name]) => name)
    .sort((a, b) => Number(defaults.has(b)) - Number(defaults.has(a)) || a.localeCompare(b));
}

/** Distinct tasks of past runs, newest first, those of the project before all others. */
export function pastTasks(runs: readonly Run[], projectId: string): string[] {
  const newest = [...runs].sort((a, b) => b.created_at.localeCompare(a.created_at));
  const own = newest.filter((run) => run.project_id === projectId);
  const others = newest.filter((run) => run.project_id !== projectId);
  return [...new Set([...own, ...others].map((run) => run.task.trim()))];
}

/** The agent of the project's newest run, when it is still there; else the first. */
export function usualAgent(
  agentIds: readonly string[],
  runs: readonly Run[],
  projectId: string,
): string | undefined {
  const newest = runs
    .filter((run) => run.project_id === projectId && agentIds.includes(run.agent_id))
    .sort((a, b) => b.created_at.localeCompare(a.created_at))[0];
  return newest?.agent_id ?? agentIds[0];
}

/** Groups of several runs with the same task in the same project, to be compared. */
export function attemptsAtOneTask(runs: readonly Run[]): { task: string; runs: Run[] }[] {
  const groups = new Map<string, Run[]>();
  for (const run of runs) {
    const key = `${run.project_id} ${run.task.trim()}`;
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  return [...groups.values()].flatMap((group) =>
    group.length > 1 && group[0] ? [{ task: group[0].task, runs: group }] : [],
  );
}
