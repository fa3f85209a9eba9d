// A page's end of the stream: event listeners and the state of the connection.
import { useSyncExternalStore } from "react";
import type { RunEvent } from "../client";
import type { FromStream } from "./protocol";
import { StreamSource } from "./source";

export interface Link {
  online: boolean;
  /** Milliseconds of the epoch. */
  since: number;
}

type OnEvents = (events: RunEvent[]) => void;
type OnPlace = () => void;

const eventListeners = new Set<OnEvents>();
const placeListeners = new Set<OnPlace>();
const linkListeners = new Set<() => void>();
let link: Link = { online: true, since: Date.now() };
let started = false;

function take(message: FromStream) {
  switch (message.type) {
    case "at":
      for (const listener of placeListeners) listener();
      break;
    case "events":
      for (const listener of eventListeners) listener(message.events);
      break;
    case "link":
      link = { online: message.online, since: message.since };
      for (const listener of linkListeners) listener();
      break;
  }
}

/** Connects this page, once. Without SharedWorker the page opens its own stream. */
export function startStream() {
  if (started) return;
  started = true;
  if (typeof SharedWorker === "undefined") {
    new StreamSource(take);
    return;
  }
  const worker = new SharedWorker(new URL("./worker.ts", import.meta.url), {
    type: "module",
    name: "abbado-stream",
  });
  worker.port.onmessage = (message: MessageEvent<FromStream>) => take(message.data);
  worker.port.start();
  worker.port.postMessage({ type: "hello" });
  addEventListener("pagehide", () => worker.port.postMessage({ type: "bye" }));
  addEventListener("pageshow", (event) => {
    if (event.persisted) worker.port.postMessage({ type: "hello" });
  });
}

/** Calls `listener` with each batch of events, in order. Returns the function that unsubscribes. */
export function onEvents(listener: OnEvents): () => void {
  eventListeners.add(listener);
  return () => eventListeners.delete(listener);
}

/** Calls `listener` when the stream has a new position: data read before may be stale. */
export function onPlace(listener: OnPlace): () => void {
  placeListeners.add(listener);
  return () => placeListeners.delete(listener);
}

function onLink(listener: () => void) {
  linkListeners.add(listener);
  return () => linkListeners.delete(listener);
}

/** Whether the server is connected, and since when. */
export function useLink(): Link {
  return useSyncExternalStore(onLink, () => link);
}
