// What pages and the stream's worker say to each other.
import type { RunEvent } from "../client";

/** From the worker to a page. */
export type FromStream =
  /** The stream stands at this place; everything after it will be told. */
  | { type: "at"; lastEventId: number }
  | { type: "events"; events: RunEvent[] }
  /** `since`: milliseconds of the epoch at which the connection was last known to be good. */
  | { type: "link"; online: boolean; since: number };

/** From a page to the worker. */
export type ToStream = { type: "hello" } | { type: "bye" };

/** Events that come within so many milliseconds are told together. */
export const JOIN_MS = 40;
/** After a failure the stream waits so long, doubled up to the second, in milliseconds. */
export const RETRY_MS = [500, 8000] as const;
