import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import { useRef, useState } from "react";
import { api, data, type Run } from "@/api/client";
import { queueQuery } from "@/api/queries";
import { useKeys } from "@/app/keys";
import { store, stored } from "@/lib/stored";
import { Button } from "@/ui/button";
import { TextArea } from "@/ui/field";
import { canContinue, canQueue, tried, useRunCalls } from "./actions";
import { MESSAGE_BOX_ID } from "./message-box-id";

/** Messages that wait for the end of the turn, in the order in which they go out. */
function Queue({ run }: { run: Run }) {
  const queue = useQuery({ ...queueQuery(run.id), enabled: run.queue.length > 0 }).data;
  if (run.queue.length === 0 || !queue) return null;
  return (
    <ol aria-label="Messages that wait" className="mb-1.5 space-y-1">
      {run.queue.halted && <li className="text-warn">Nothing goes out: {run.queue.halted}</li>}
      {queue.map((message) => (
        <li key={message.id} className="flex items-center gap-2 rounded bg-sunken px-2 py-0.5">
          <span className="text-xs text-muted">{message.position}</span>
          <span className="min-w-0 flex-1 truncate">{message.message}</span>
          <Button
            kind="quiet"
            icon={<X size={14} />}
            aria-label={`Take back message ${message.position}`}
            onClick={() =>
              void tried("The message was not taken back", () =>
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

/** Enter sends, Shift-Enter breaks. What was not sent is kept, run by run. */
export function MessageBox({ run }: { run: Run }) {
  const draftName = `draft.${run.id}`;
  const [text, setText] = useState(stored(draftName) ?? "");
  const [busy, setBusy] = useState(false);
  const box = useRef<HTMLTextAreaElement>(null);
  const calls = useRunCalls();
  const queues = canQueue(run);
  const open = queues || canContinue(run);
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
    const sent = await tried("The message did not reach the agent", () => calls.send(run, text));
    setBusy(false);
    if (sent) change("");
    box.current?.focus();
  };
  if (!open) {
    return (
      <p className="border-t px-3 py-2 text-muted">
        This run cannot go on: its agent told no session to resume.
      </p>
    );
  }
  return (
    <div className="border-t px-3 py-2">
      <Queue run={run} />
      <div className="flex items-end gap-2">
        <TextArea
          ref={box}
          id={MESSAGE_BOX_ID}
          rows={1}
          aria-label="Message to the agent"
          placeholder={queues ? "Message for after this turn…" : "Message the agent…"}
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
