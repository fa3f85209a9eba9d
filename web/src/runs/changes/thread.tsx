import { Pencil, Trash2 } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { Button } from "@/ui/button";
import { TextArea } from "@/ui/field";
import { lineAt, samePlace, type Comment, type Place } from "./comments";
import type { Entry } from "./entries";
import { useReviewOfRun } from "./review";

function Editor({ entry, place, id }: { entry: Entry; place: Place; id: string | null }) {
  const review = useReviewOfRun();
  const [text, setText] = useState(review.draft);
  const box = useRef<HTMLTextAreaElement>(null);
  useEffect(() => box.current?.focus(), []);
  /** Focuses the line, so that the keyboard continues from there. */
  const leave = () => {
    const line = box.current?.closest("tr")?.previousElementSibling;
    if (!(line instanceof HTMLElement)) return;
    line.tabIndex = -1;
    line.focus();
  };
  const close = () => {
    leave();
    review.close();
  };
  const save = () => {
    if (text.trim() === "") return;
    leave();
    const code = lineAt(entry, place.side, place.line) ?? "";
    const { repo, file } = entry;
    const path = place.side === "old" ? (file.old_path ?? file.path) : file.path;
    review.save({ ...place, repo, path, code, text: text.trim() }, id);
  };
  return (
    <div className="space-y-1.5">
      <TextArea
        ref={box}
        aria-label={`Comment on line ${place.line}`}
        placeholder="What should the agent do here?"
        className="field-sizing-content min-h-16"
        value={text}
        onChange={(event) => {
          review.setDraft(event.target.value);
          setText(event.target.value);
        }}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key === "Escape") close();
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            save();
          }
        }}
      />
      <div className="flex items-center justify-end gap-2">
        <span className="mr-auto text-xs text-muted max-md:hidden">
          Ctrl Enter saves, Esc closes
        </span>
        <Button onClick={close}>Close</Button>
        <Button kind="primary" disabled={text.trim() === ""} onClick={save}>
          {id === null ? "Add comment" : "Save changes"}
        </Button>
      </div>
    </div>
  );
}

function Shown({ comment }: { comment: Comment }) {
  const review = useReviewOfRun();
  return (
    <div className="flex items-start gap-1">
      <p className="min-w-0 flex-1 py-1 break-words whitespace-pre-wrap">{comment.text}</p>
      <Button
        kind="quiet"
        icon={<Pencil size={13} />}
        aria-label={`Edit the comment on line ${comment.line}`}
        onClick={() => review.edit(comment)}
      />
      <Button
        kind="quiet"
        icon={<Trash2 size={13} />}
        aria-label={`Remove the comment on line ${comment.line}`}
        onClick={() => review.remove(comment.id)}
      />
    </div>
  );
}

/** The comment on one line, or its editor. */
export function Thread({ entry, place }: { entry: Entry; place: Place }) {
  const { comments, editing } = useReviewOfRun();
  const open = editing && samePlace(editing, place) ? editing : null;
  const here = comments.filter((at) => samePlace(at, place));
  return (
    <div className="m-2 space-y-2 rounded-md border border-line-strong bg-surface p-2 font-sans text-sm text-text">
      {here.map((comment) =>
        comment.id === open?.id ? (
          <Editor key={comment.id} entry={entry} place={place} id={comment.id} />
        ) : (
          <Shown key={comment.id} comment={comment} />
        ),
      )}
      {open && open.id === null && <Editor key="new" entry={entry} place={place} id={null} />}
    </div>
  );
}
