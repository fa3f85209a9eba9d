// Messages between the page and the worker that reads a run's log.
import type { RunEvent } from "@/api/client";
import type { Piece } from "./feed";
import type { Row } from "./row";

export interface Details {
  /** The event that began the row, and the last one of it. */
  first: RunEvent;
  last: RunEvent;
  /** Of a message: its whole text. */
  text: string | undefined;
}

/** An event as one line of the raw log. */
export interface RawEvent {
  sequence: number;
  type: string;
  created_at: string;
  essence: string;
}

export type ToWorker =
  | { type: "open"; runId: string; lastSequence: number }
  /** Events of this run from the stream. */
  | { type: "events"; events: RunEvent[] }
  /** The stream restarted: events may have been missed, so read the log. */
  | { type: "place" }
  | { type: "details"; ask: number; row: Pick<Row, "kind" | "first" | "last"> }
  | { type: "raw"; ask: number; page: number }
  /** An empty text ends the search. */
  | { type: "search"; ask: number; text: string };

export type FromWorker =
  | { type: "change"; rows: Row[]; pieces: Piece[]; head: number; live: boolean }
  /** The newest rows, shown until the older ones have been read. */
  | { type: "tail"; rows: Row[]; head: number }
  /** Everything up to `head` was sent; what follows is live. */
  | { type: "ready"; head: number }
  | { type: "failed"; message: string; status: number }
  | { type: "details"; ask: number; details: Details | { error: string } }
  | { type: "raw"; ask: number; page: number; events: RawEvent[] }
  | { type: "found"; ask: number; sequences: number[]; upTo: number; done: boolean };

/** Events in a page of the raw log and of cached details. */
export const PAGE_LEN = 32;
