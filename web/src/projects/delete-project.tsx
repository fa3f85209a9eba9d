import { useQuery } from "@tanstack/react-query";
import type { Project } from "@/api/client";
import { agentsQuery } from "@/api/queries";
import { runAction } from "@/runs/actions";
import { Confirm } from "@/ui/dialog";
import { succeeded } from "@/ui/toast";
import { useSetupCalls } from "./calls";

interface Props {
  project: Project;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onDeleted?: () => void;
}

/** Confirms the deletion of a project and says what stays. */
export function DeleteProject({ project, open, onOpenChange, onDeleted }: Props) {
  const calls = useSetupCalls();
  const agents = useQuery({ ...agentsQuery(project.id), enabled: open }).data;
  const names = agents?.map((agent) => agent.name).join(", ");
  return (
    <Confirm
      open={open}
      onOpenChange={onOpenChange}
      title={`Delete project ${project.name}?`}
      action="Delete project"
      danger
      onConfirm={async () => {
        const gone = await runAction("Could not delete the project", () =>
          calls.removeProject(project.id),
        );
        if (!gone) throw new Error();
        succeeded(`Project ${project.name} deleted.`);
        onDeleted?.();
      }}
    >
      <p>
        {names ? `This permanently deletes its agents: ${names}. ` : "It has no agents. "}
        Its scripts and settings are deleted too.
      </p>
      <p className="mt-2">
        Your repositories are not touched. Runs stay, with their events and worktrees, and can be
        continued.
      </p>
    </Confirm>
  );
}
