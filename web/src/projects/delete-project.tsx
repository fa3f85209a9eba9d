import { useQuery } from "@tanstack/react-query";
import type { Project } from "@/api/client";
import { agentsQuery } from "@/api/queries";
import { tried } from "@/runs/actions";
import { Confirm } from "@/ui/dialog";
import { told } from "@/ui/toast";
import { useSetupCalls } from "./calls";

interface Props {
  project: Project;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onDeleted?: () => void;
}

/** Says what goes and what stays before a project is deleted. */
export function DeleteProject({ project, open, onOpenChange, onDeleted }: Props) {
  const calls = useSetupCalls();
  const agents = useQuery({ ...agentsQuery(project.id), enabled: open }).data;
  const names = agents?.map((agent) => agent.name).join(", ");
  return (
    <Confirm
      open={open}
      onOpenChange={onOpenChange}
      title={`Delete the project ${project.name}?`}
      action="Delete the project"
      danger
      onConfirm={async () => {
        const gone = await tried("The project was not deleted", () =>
          calls.removeProject(project.id),
        );
        if (!gone) throw new Error();
        told(`Project ${project.name} deleted.`);
        onDeleted?.();
      }}
    >
      <p>
        {names ? `Its agents go for good: ${names}. ` : "It has no agents. "}
        Its scripts and settings go too.
      </p>
      <p className="mt-2">
        Your repositories are not touched. Runs, their events and worktrees stay and can go on.
      </p>
    </Confirm>
  );
}
