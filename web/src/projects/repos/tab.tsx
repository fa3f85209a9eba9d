import { useNavigate } from "@tanstack/react-router";
import { FolderGit2, Trash2 } from "lucide-react";
import { useState } from "react";
import type { Project, Schemas } from "@/api/client";
import { runAction } from "@/runs/actions";
import { Button } from "@/ui/button";
import { Confirm } from "@/ui/dialog";
import { succeeded } from "@/ui/toast";
import { useSetupCalls } from "../calls";
import { DeleteProject } from "../delete-project";
import { RepoForm } from "./repo-form";
import { SettingsForm } from "./settings-form";

function RepoRow({ project, repo }: { project: Project; repo: Schemas["RepoView"] }) {
  const calls = useSetupCalls();
  const [removing, setRemoving] = useState(false);
  return (
    <li className="flex items-center gap-3 border-b py-2">
      <FolderGit2 size={16} aria-hidden className="shrink-0 text-muted" />
      <div className="min-w-0 flex-1">
        <p className="font-medium">{repo.name}</p>
        <p className="truncate font-mono text-xs text-muted" title={repo.repo_path}>
          {repo.repo_path}
        </p>
      </div>
      <Button
        kind="quiet"
        icon={<Trash2 size={15} />}
        aria-label={`Remove ${repo.name}`}
        onClick={() => setRemoving(true)}
      />
      <Confirm
        open={removing}
        onOpenChange={setRemoving}
        title={`Remove ${repo.name} from the project?`}
        action="Remove"
        danger
        onConfirm={async () => {
          const gone = await runAction("Could not remove the repository", () =>
            calls.removeRepo(project.id, repo.id),
          );
          if (!gone) throw new Error();
          succeeded(`${repo.name} removed from the project.`);
        }}
      >
        New runs will not include it. Your checkout and its branches are not touched, existing runs
        keep their worktrees, and you can add it again.
      </Confirm>
    </li>
  );
}

export default function ReposTab({ project }: { project: Project }) {
  const [deleting, setDeleting] = useState(false);
  const navigate = useNavigate();
  return (
    <div className="mx-auto max-w-3xl px-4 pt-4 pb-12">
      <h2 className="text-base font-semibold">Repositories</h2>
      <p className="text-muted">Each run gets its own worktree and branch in every repository.</p>
      {project.repos.length > 0 && (
        <ul aria-label="Repositories" className="mt-2 border-t">
          {project.repos.map((repo) => (
            <RepoRow key={repo.id} project={project} repo={repo} />
          ))}
        </ul>
      )}
      <div className="mt-4">
        <RepoForm project={project} />
      </div>
      <h2 className="mt-8 text-base font-semibold">Settings</h2>
      <SettingsForm project={project} />
      <h2 className="mt-8 text-base font-semibold">Delete</h2>
      <p className="mt-1 mb-2 text-muted">
        Deletes the project and its agents. Repositories and runs stay.
      </p>
      <Button kind="danger" icon={<Trash2 size={14} />} onClick={() => setDeleting(true)}>
        Delete project…
      </Button>
      <DeleteProject
        project={project}
        open={deleting}
        onOpenChange={setDeleting}
        onDeleted={() => void navigate({ to: "/projects" })}
      />
    </div>
  );
}
