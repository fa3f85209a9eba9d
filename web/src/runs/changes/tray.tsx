import { MessageSquare, Pencil, Trash2 } from "lucide-react";
import { useState } from "react";
import type { Run } from "@/api/client";
import { bytes } from "@/lib/format";
import { Button } from "@/ui/button";
import { told } from "@/ui/toast";
import { canContinue, canQueue, tried, useRunCalls } from "../actions";
import { bytesOf, lineAt, MESSAGE_BYTES_MAX, messageOf, type Comment } from "./comments";
import type { Entry } from "./entries";
import { useReviewOfRun } from "./review";

interface Props {
  run: Run;
  entries: Entry[];
  onGo: (comment: Comment) => void;
}

/** Comments that wait, and the way to the agent for all of them at once. */
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
    const sent = await tried("The comments did not reach the agent", () => calls.send(run, text));
    setBusy(false);
    if (!sent) return;
    review.clear();
    setOpen(false);
    told(queues ? "The comments wait for the end of the turn" : "The agent has the comments");
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
                      The line is another one now; the comment quotes the old one.
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
              {bytes(size)} together, and a message takes 64 KiB: remove or shorten some.
            </span>
          ) : !reaches ? (
            "This run cannot go on: its agent told no session to resume."
          ) : queues ? (
            "The agent works: they go out at the end of its turn."
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
