// One connection to GET /api/events/stream, kept for all pages of this browser.
import type { RunEvent } from "../client";
import { JOIN_MS, RETRY_MS, type FromStream } from "./protocol";

/**
 * Reads the stream of all runs from its current head. A broken connection is reopened after the
 * last event seen, so that no event is lost or repeated.
 */
export class StreamSource {
  #send: (message: FromStream) => void;
  #lastEventId: number | null = null;
  #log: string | null = null;
  #link: FromStream & { type: "link" } = { type: "link", online: false, since: Date.now() };
  #joined: RunEvent[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wait: number = RETRY_MS[0];

  constructor(send: (message: FromStream) => void) {
    this.#send = send;
    void this.#open();
  }

  /** What a page that connects later has to know. */
  greeting(): FromStream[] {
    this.#flush();
    const at = this.#lastEventId;
    return at === null ? [this.#link] : [{ type: "at", lastEventId: at }, this.#link];
  }

  async #open() {
    try {
      const answer = await fetch("/api/events/head");
      if (!answer.ok) throw new Error(`${answer.status}`);
      const head = (await answer.json()) as { last_event_id: number; log: string };
      // Another log: the server was started on other data, where our position is meaningless.
      if (this.#log !== head.log) this.#startAt(head.last_event_id, head.log);
    } catch {
      this.#again();
      return;
    }
    const source = new EventSource(`/api/events/stream?last_event_id=${this.#lastEventId}`);
    source.onopen = () => {
      this.#wait = RETRY_MS[0];
      this.#say(true);
    };
    source.onmessage = (message: MessageEvent<string>) => {
      const event = JSON.parse(message.data) as RunEvent;
      this.#lastEventId = event.id;
      this.#joined.push(event);
      this.#timer ??= setTimeout(() => this.#flush(), JOIN_MS);
    };
    // The log ends before our position: it was restored to an earlier state.
    source.addEventListener("resync", (message: MessageEvent<string>) => {
      const { head, log } = JSON.parse(message.data) as { head: number; log: string };
      this.#startAt(head, log);
    });
    source.onerror = () => {
      // The browser's own retries give up on some errors.
      source.close();
      this.#again();
    };
  }

  /** Data that pages have read may be stale from here on. */
  #startAt(lastEventId: number, log: string) {
    this.#joined = [];
    this.#lastEventId = lastEventId;
    this.#log = log;
    this.#send({ type: "at", lastEventId });
  }

  #again() {
    this.#say(false);
    setTimeout(() => void this.#open(), this.#wait);
    this.#wait = Math.min(this.#wait * 2, RETRY_MS[1]);
  }

  #say(online: boolean) {
    if (online === this.#link.online) return;
    this.#link = { type: "link", online, since: Date.now() };
    this.#send(this.#link);
  }

  #flush() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#joined.length === 0) return;
    const events = this.#joined;
    this.#joined = [];
    this.#send({ type: "events", events });
  }
}
