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
  /** What to say when it failed. */
  failure: string;
  /** Does it; `force` when the person said to go on without what cannot be kept. */
  act: (force: boolean) => Promise<unknown>;
}

/**
 * Asks before files of a run are replaced or removed. When the server says that some of them cannot be
 * kept, it lists them and asks once more.
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
      title={unkept ? "Some of the work cannot be kept" : title}
      action={unkept ? `${action} without it` : action}
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
          <p>Nothing was changed yet. No checkpoint can hold this:</p>
          <ul className="my-2 max-h-[40dvh] space-y-1 overflow-y-auto rounded-md border border-warn/40 bg-warn-soft px-3 py-2 text-text">
            {unkept.map((line) => (
              <li key={line} className="break-words">
                {line}
              </li>
            ))}
          </ul>
          <p>
            To keep it, move it out of the worktree or make it readable, and begin again. Without
            it, what is replaced or removed there cannot be brought back.
          </p>
        </div>
      ) : (
        children
      )}
    </Confirm>
  );
}
