import { useNavigate } from "@tanstack/react-router";
import type { Run } from "@/api/client";
import { succeeded } from "@/ui/toast";
import { useRunCalls } from "./actions";
import { ConfirmLoss } from "./confirm-loss";

/** Confirms the deletion of a run and says what stays. */
export function DeleteDialog(props: {
  run: Run;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const { run, open, onOpenChange } = props;
  const calls = useRunCalls();
  const navigate = useNavigate();
  const names = run.repos.map((repo) => repo.name).join(", ");
  return (
    <ConfirmLoss
      open={open}
      onOpenChange={onOpenChange}
      title="Delete this run?"
      action="Delete run"
      danger
      failure="Could not delete the run"
      act={async (force) => {
        await calls.remove(run.id, force);
        succeeded("Run deleted. Its work is kept for 30 days.");
        await navigate({ to: "/runs" });
      }}
    >
      This deletes its worktree, branch <code>{run.run_branch}</code>, events and logs. Unmerged
      work is kept in {names} for 30 days, under <code>refs/abbado/deleted/{run.id}</code>.
    </ConfirmLoss>
  );
}
