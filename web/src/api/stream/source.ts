// One connection to GET /api/events/stream, kept for all pages of this browser.
import type { RunEvent } from "../client";
import { JOIN_MS, RETRY_MS, type FromStream } from "./protocol";

/**
 * Reads the stream of all runs from its present head on, for ever. A broken connection is made again
 * from the last event seen, so no event is missed or told twice.
 */
export class StreamSource {
  #tell: (message: FromStream) => void;
  #lastEventId: number | null = null;
  #log: string | null = null;
  #link: FromStream & { type: "link" } = { type: "link", online: false, since: Date.now() };
  #joined: RunEvent[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wait: number = RETRY_MS[0];

  constructor(tell: (message: FromStream) => void) {
    this.#tell = tell;
    void this.#open();
  }

  /** What a page that comes later has to know. */
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
      // Another log: the server was started on other data, and our place means nothing there.
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
    // The log has not reached our place: it was put back to an earlier state.
    source.addEventListener("resync", (message: MessageEvent<string>) => {
      const { head, log } = JSON.parse(message.data) as { head: number; log: string };
      this.#startAt(head, log);
    });
    source.onerror = () => {
      // The browser's own retries give up on some errors; ours do not.
      source.close();
      this.#again();
    };
  }

  /** Whatever pages have read may be old from here on. */
  #startAt(lastEventId: number, log: string) {
    this.#joined = [];
    this.#lastEventId = lastEventId;
    this.#log = log;
    this.#tell({ type: "at", lastEventId });
  }

  #again() {
    this.#say(false);
    setTimeout(() => void this.#open(), this.#wait);
    this.#wait = Math.min(this.#wait * 2, RETRY_MS[1]);
  }

  #say(online: boolean) {
    if (online === this.#link.online) return;
    this.#link = { type: "link", online, since: Date.now() };
    this.#tell(this.#link);
  }

  #flush() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#joined.length === 0) return;
    const events = this.#joined;
    this.#joined = [];
    this.#tell({ type: "events", events });
  }
}
