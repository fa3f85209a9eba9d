// A message: markdown, read from the log when it is in sight, or while it streams.
import { Suspense, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import type { RunEvent } from "@/api/client";
import { count } from "@/lib/format";
import { lazyPart } from "@/lib/part";
import { splitBlocks, startOf } from "./blocks";
import { useDetails, useFeed } from "./context";
import { LINE_PX } from "./heights";
import { cutNote } from "./sentence";
import type { Row } from "./row";

const Markdown = lazyPart(() => import("./markdown"));

/** Time between two renders of a streaming message, in milliseconds. */
const WORDS_MS = 80;

/** The text of a row that is still streaming or not yet read from the log. */
function useWords(row: Row): string | undefined {
  const { store } = useFeed();
  const { first } = row;
  return useSyncExternalStore(
    useMemo(
      () => (notify: () => void) => {
        let timer: ReturnType<typeof setTimeout> | undefined;
        const stop = store.listenToWords(first, () => {
          timer ??= setTimeout(() => {
            timer = undefined;
            notify();
          }, WORDS_MS);
        });
        return () => {
          clearTimeout(timer);
          stop();
        };
      },
      [store, first],
    ),
    () => store.words(first),
  );
}

function Blocks({ text }: { text: string }) {
  return splitBlocks(text).map((block, at) => (
    <div key={at} className="mt-2 first:mt-0">
      <Markdown text={block} />
    </div>
  ));
}

/** The text of a message or prompt. */
export function MessageText({ row }: { row: Row }) {
  const { store } = useFeed();
  const words = useWords(row);
  const details = useDetails(row, row.state !== "open" || words === undefined);
  const whole = details && !("error" in details) ? (details.text ?? taskOf(details)) : undefined;
  const streamed = words !== undefined;
  // A reader who followed the stream keeps the whole text.
  const [all, setAll] = useState(streamed);
  const done = whole !== undefined && row.state !== "open";
  useEffect(() => {
    if (done && streamed) store.finished(row.first);
  }, [store, row.first, done, streamed]);
  const text = row.state === "open" ? (words ?? whole) : (whole ?? words);
  const placeholder = (
    <p className="break-words whitespace-pre-wrap" style={{ minHeight: row.lines * LINE_PX }}>
      {text === undefined ? row.essence : text.slice(0, 400)}
    </p>
  );
  if (details && "error" in details && text === undefined) {
    return (
      <p className="break-words">
        {row.essence} <span className="text-bad">({details.error})</span>
      </p>
    );
  }
  if (text === undefined) return placeholder;
  const { shown, more } = all ? { shown: text, more: 0 } : startOf(text);
  const note = details && !("error" in details) ? cutNote(details.last.payload, "text") : "";
  return (
    <>
      <Suspense fallback={placeholder}>
        <Blocks text={shown} />
      </Suspense>
      {more > 0 && (
        <button
          type="button"
          className="mt-1 text-sm font-medium text-accent hover:underline"
          onClick={() => setAll(true)}
        >
          Show the rest ({count(more)} characters)
        </button>
      )}
      {note !== "" && more === 0 && <p className="mt-1 text-xs text-muted">{note}</p>}
    </>
  );
}

function taskOf({ first }: { first: RunEvent }): string | undefined {
  return first.event_type === "run.created" ? first.payload.task : undefined;
}
