import { createContext, startTransition, useContext, useEffect, useRef, useState } from "react";
import { useLink } from "@/api/stream";
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

/** How long a row must stay in sight before it is read, in milliseconds. */
const STAY_MS = 120;

interface Read {
  first: number;
  last: number;
  /** Whether the server was online at the request; a failed one is repeated. */
  online: boolean;
  details: Details | { error: string };
}

/**
 * The events of a row, read from the log once the row stays in sight. Undefined while loading, or
 * while the server is unreachable.
 */
export function useDetails(
  row: Row,
  wanted: boolean,
  wait = STAY_MS,
): Details | { error: string } | undefined {
  const { store } = useFeed();
  const { online } = useLink();
  const [read, setRead] = useState<Read>();
  const known = wanted ? store.known(row) : undefined;
  const isRead =
    read?.first === row.first &&
    read.last === row.last &&
    (!("error" in read.details) || read.online === online);
  const missing = wanted && known === undefined && !isRead;
  const latest = useRef(row);
  useEffect(() => {
    latest.current = row;
  });
  // A row that still grows is read again after each response.
  useEffect(() => {
    if (!missing) return;
    let gone = false;
    const timer = setTimeout(() => {
      const { first, last } = latest.current;
      void store.details(latest.current).then((details) => {
        if (gone) return;
        startTransition(() => setRead({ first, last, online, details }));
      });
    }, wait);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [store, row.first, missing, wait, read, online]);
  if (known) return known;
  // Show what was read before the row grew.
  if (!wanted || read?.first !== row.first) return undefined;
  return "error" in read.details && !online ? undefined : read.details;
}
