import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { ChevronLeft, Sparkles } from "lucide-react";
import { useState } from "react";
import { agentsQuery, projectsQuery } from "@/api/queries";
import { useStored } from "@/lib/stored";
import { Button } from "@/ui/button";
import { Field, Select } from "@/ui/field";
import { Failed, Skeleton } from "@/ui/panes";
import { DemoDialog } from "./demo";
import { AgentStep, ProjectStep, RepoStep } from "./first-steps";
import { RunForm } from "./run-form";

/**
 * Leads to a run. What is still missing (a project, a repository, an agent) is created first, one
 * step after the other.
 */
export function NewRunPage() {
  const search = useSearch({ from: "/runs/new" });
  const navigate = useNavigate();
  const projects = useQuery({ ...projectsQuery(), refetchOnMount: "always" });
  const [last, setLast] = useStored<string>("new-run.project", "");
  const [demo, setDemo] = useState(false);
  const all = projects.data ?? [];
  const wanted = search.project ?? last;
  const project = all.find((known) => known.id === wanted) ?? all[0];
  const agents = useQuery({
    ...agentsQuery(project?.id ?? ""),
    enabled: project !== undefined,
    refetchOnMount: "always",
  });
  const choose = (id: string) => {
    setLast(id);
    void navigate({ to: "/runs/new", search: { ...search, project: id }, replace: true });
  };
  const closeDemo = () => {
    setDemo(false);
    if (search.demo) void navigate({ to: "/runs/new", search: {}, replace: true });
  };

  let body;
  if (projects.isPending || (project && agents.isPending)) body = <Skeleton />;
  else if (projects.isError) {
    body = <Failed error={projects.error} retry={() => void projects.refetch()} />;
  } else if (!project) body = <ProjectStep onMade={(made) => choose(made.id)} />;
  else if (agents.isError) {
    body = <Failed error={agents.error} retry={() => void agents.refetch()} />;
  } else if (project.repos.length === 0) body = <RepoStep project={project} />;
  else if (!agents.data?.length) body = <AgentStep key={project.id} project={project} />;
  else {
    body = (
      <RunForm
        key={project.id}
        project={project}
        agents={agents.data}
        {...(search.task === undefined ? {} : { task: search.task })}
      />
    );
  }
  return (
    <div className="h-full overflow-y-auto">
      <div className="mx-auto max-w-2xl px-4 pt-3 pb-12">
        <header className="flex items-center gap-2">
          <Link to="/runs" className="-ml-2 p-2 md:hidden" aria-label="Back to the list">
            <ChevronLeft size={18} />
          </Link>
          <h1 className="flex-1 text-lg font-semibold">New run</h1>
          <Button kind="quiet" icon={<Sparkles size={14} />} onClick={() => setDemo(true)}>
            Try the demo agent
          </Button>
        </header>
        {all.length > 0 && project && (
          <div className="mt-3">
            <Field label="Project">
              {(ids) => (
                <Select
                  {...ids}
                  value={project.id}
                  onChange={(event) => choose(event.target.value)}
                >
                  {all.map((known) => (
                    <option key={known.id} value={known.id}>
                      {known.name}
                    </option>
                  ))}
                </Select>
              )}
            </Field>
          </div>
        )}
        {body}
      </div>
      {(demo || search.demo) && <DemoDialog projects={all} onClose={closeDemo} />}
    </div>
  );
}
