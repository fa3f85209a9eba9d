// Reads and folds the log of one run off the page's thread.
import type { RunEvent } from "@/api/client";
import { oneLine } from "./essence";
import { Fold } from "./feed";
import { Log, ReadError } from "./log";
import type { Details, FromWorker, RawEvent, ToWorker } from "./protocol";
import { Search } from "./search";

/** Events per read. */
const CHUNK_LEN = 2000;
/** Waits after failed reads, in milliseconds. */
const RETRY_MS = [500, 8000] as const;
/** Longest raw line, in characters. */
const RAW_CHARS = 160;

const scope = globalThis as unknown as {
  onmessage: (message: MessageEvent<ToWorker>) => void;
  postMessage: (message: FromWorker) => void;
};
const send = (message: FromWorker) => scope.postMessage(message);

class Reader {
  #log: Log;
  #search: Search;
  #fold = new Fold();
  /** The last known sequence. */
  #target: number;
  #reading = false;
  #live = false;
  #retry: number = RETRY_MS[0];

  constructor(runId: string, lastSequence: number) {
    this.#log = new Log(runId);
    this.#search = new Search(this.#log, send);
    this.#target = lastSequence;
    void this.#begin(lastSequence);
  }

  async #begin(lastSequence: number) {
    // People look at the end first.
    if (lastSequence > 2 * CHUNK_LEN) {
      const after = lastSequence - CHUNK_LEN;
      try {
        const rows = new Fold(after).take(await this.#log.read(after, CHUNK_LEN)).rows;
        send({ type: "tail", rows, head: lastSequence });
      } catch {
        // The read of the whole log, which follows, reports the error.
      }
    }
    await this.catchUp();
  }

  /** Reads everything between what was folded and the head of the log. */
  async catchUp() {
    if (this.#reading) return;
    this.#reading = true;
    try {
      for (;;) {
        const events = await this.#log.read(this.#fold.head, CHUNK_LEN);
        this.#retry = RETRY_MS[0];
        if (events.length > 0) this.#take(events);
        if (events.length < CHUNK_LEN && this.#fold.head >= this.#target) break;
        if (events.length === 0) {
          this.#target = this.#fold.head; // an announced event that the log lacks: it was restored to an earlier state
          break;
        }
      }
      this.#live = true;
      send({ type: "ready", head: this.#fold.head });
      this.#search.go();
    } catch (error) {
      const status = error instanceof ReadError ? error.status : -1;
      send({ type: "failed", message: String((error as Error).message), status });
      if (status === 0 || status >= 500) {
        setTimeout(() => void this.catchUp(), this.#retry);
        this.#retry = Math.min(this.#retry * 2, RETRY_MS[1]);
      }
    } finally {
      this.#reading = false;
    }
  }

  #take(events: Parameters<Fold["take"]>[0]) {
    const { rows, pieces } = this.#fold.take(events);
    // Old text is read from the log when it is shown.
    const streamed = this.#live ? pieces : [];
    send({ type: "change", rows, pieces: streamed, head: this.#fold.head, live: this.#live });
  }

  live(events: Parameters<Fold["take"]>[0]) {
    const news = events.filter((event) => event.sequence > this.#fold.head);
    const [first] = news;
    if (!first) return;
    this.#target = Math.max(this.#target, news.at(-1)?.sequence ?? 0);
    if (this.#reading) return; // continues until the target
    if (first.sequence === this.#fold.head + 1 && this.#live) this.#take(news);
    else void this.catchUp();
  }

  search(ask: number, text: string) {
    this.#search.begin(ask, text);
  }

  async details(row: { kind: string; first: number; last: number }): Promise<Details> {
    const first = await this.#log.event(row.first);
    const last = row.last === row.first ? first : await this.#log.event(row.last);
    if (row.kind !== "message" || first === last) return { first, last, text: textOf(first) };
    if (last.event_type === "agent.message") return { first, last, text: last.payload.text };
    // It never became a message: collect its tokens.
    const id = first.event_type === "agent.token" ? first.payload.message_id : undefined;
    let text = "";
    for (let after = row.first - 1; after < row.last;) {
      const events = await this.#log.read(after, CHUNK_LEN, "agent.token");
      for (const event of events) {
        if (event.event_type !== "agent.token" || event.sequence > row.last) continue;
        if (event.payload.message_id === id) text += event.payload.text;
      }
      if (events.length < CHUNK_LEN) break;
      after = events.at(-1)?.sequence ?? row.last;
    }
    return { first, last, text };
  }

  async raw(page: number): Promise<RawEvent[]> {
    const events = await this.#log.page(page);
    return events.map(({ sequence, event_type: type, created_at, payload }) => ({
      sequence,
      type,
      created_at,
      essence: oneLine(JSON.stringify(payload).slice(0, RAW_CHARS)),
    }));
  }
}

/** The text of an event that carries a message. */
function textOf({ payload }: RunEvent): string | undefined {
  if ("text" in payload) return payload.text;
  return "last_message" in payload ? (payload.last_message ?? undefined) : undefined;
}

let reader: Reader | undefined;

async function act(message: ToWorker) {
  switch (message.type) {
    case "open":
      reader = new Reader(message.runId, message.lastSequence);
      break;
    case "events":
      reader?.live(message.events);
      break;
    case "place":
      await reader?.catchUp();
      break;
    case "search":
      reader?.search(message.ask, message.text);
      break;
    case "details": {
      const { ask } = message;
      try {
        const details = await reader?.details(message.row);
        if (details) send({ type: "details", ask, details });
      } catch (error) {
        send({ type: "details", ask, details: { error: (error as Error).message } });
      }
      break;
    }
    case "raw": {
      const { ask, page } = message;
      const events = await reader?.raw(page).catch(() => []);
      send({ type: "raw", ask, page, events: events ?? [] });
      break;
    }
  }
}

scope.onmessage = (message) => void act(message.data);
