import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { ChevronLeft, Play } from "lucide-react";
import { Suspense, useEffect, type ComponentType } from "react";
import type { Project } from "@/api/client";
import { agentsQuery, projectsQuery } from "@/api/queries";
import { lazyPart } from "@/lib/part";
import { Button } from "@/ui/button";
import { Empty, Failed, Skeleton } from "@/ui/panes";
import { TabLinks } from "@/ui/tabs";

const TABS: Record<string, ComponentType<{ project: Project }>> = {
  repos: lazyPart(() => import("./repos/tab")),
  agents: lazyPart(() => import("./agents/tab")),
  branches: lazyPart(() => import("./branches/tab")),
};

function Count({ n }: { n: number | undefined }) {
  return n === undefined ? null : <span className="text-xs text-muted">{n}</span>;
}

export function ProjectPage() {
  const { projectId, tab } = useParams({ from: "/projects/$projectId/$tab" });
  const projects = useQuery(projectsQuery());
  const agents = useQuery(agentsQuery(projectId)).data;
  const navigate = useNavigate();
  const project = projects.data?.find((known) => known.id === projectId);
  const name = project?.name;
  useEffect(() => {
    if (name !== undefined) document.title = `${name} · abbado`;
    return () => {
      document.title = "abbado";
    };
  }, [name]);

  if (projects.isPending) return <Skeleton />;
  if (projects.isError) {
    return <Failed error={projects.error} retry={() => void projects.refetch()} />;
  }
  if (!project) {
    return (
      <Empty title="Project not found">
        It may have been deleted.{" "}
        <Link to="/projects" className="text-accent underline">
          All projects
        </Link>
      </Empty>
    );
  }
  const Tab = TABS[tab];
  const to = (part: string) => `/projects/${projectId}/${part}`;
  return (
    <div className="flex h-full min-h-0 flex-col">
      <header className="flex items-center gap-2 px-3 pt-2 pb-1">
        <Link to="/projects" className="-ml-1 p-1.5 text-muted" aria-label="All projects">
          <ChevronLeft size={18} />
        </Link>
        <h1 className="min-w-0 flex-1 truncate text-lg font-semibold">{project.name}</h1>
        <Button
          kind="primary"
          icon={<Play size={14} />}
          onClick={() => void navigate({ to: "/runs/new", search: { project: projectId } })}
        >
          New run
        </Button>
      </header>
      <TabLinks
        label="Project sections"
        current={tab}
        tabs={[
          {
            name: "repos",
            label: (
              <>
                Repositories <Count n={project.repos.length} />
              </>
            ),
            to: to("repos"),
          },
          {
            name: "agents",
            label: (
              <>
                Agents <Count n={agents?.length} />
              </>
            ),
            to: to("agents"),
          },
          { name: "branches", label: "Branches", to: to("branches") },
        ]}
      />
      <div className="min-h-0 flex-1 overflow-y-auto">
        <Suspense fallback={<Skeleton />}>
          {Tab ? (
            <Tab key={projectId} project={project} />
          ) : (
            <Empty title="Page not found">Choose a tab above.</Empty>
          )}
        </Suspense>
      </div>
    </div>
  );
}
