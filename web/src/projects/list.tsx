import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { FolderGit2, MoreHorizontal, Play, Plus, Trash2 } from "lucide-react";
import { useMemo, useState } from "react";
import type { Project } from "@/api/client";
import { projectsQuery, runsQuery } from "@/api/queries";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Menu } from "@/ui/menu";
import { Empty, Failed, Skeleton } from "@/ui/panes";
import { Age } from "@/ui/time";
import { countWords, runCounts, type RunCounts } from "./counts";
import { DeleteProject } from "./delete-project";
import { ProjectForm } from "./project-form";

function Row({ project, counts }: { project: Project; counts: RunCounts | undefined }) {
  const [deleting, setDeleting] = useState(false);
  const navigate = useNavigate();
  return (
    <li className="flex items-center gap-2 border-b px-4 py-2.5 hover:bg-hover">
      <div className="min-w-0 flex-1">
        <Link
          to="/projects/$projectId/$tab"
          params={{ projectId: project.id, tab: "repos" }}
          className="text-base font-semibold break-words hover:underline"
        >
          {project.name}
        </Link>
        <p className="text-muted">
          {countWords(counts)} · created <Age time={project.created_at} /> ago
        </p>
        <ul className="mt-1 flex flex-wrap gap-x-4 gap-y-0.5">
          {project.repos.map((repo) => (
            <li key={repo.id} className="flex min-w-0 items-center gap-1.5 text-muted">
              <FolderGit2 size={14} aria-hidden className="shrink-0" />
              <span className="text-text">{repo.name}</span>
              <span className="truncate font-mono text-xs">{repo.repo_path}</span>
            </li>
          ))}
          {project.repos.length === 0 && (
            <li className="text-warn">No repository yet. Add one to start runs.</li>
          )}
        </ul>
      </div>
      <Button
        icon={<Play size={14} />}
        className="max-md:hidden"
        onClick={() => void navigate({ to: "/runs/new", search: { project: project.id } })}
      >
        New run
      </Button>
      <Menu
        items={[
          {
            label: "New run",
            icon: <Play size={14} />,
            onSelect: () => void navigate({ to: "/runs/new", search: { project: project.id } }),
          },
          null,
          {
            label: "Delete…",
            icon: <Trash2 size={14} />,
            danger: true,
            onSelect: () => setDeleting(true),
          },
        ]}
      >
        <Button
          kind="quiet"
          icon={<MoreHorizontal size={16} />}
          aria-label={`More actions for ${project.name}`}
        />
      </Menu>
      <DeleteProject project={project} open={deleting} onOpenChange={setDeleting} />
    </li>
  );
}

export function ProjectsPage() {
  // No event reports a change made in another window, so projects are read on each visit.
  const projects = useQuery({ ...projectsQuery(), refetchOnMount: "always" });
  const runs = useQuery(runsQuery()).data;
  const counts = useMemo(() => runCounts(runs ?? []), [runs]);
  const [making, setMaking] = useState(false);
  const navigate = useNavigate();
  return (
    <div className="flex h-full min-h-0 flex-col">
      <header className="flex items-center gap-2 border-b px-4 py-2">
        <h1 className="flex-1 text-lg font-semibold">Projects</h1>
        <Button kind="primary" icon={<Plus size={15} />} onClick={() => setMaking(true)}>
          New project
        </Button>
      </header>
      <div className="min-h-0 flex-1 overflow-y-auto">
        {projects.isPending ? (
          <Skeleton lines={6} />
        ) : projects.isError ? (
          <Failed error={projects.error} retry={() => void projects.refetch()} />
        ) : projects.data.length === 0 ? (
          <Empty title="No project yet">
            <p>
              A project is one or more repositories that agents work on together, with their agents
              and scripts.
            </p>
            <Button kind="primary" className="mt-4" onClick={() => setMaking(true)}>
              Create your first project
            </Button>
          </Empty>
        ) : (
          <ul aria-label="Projects">
            {projects.data.map((project) => (
              <Row key={project.id} project={project} counts={counts.get(project.id)} />
            ))}
          </ul>
        )}
      </div>
      <Dialog open={making} onOpenChange={setMaking} title="New project">
        <ProjectForm
          onMade={(project) =>
            void navigate({
              to: "/projects/$projectId/$tab",
              params: {
                projectId: project.id,
                tab: project.repos.length > 0 ? "agents" : "repos",
              },
            })
          }
        />
      </Dialog>
    </div>
  );
}
