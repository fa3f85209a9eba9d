// The user's review of a run's changes (viewed files, comments), stored in this browser.
import { createContext, useContext, useMemo, useRef, useState } from "react";
import { useStored } from "@/lib/stored";
import { readComments, samePlace, type Comment, type Place } from "./comments";
import { markOf, type Entry } from "./entries";

/** An open editor, of a new or an existing comment. */
export interface Editing extends Place {
  id: string | null;
}

export interface Review {
  comments: Comment[];
  editing: Editing | null;
  /** What was typed into the open editor so far; it outlives scrolling away. */
  draft: () => string;
  setDraft: (text: string) => void;
  /** Opens the editor at a line, with its comment if there is one. */
  open: (place: Place) => void;
  edit: (comment: Comment) => void;
  close: () => void;
  /** Saves a new comment, or the new text of an existing one. */
  save: (comment: Omit<Comment, "id">, id: string | null) => void;
  remove: (id: string) => void;
  clear: () => void;
  isViewed: (entry: Entry) => boolean;
  setViewed: (entry: Entry, viewed: boolean) => void;
}

const Context = createContext<Review | null>(null);
export const ReviewProvider = Context.Provider;

export function useReviewOfRun(): Review {
  const review = useContext(Context);
  if (!review) throw new Error("no review around");
  return review;
}

function readMarks(kept: string): Record<string, string> {
  try {
    const marks: unknown = JSON.parse(kept);
    return typeof marks === "object" && marks !== null ? (marks as Record<string, string>) : {};
  } catch {
    return {};
  }
}

/** The review of one run. */
export function useReview(runId: string): Review {
  const [keptComments, keepComments] = useStored<string>(`comments.${runId}`, "[]");
  const [keptMarks, keepMarks] = useStored<string>(`viewed.${runId}`, "{}");
  const [editing, setEditing] = useState<Editing | null>(null);
  const draft = useRef("");
  const comments = useMemo(() => readComments(keptComments), [keptComments]);
  const marks = useMemo(() => readMarks(keptMarks), [keptMarks]);
  return useMemo(() => {
    const keep = (next: Comment[]) => keepComments(JSON.stringify(next));
    const start = (next: Editing | null, text: string) => {
      draft.current = text;
      setEditing(next);
    };
    return {
      comments,
      editing,
      draft: () => draft.current,
      setDraft: (text) => {
        draft.current = text;
      },
      open: (place) => {
        if (editing && samePlace(editing, place)) return;
        start({ ...place, id: null }, "");
      },
      edit: ({ key, side, line, id, text }) => start({ key, side, line, id }, text),
      close: () => start(null, ""),
      save: (comment, id) => {
        keep(
          id === null
            ? [...comments, { ...comment, id: crypto.randomUUID() }]
            : comments.map((at) => (at.id === id ? { ...at, text: comment.text } : at)),
        );
        start(null, "");
      },
      remove: (id) => {
        keep(comments.filter((at) => at.id !== id));
        if (editing?.id === id) start(null, "");
      },
      clear: () => keep([]),
      isViewed: ({ key, file }) => key in marks && marks[key] === markOf(file),
      setViewed: ({ key, file }, viewed) => {
        const next = Object.fromEntries(Object.entries(marks).filter(([at]) => at !== key));
        if (viewed) next[key] = markOf(file);
        keepMarks(JSON.stringify(next));
      },
    };
  }, [comments, marks, editing, keepComments, keepMarks]);
}
