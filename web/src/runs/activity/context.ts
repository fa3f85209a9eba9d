import { createContext, startTransition, useContext, useEffect, useRef, useState } from "react";
import type { Details } from "./protocol";
import type { Row } from "./row";
import type { FeedStore } from "./store";

export interface Feed {
  store: FeedStore;
  runId: string;
  /** Opens or closes a row's details, or a subagent's block. */
  toggle: (row: Row) => void;
}

export const FeedContext = createContext<Feed | undefined>(undefined);

export function useFeed(): Feed {
  const feed = useContext(FeedContext);
  if (!feed) throw new Error("a row stands outside of its feed");
  return feed;
}

/** A row that flies by while somebody scrolls is not read; it has to stay this long, in milliseconds. */
const STAY_MS = 120;

/** The events of a row, read from the log when the row stays in sight. */
export function useDetails(
  row: Row,
  wanted: boolean,
  wait = STAY_MS,
): Details | { error: string } | undefined {
  const { store } = useFeed();
  const [read, setRead] = useState<{ row: Row; details: Details | { error: string } }>();
  const known = wanted ? store.known(row) : undefined;
  const missing = wanted && known === undefined;
  const latest = useRef(row);
  useEffect(() => {
    latest.current = row;
  });
  // A row that still grows is read again and again, each time when the last answer is there.
  useEffect(() => {
    if (!missing) return;
    let gone = false;
    const timer = setTimeout(() => {
      const row = latest.current;
      void store.details(row).then((details) => {
        if (gone) return;
        startTransition(() => setRead({ row, details }));
      });
    }, wait);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [store, row.first, missing, wait, read]);
  if (known) return known;
  // What was read of the row before it grew is better than nothing.
  return wanted && read?.row.first === row.first ? read.details : undefined;
}
