// Dialogs for the text of a commit or pull request and the name of a branch.
import { useState, type FormEvent, type ReactNode } from "react";
import type { Run } from "@/api/client";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Check, Field, Input, TextArea } from "@/ui/field";
import { succeeded } from "@/ui/toast";
import { ConfirmLoss } from "../confirm-loss";
import type { ShipCalls } from "./calls";
import { suggestedMessage } from "./ship";

export interface DialogProps {
  run: Run;
  calls: ShipCalls;
  onClose: () => void;
}

interface AskProps {
  title: string;
  description: ReactNode;
  action: string;
  ready: boolean;
  /** Whether the dialog may close. */
  act: () => Promise<boolean>;
  onClose: () => void;
  children: ReactNode;
}

function Ask({ title, description, action, ready, act, onClose, children }: AskProps) {
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (!ready || busy) return;
    setBusy(true);
    const done = await act();
    setBusy(false);
    if (done) onClose();
  };
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={title}
      description={description}
      footer={
        <>
          <Button onClick={onClose}>Close</Button>
          <Button kind="primary" type="submit" form="ask" busy={busy} disabled={!ready}>
            {action}
          </Button>
        </>
      }
    >
      <form id="ask" className="mt-3" onSubmit={(event) => void submit(event)}>
        {children}
      </form>
    </Dialog>
  );
}

export function CommitDialog({ run, calls, onClose }: DialogProps) {
  const [message, setMessage] = useState(() => suggestedMessage(run.task));
  return (
    <Ask
      title="Commit changes"
      description="Commits everything in the worktree, one commit per repo with changes. The repo's commit hooks run."
      action="Commit"
      ready={message.trim() !== ""}
      // The page shows the result, so the dialog closes in any case.
      act={async () => {
        await calls.commit(message);
        return true;
      }}
      onClose={onClose}
    >
      <Field label="Message">
        {(ids) => (
          <TextArea
            {...ids}
            className="min-h-28 font-mono"
            value={message}
            onChange={(event) => setMessage(event.target.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
                event.preventDefault();
                event.currentTarget.form?.requestSubmit();
              }
            }}
          />
        )}
      </Field>
    </Ask>
  );
}

export function PullRequestDialog({ run, calls, onClose }: DialogProps) {
  const [title, setTitle] = useState(() => suggestedMessage(run.task));
  const [body, setBody] = useState(() => run.task.trim());
  const [base, setBase] = useState("");
  const [draft, setDraft] = useState(false);
  return (
    <Ask
      title="Open a pull request"
      description={`Pushes ${run.run_branch} and opens a pull request in each repo. Uncommitted changes are not included.`}
      action="Open"
      ready={title.trim() !== ""}
      act={async () => {
        await calls.pullRequest({ title, body, base, draft });
        return true;
      }}
      onClose={onClose}
    >
      <Field label="Title">
        {(ids) => (
          <Input {...ids} value={title} onChange={(event) => setTitle(event.target.value)} />
        )}
      </Field>
      <Field label="Body">
        {(ids) => (
          <TextArea
            {...ids}
            className="min-h-28"
            value={body}
            onChange={(event) => setBody(event.target.value)}
          />
        )}
      </Field>
      <Field label="Base branch" hint="Leave empty for the forge's default branch.">
        {(ids) => (
          <Input
            {...ids}
            placeholder="main"
            value={base}
            onChange={(event) => setBase(event.target.value)}
          />
        )}
      </Field>
      <Check
        label="Open as a draft"
        checked={draft}
        onChange={(event) => setDraft(event.target.checked)}
      />
    </Ask>
  );
}

export function RenameDialog({ run, calls, onClose }: DialogProps) {
  const [name, setName] = useState(run.run_branch);
  const [error, setError] = useState<string>();
  return (
    <Ask
      title="Rename branch"
      description="Renames the branch in all repos of the run or in none. What was pushed under the old name stays there."
      action="Rename"
      ready={name.trim() !== "" && name !== run.run_branch}
      act={async () => {
        try {
          await calls.rename(name.trim());
          succeeded(`Branch renamed to ${name.trim()}`);
          return true;
        } catch (caught) {
          setError(caught instanceof Error ? caught.message : String(caught));
          return false;
        }
      }}
      onClose={onClose}
    >
      <Field label="Name" error={error}>
        {(ids) => (
          <Input
            {...ids}
            className="font-mono"
            value={name}
            onChange={(event) => {
              setName(event.target.value);
              setError(undefined);
            }}
          />
        )}
      </Field>
    </Ask>
  );
}

export function RevertDialog({ run, calls, onClose }: DialogProps) {
  const names = run.repos.map((repo) => repo.name).join(", ");
  return (
    <ConfirmLoss
      open
      onOpenChange={(open) => !open && onClose()}
      title="Revert all changes?"
      action="Revert"
      danger
      failure="Could not revert the changes"
      act={calls.revert}
    >
      This resets the files and branch of {names} to where the run started. A checkpoint is taken
      first, so the files can be restored; commits come back as uncommitted changes. What was pushed
      stays on the remote.
    </ConfirmLoss>
  );
}
