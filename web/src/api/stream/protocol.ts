// Messages between pages and the stream's worker.
import type { RunEvent } from "../client";

/** From the worker to a page. */
export type FromStream =
  /** The stream is at this position; every later event will be sent. */
  | { type: "at"; lastEventId: number }
  | { type: "events"; events: RunEvent[] }
  /** `since`: milliseconds of the epoch at which the connection was last known to be good. */
  | { type: "link"; online: boolean; since: number };

/** From a page to the worker. */
export type ToStream = { type: "hello" } | { type: "bye" };

/** Events within this time are sent as one batch, in milliseconds. */
export const JOIN_MS = 40;
/** Waits after a failure, in milliseconds: the first, doubled up to the second. */
export const RETRY_MS = [500, 8000] as const;
