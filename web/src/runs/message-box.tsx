import { useQuery } from "@tanstack/react-query";
import { RotateCcw, TriangleAlert, X } from "lucide-react";
import { useRef, useState } from "react";
import { api, data, type Run } from "@/api/client";
import { queueQuery } from "@/api/queries";
import { useKeys } from "@/app/keys";
import { store, stored } from "@/lib/stored";
import { Button } from "@/ui/button";
import { TextArea } from "@/ui/field";
import { canContinue, canQueue, canRetry, runAction, useRunCalls } from "./actions";
import { MESSAGE_BOX_ID } from "./message-box-id";

/** Queued messages for the end of the turn, in the order in which they go out. */
function Queue({ run }: { run: Run }) {
  const queue = useQuery({ ...queueQuery(run.id), enabled: run.queue.length > 0 }).data;
  if (run.queue.length === 0 || !queue) return null;
  return (
    <ol aria-label="Queued messages" className="mb-1.5 space-y-1">
      {run.queue.halted && <li className="text-warn">Not sent: {run.queue.halted}</li>}
      {queue.map((message) => (
        <li key={message.id} className="flex items-center gap-2 rounded bg-sunken px-2 py-0.5">
          <span className="text-xs text-muted">{message.position}</span>
          <span className="min-w-0 flex-1 truncate">{message.message}</span>
          <Button
            kind="quiet"
            icon={<X size={14} />}
            aria-label={`Remove message ${message.position}`}
            onClick={() =>
              void runAction("Could not remove the message", () =>
                data(
                  api.DELETE("/api/runs/{id}/queue/{message_id}", {
                    params: { path: { id: run.id, message_id: message.id } },
                  }),
                ),
              )
            }
          />
        </li>
      ))}
    </ol>
  );
}

/** Enter sends, Shift+Enter breaks the line. Unsent text is stored per run. */
export function MessageBox({ run }: { run: Run }) {
  const draftName = `draft.${run.id}`;
  const [text, setText] = useState(stored(draftName) ?? "");
  const [busy, setBusy] = useState(false);
  const box = useRef<HTMLTextAreaElement>(null);
  const calls = useRunCalls();
  const [refusal, setRefusal] = useState<string | null>(null);
  // A message resumes a suspended CLI.
  const queues = canQueue(run) && !run.process.stopped;
  const open = canQueue(run) || canContinue(run);
  const change = (next: string) => {
    setText(next);
    store(draftName, next || null);
  };
  useKeys({
    c: (event) => {
      event.preventDefault();
      box.current?.focus();
    },
  });
  const send = async () => {
    if (text.trim() === "" || busy) return;
    setBusy(true);
    setRefusal(null);
    try {
      await calls.send(run, text);
      change("");
    } catch (error) {
      setRefusal(error instanceof Error ? error.message : String(error));
    }
    setBusy(false);
    box.current?.focus();
  };
  if (canRetry(run)) {
    const retry = () => void runAction("Could not retry the run", () => calls.retry(run.id));
    return (
      <div className="flex items-center gap-2 border-t px-3 py-2 text-muted">
        <p className="min-w-0 flex-1">The CLI never started. You can retry with the same task.</p>
        <Button icon={<RotateCcw size={14} />} onClick={retry}>
          Try again
        </Button>
      </div>
    );
  }
  if (!open) {
    return (
      <p className="border-t px-3 py-2 text-muted">
        This run cannot be continued: its CLI reported no session to resume.
      </p>
    );
  }
  return (
    <div className="border-t px-3 py-2">
      <Queue run={run} />
      {refusal !== null && (
        <div role="alert" className="mb-1.5 flex items-start gap-1.5">
          <TriangleAlert size={14} className="mt-0.5 shrink-0 text-bad" aria-hidden />
          <p className="max-h-32 min-w-0 flex-1 overflow-y-auto break-words whitespace-pre-wrap">
            <strong className="font-medium text-bad">Could not send the message.</strong> {refusal}
          </p>
          <Button
            kind="quiet"
            className="!h-6 !w-6"
            icon={<X size={13} />}
            aria-label="Dismiss"
            onClick={() => setRefusal(null)}
          />
        </div>
      )}
      <div className="flex items-end gap-2">
        <TextArea
          ref={box}
          id={MESSAGE_BOX_ID}
          rows={1}
          aria-label="Message to the agent"
          placeholder={queues ? "Message to send after this turn…" : "Message the agent…"}
          className="field-sizing-content max-h-40 !min-h-8 resize-none max-md:!min-h-9"
          value={text}
          disabled={busy}
          onChange={(event) => change(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
              event.preventDefault();
              void send();
            }
            if (event.key === "Escape") event.currentTarget.blur();
          }}
        />
        <Button
          kind="primary"
          className="md:!h-8"
          busy={busy}
          disabled={text.trim() === ""}
          onClick={() => void send()}
        >
          {queues ? "Queue" : "Continue"}
        </Button>
      </div>
    </div>
  );
}
