// Merge, rebase or delete a branch. Errors from the server are shown in full in the dialog.
import { useState } from "react";
import type { Branch } from "@/api/client";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field, Select } from "@/ui/field";
import { succeeded } from "@/ui/toast";
import { useSetupCalls } from "../calls";
import { FormRefusal, useForm } from "../use-form";
import { targets } from "./bars";

export interface Doing {
  what: "merge" | "rebase" | "delete";
  branch: Branch;
}

interface Props {
  projectId: string;
  branch: Branch;
  branches: Branch[];
  onClose: () => void;
}

const short = (commit: string) => commit.slice(0, 10);
const commits = (n: number) => `${n} ${n === 1 ? "commit" : "commits"}`;

function Move({
  kind,
  projectId,
  branch,
  branches,
  onClose,
}: Props & { kind: "merge" | "rebase" }) {
  const calls = useSetupCalls();
  const others = targets(branches, branch);
  const [target, setTarget] = useState(branch.base ?? others[0]?.name ?? "");
  const { busy, refusals, send } = useForm([]);
  const merging = kind === "merge";
  const act = async () => {
    const done = await send(async () => {
      if (merging) {
        const merged = await calls.mergeBranch(projectId, branch, target);
        const how = merged.fast_forward ? "moved forward to" : "merged at";
        succeeded(`${merged.into} ${how} ${short(merged.commit)}.`);
      } else {
        const rebased = await calls.rebaseBranch(projectId, branch, target);
        succeeded(`${branch.name} is now based on ${rebased.onto}, at ${short(rebased.commit)}.`);
      }
    });
    if (done) onClose();
  };
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={merging ? "Merge branch" : "Rebase branch"}
      description={
        merging ? (
          <>
            Merges the {commits(branch.ahead)} of <code>{branch.name}</code> in {branch.repo_name}{" "}
            into the branch you choose. If there is a conflict, nothing changes.
          </>
        ) : (
          <>
            Replays the commits of <code>{branch.name}</code> in {branch.repo_name} on top of the
            branch you choose; their ids change. If there is a conflict, nothing changes.
          </>
        )
      }
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" busy={busy} disabled={target === ""} onClick={() => void act()}>
            {merging ? "Merge" : "Rebase"}
          </Button>
        </>
      }
    >
      <div className="mt-3">
        <Field label={merging ? "Into" : "Onto"}>
          {(ids) => (
            <Select {...ids} value={target} onChange={(event) => setTarget(event.target.value)}>
              {others.map((other) => (
                <option key={other.name} value={other.name}>
                  {other.name}
                  {other.is_default ? " (default)" : ""}
                </option>
              ))}
            </Select>
          )}
        </Field>
        <FormRefusal refusals={refusals} />
      </div>
    </Dialog>
  );
}

function Delete({ projectId, branch, onClose }: Props) {
  const calls = useSetupCalls();
  const [force, setForce] = useState(false);
  const { busy, refusals, send } = useForm([]);
  const act = async () => {
    const done = await send(() => calls.removeBranch(projectId, branch, force));
    if (done) {
      succeeded(
        force
          ? `${branch.name} deleted; its commits are kept under refs/abbado/deleted-branches.`
          : `${branch.name} deleted.`,
      );
      onClose();
    } else if (branch.ahead > 0) {
      setForce(true);
    }
  };
  const refused = refusals[""] !== undefined;
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={`Delete branch ${branch.name}?`}
      description={
        branch.ahead > 0 ? (
          <>
            It has {commits(branch.ahead)} that {branch.base ?? "the default branch"} of{" "}
            {branch.repo_name} does not have, the last one “{branch.subject}”.
            {(branch.unpushed ?? branch.ahead) > 0
              ? " Not all of them are on a remote."
              : ` All are on ${branch.upstream ?? "its remote"}.`}
          </>
        ) : (
          <>
            All its commits are in {branch.base ?? "the default branch"} of {branch.repo_name}, so
            nothing is lost.
          </>
        )
      }
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="danger" busy={busy} onClick={() => void act()}>
            {force ? "Delete anyway" : "Delete branch"}
          </Button>
        </>
      }
    >
      <FormRefusal refusals={refusals} />
      {force && refused && (
        <p className="mt-3 break-words">
          You can delete it anyway: its commits are kept under{" "}
          <code className="font-mono text-xs">
            refs/abbado/deleted-branches/{branch.name}/{branch.commit}
          </code>
          , and{" "}
          <code className="font-mono text-xs">
            git branch {branch.name} {short(branch.commit)}
          </code>{" "}
          restores it from there. A branch that is checked out is never deleted.
        </p>
      )}
    </Dialog>
  );
}

export function BranchDialog(props: Omit<Props, "branch"> & { doing: Doing }) {
  const { doing, ...rest } = props;
  return doing.what === "delete" ? (
    <Delete {...rest} branch={doing.branch} />
  ) : (
    <Move {...rest} branch={doing.branch} kind={doing.what} />
  );
}
