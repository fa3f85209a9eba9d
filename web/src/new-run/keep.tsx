import { useState } from "react";
import { api, CallError, data, type Run } from "@/api/client";
import { canStop, runAction, useRunCalls } from "@/runs/actions";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Check, Field, Input } from "@/ui/field";
import { FormRefusal, useForm } from "@/projects/use-form";
import { succeeded } from "@/ui/toast";
import { firstLine } from "@/lib/format";

interface Props {
  run: Run;
  all: Run[];
  at: number;
  onClose: () => void;
}

/** Longest suggested commit message, in characters. */
const SUBJECT_MAX = 72;

/** Commits in each repo; nothing to commit is not a failure here. */
async function commitAll(id: string, message: string) {
  const call = api.POST("/api/runs/{id}/commit", { params: { path: { id } }, body: { message } });
  try {
    const failures = (await data(call)).filter((repo) => repo.commit === null);
    if (failures.length > 0) {
      throw new Error(failures.map((repo) => `${repo.repo_name}: ${repo.error}`).join("\n"));
    }
  } catch (error) {
    if (!(error instanceof CallError && error.code === "nothing_to_commit")) throw error;
  }
}

/**
 * Accepts one attempt and cancels the others that are still alive. Accepting pushes the branch, so
 * uncommitted changes are committed first, unless the user declines.
 */
export function KeepDialog({ run, all, at, onClose }: Props) {
  const calls = useRunCalls();
  const { busy, refusals, send } = useForm([]);
  const [commit, setCommit] = useState(true);
  const [message, setMessage] = useState(firstLine(run.task).slice(0, SUBJECT_MAX));
  const others = all.filter((other) => other.id !== run.id && canStop(other));
  const path = { params: { path: { id: run.id } } };

  const keep = async () => {
    const accepted = await send(async () => {
      if (commit) {
        await commitAll(run.id, message);
      }
      const pushed = await data(api.POST("/api/runs/{id}/accept", path));
      const failures = pushed.filter((repo) => !repo.pushed);
      if (failures.length > 0) {
        throw new Error(
          failures.map((repo) => `${repo.repo_name}: ${repo.error ?? "not pushed"}`).join("\n"),
        );
      }
    });
    if (!accepted) return;
    const stopped = await Promise.all(
      others.map((other) =>
        runAction("Could not cancel another attempt", () => calls.cancel(other.id)),
      ),
    );
    const cancelled = stopped.filter(Boolean).length;
    succeeded(
      cancelled > 0
        ? `Attempt ${at + 1} accepted and pushed; ${cancelled} cancelled.`
        : `Attempt ${at + 1} accepted and pushed.`,
    );
    onClose();
  };

  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={`Keep attempt ${at + 1}?`}
      description={
        <>
          This pushes its branch <code>{run.run_branch}</code> and marks the run as accepted.{" "}
          {others.length === 0
            ? "No other attempt is running. "
            : `${others.length === 1 ? "One other attempt is" : `${others.length} other attempts are`} cancelled. `}
          The other attempts keep their work until you delete them.
        </>
      }
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            busy={busy}
            disabled={commit && message.trim() === ""}
            onClick={() => void keep()}
          >
            Accept
          </Button>
        </>
      }
    >
      <div className="mt-3">
        <Check
          label="Commit uncommitted changes"
          checked={commit}
          onChange={(event) => setCommit(event.target.checked)}
        />
        {commit && (
          <Field label="Commit message">
            {(ids) => (
              <Input
                {...ids}
                value={message}
                onChange={(event) => setMessage(event.target.value)}
              />
            )}
          </Field>
        )}
      </div>
      <FormRefusal refusals={refusals} />
    </Dialog>
  );
}
