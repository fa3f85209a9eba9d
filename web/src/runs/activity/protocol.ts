// What the page and the worker that reads a run's log say to each other.
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
  /** The stream begins anew: what came meanwhile is to be read. */
  | { type: "place" }
  | { type: "details"; ask: number; row: Pick<Row, "kind" | "first" | "last"> }
  | { type: "raw"; ask: number; page: number }
  /** An empty text ends the search. */
  | { type: "search"; ask: number; text: string };

export type FromWorker =
  | { type: "change"; rows: Row[]; pieces: Piece[]; head: number; live: boolean }
  /** The newest rows, shown until the older ones are there up to them. */
  | { type: "tail"; rows: Row[]; head: number }
  /** Everything up to `head` is told; what comes now is live. */
  | { type: "ready"; head: number }
  | { type: "failed"; message: string; status: number }
  | { type: "details"; ask: number; details: Details | { error: string } }
  | { type: "raw"; ask: number; page: number; events: RawEvent[] }
  | { type: "found"; ask: number; sequences: number[]; upTo: number; done: boolean };

/** Events in a page of the raw log, and of the details that are kept for another look. */
export const PAGE_LEN = 32;
