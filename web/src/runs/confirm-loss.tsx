import { useState, type ReactNode } from "react";
import { Confirm } from "@/ui/dialog";
import { failed } from "@/ui/toast";
import { notKept } from "./left-out";

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  children: ReactNode;
  action: string;
  danger?: boolean;
  /** Title of the toast when it fails. */
  failure: string;
  /** The action; `force` when the user accepts the loss of what cannot be saved. */
  act: (force: boolean) => Promise<unknown>;
}

/**
 * Confirms an action that replaces or removes files of a run. When the server reports files that
 * cannot be saved, it lists them and asks again.
 */
export function ConfirmLoss(props: Props) {
  const { open, onOpenChange, title, children, action, danger, failure, act } = props;
  const [unkept, setUnkept] = useState<string[] | null>(null);
  const change = (next: boolean) => {
    if (!next) setUnkept(null);
    onOpenChange(next);
  };
  return (
    <Confirm
      open={open}
      onOpenChange={change}
      title={unkept ? "Some of the work cannot be saved" : title}
      action={unkept ? `${action} anyway` : action}
      danger={danger === true || unkept !== null}
      onConfirm={async () => {
        try {
          await act(unkept !== null);
        } catch (error) {
          const lines = unkept === null ? notKept(error) : undefined;
          if (lines) setUnkept(lines);
          else failed(failure, error);
          throw error;
        }
      }}
    >
      {unkept ? (
        <div role="alert">
          <p>Nothing has changed yet. No checkpoint can contain this:</p>
          <ul className="my-2 max-h-[40dvh] space-y-1 overflow-y-auto rounded-md border border-warn/40 bg-warn-soft px-3 py-2 text-text">
            {unkept.map((line) => (
              <li key={line} className="break-words">
                {line}
              </li>
            ))}
          </ul>
          <p>
            To keep it, move it out of the worktree or make it readable, then try again. If you
            proceed, what is replaced or removed there cannot be restored.
          </p>
        </div>
      ) : (
        children
      )}
    </Confirm>
  );
}
