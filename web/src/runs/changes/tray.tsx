import { MessageSquare, Pencil, Trash2 } from "lucide-react";
import { useState } from "react";
import type { Run } from "@/api/client";
import { bytes } from "@/lib/format";
import { Button } from "@/ui/button";
import { succeeded } from "@/ui/toast";
import { canContinue, canQueue, runAction, useRunCalls } from "../actions";
import { bytesOf, lineAt, MESSAGE_BYTES_MAX, messageOf, type Comment } from "./comments";
import type { Entry } from "./entries";
import { useReviewOfRun } from "./review";

interface Props {
  run: Run;
  entries: Entry[];
  onGo: (comment: Comment) => void;
}

/** Comments that are not sent yet, with a button that sends them all. */
export function Tray({ run, entries, onGo }: Props) {
  const review = useReviewOfRun();
  const calls = useRunCalls();
  const [open, setOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  const { comments } = review;
  if (comments.length === 0) return null;
  const severalRepos = run.repos.length > 1;
  const text = messageOf(comments, severalRepos);
  const size = bytesOf(text);
  const tooLong = size > MESSAGE_BYTES_MAX;
  const queues = canQueue(run);
  const reaches = queues || canContinue(run);
  const send = async () => {
    setBusy(true);
    const sent = await runAction("Could not send the comments", () => calls.send(run, text));
    setBusy(false);
    if (!sent) return;
    review.clear();
    setOpen(false);
    succeeded(queues ? "Comments queued until the turn ends" : "Comments sent");
  };
  const byKey = new Map(entries.map((entry) => [entry.key, entry]));
  return (
    <section aria-label="Comments for the agent" className="border-t bg-sunken">
      {open && (
        <ol className="max-h-60 divide-y overflow-y-auto border-b">
          {comments.map((comment) => {
            const entry = byKey.get(comment.key);
            const now = entry && lineAt(entry, comment.side, comment.line);
            return (
              <li key={comment.id} className="flex items-start gap-2 px-3 py-1.5">
                <div className="min-w-0 flex-1">
                  <button
                    type="button"
                    className="block max-w-full truncate font-mono text-xs text-accent hover:underline"
                    onClick={() => onGo(comment)}
                  >
                    {severalRepos ? `${comment.repo}/` : ""}
                    {comment.path}:{comment.line}
                    {comment.side === "old" ? " (old side)" : ""}
                  </button>
                  <code className="block truncate text-xs text-muted">{comment.code}</code>
                  <p className="break-words whitespace-pre-wrap">{comment.text}</p>
                  {now !== comment.code && (
                    <p className="text-xs text-warn">
                      This line has changed; the comment quotes the old one.
                    </p>
                  )}
                </div>
                <Button
                  kind="quiet"
                  icon={<Pencil size={13} />}
                  aria-label={`Edit: ${comment.text.slice(0, 40)}`}
                  disabled={!entry}
                  onClick={() => {
                    review.edit(comment);
                    onGo(comment);
                  }}
                />
                <Button
                  kind="quiet"
                  icon={<Trash2 size={13} />}
                  aria-label={`Remove: ${comment.text.slice(0, 40)}`}
                  onClick={() => review.remove(comment.id)}
                />
              </li>
            );
          })}
        </ol>
      )}
      <div className="flex flex-wrap items-center gap-2 px-3 py-1.5">
        <Button
          kind="quiet"
          icon={<MessageSquare size={14} />}
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        >
          {comments.length} {comments.length === 1 ? "comment" : "comments"}
        </Button>
        <span className="min-w-0 flex-1 text-xs text-muted">
          {tooLong ? (
            <span role="alert" className="text-bad">
              {bytes(size)} in total; a message can hold 64 KiB. Remove or shorten some.
            </span>
          ) : !reaches ? (
            "This run cannot be continued: its CLI reported no session to resume."
          ) : queues ? (
            "The agent is working; the comments are sent when its turn ends."
          ) : (
            ""
          )}
        </span>
        <Button
          kind="primary"
          busy={busy}
          disabled={tooLong || !reaches}
          onClick={() => void send()}
        >
          {queues ? "Queue for the agent" : "Send to agent"}
        </Button>
      </div>
    </section>
  );
}
