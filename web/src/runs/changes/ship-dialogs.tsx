// Dialogs that ask what a commit, a pull request or a branch is to be called.
import { useState, type FormEvent, type ReactNode } from "react";
import type { Run } from "@/api/client";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Check, Field, Input, TextArea } from "@/ui/field";
import { told } from "@/ui/toast";
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
  /** Whether the dialog may go. */
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
      title="Commit the changes"
      description="Everything in the worktree goes into one commit of each repo with changes. The commit hooks of the repo run."
      action="Commit"
      ready={message.trim() !== ""}
      // What came of it stands in the page; the dialog has done its part.
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
      description={`Pushes ${run.run_branch} and opens one in each repo. What was not committed is not in it.`}
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
      <Field label="Base branch" hint="Empty: the default branch of the forge.">
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
        label="As a draft"
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
      title="Rename the branch"
      description="In all repos of the run, or in none. What was pushed under the old name stays there."
      action="Rename"
      ready={name.trim() !== "" && name !== run.run_branch}
      act={async () => {
        try {
          await calls.rename(name.trim());
          told(`The branch is called ${name.trim()}`);
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
      title="Take back all changes?"
      action="Revert"
      danger
      failure="Nothing was reverted"
      act={calls.revert}
    >
      Files and branch of {names} go back to where the run began. A checkpoint is taken first, so
      the files can be brought back; commits that were made come back as uncommitted changes. What
      was pushed stays at the remote.
    </ConfirmLoss>
  );
}
