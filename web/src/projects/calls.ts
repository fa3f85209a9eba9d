// Calls that change projects, repos, agents and branches; each refreshes the affected queries. They
// throw `CallError`.
import { useQueryClient, type QueryClient } from "@tanstack/react-query";
import { api, data, type Agent, type Branch, type Project, type Schemas } from "@/api/client";
import { keys } from "@/api/keys";

export type AgentFields = Omit<Schemas["AgentFields"], "provider_config"> & {
  provider_config?: Record<string, unknown> | null;
};

const path = (id: string) => ({ params: { path: { id } } });

export function setupCalls(client: QueryClient) {
  const old = (queryKey: readonly string[], exact = true) =>
    client.invalidateQueries({ queryKey, exact });
  const calls = {
    createProject: async (name: string): Promise<Project> => {
      const made = await data(api.POST("/api/projects", { body: { name } }));
      await old(keys.projects);
      return made as Project;
    },
    changeProject: async (id: string, change: Schemas["ProjectChange"]) => {
      await data(api.PUT("/api/projects/{id}", { ...path(id), body: change }));
      await old(keys.projects);
    },
    removeProject: async (id: string) => {
      await data(api.DELETE("/api/projects/{id}", path(id)));
      client.removeQueries({ queryKey: ["projects", id] });
      await old(keys.projects);
    },
    addRepo: async (projectId: string, name: string, repoPath: string) => {
      const body = { name, repo_path: repoPath };
      const made = await data(api.POST("/api/projects/{id}/repos", { ...path(projectId), body }));
      await Promise.all([old(keys.projects), old(keys.branches(projectId))]);
      return made as Schemas["RepoView"];
    },
    removeRepo: async (projectId: string, repoId: string) => {
      const params = { path: { id: projectId, repo_id: repoId } };
      await data(api.DELETE("/api/projects/{id}/repos/{repo_id}", { params }));
      await Promise.all([old(keys.projects), old(keys.branches(projectId))]);
    },
    /**
     * Creates a project with its first repo, or neither: when the repo is refused, the new project
     * is deleted again. Queries are refreshed only when both exist.
     */
    createProjectWithRepo: async (name: string, repoName: string, repoPath: string) => {
      const project = await data(api.POST("/api/projects", { body: { name } }));
      try {
        const body = { name: repoName, repo_path: repoPath };
        const repo = await data(
          api.POST("/api/projects/{id}/repos", { ...path(project.id), body }),
        );
        return { ...project, repos: [repo] };
      } catch (refused) {
        await data(api.DELETE("/api/projects/{id}", path(project.id)));
        throw refused;
      } finally {
        await old(keys.projects);
      }
    },
    createAgent: async (projectId: string, fields: AgentFields): Promise<Agent> => {
      const body = { ...fields, project_id: projectId } as Schemas["AgentFields"];
      const made = await data(api.POST("/api/agents", { body }));
      await old(keys.agents(projectId));
      return made as Agent;
    },
    changeAgent: async (agent: Agent, fields: AgentFields): Promise<Agent> => {
      const body = fields as Schemas["AgentFields"];
      const changed = await data(api.PUT("/api/agents/{id}", { ...path(agent.id), body }));
      await old(keys.agents(agent.project_id));
      return changed as Agent;
    },
    removeAgent: async (agent: Agent) => {
      await data(api.DELETE("/api/agents/{id}", path(agent.id)));
      await old(keys.agents(agent.project_id));
    },
    mergeBranch: async (projectId: string, branch: Branch, into: string) => {
      const query = { branch: branch.name, repo_id: branch.repo_id, into };
      const params = { path: { id: projectId }, query };
      const merged = await data(api.POST("/api/projects/{id}/branches/merge", { params }));
      await old(keys.branches(projectId));
      return merged as Schemas["MergedView"];
    },
    rebaseBranch: async (projectId: string, branch: Branch, onto: string) => {
      const query = { branch: branch.name, repo_id: branch.repo_id, onto };
      const params = { path: { id: projectId }, query };
      const rebased = await data(api.POST("/api/projects/{id}/branches/rebase", { params }));
      await old(keys.branches(projectId));
      return rebased as Schemas["RebasedView"];
    },
    removeBranch: async (projectId: string, branch: Branch, force: boolean) => {
      const query = { branch: branch.name, repo_id: branch.repo_id, force };
      await data(
        api.DELETE("/api/projects/{id}/branches", { params: { path: { id: projectId }, query } }),
      );
      await old(keys.branches(projectId));
    },
  };
  return calls;
}

export function useSetupCalls() {
  return setupCalls(useQueryClient());
}
