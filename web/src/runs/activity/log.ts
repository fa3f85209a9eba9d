// The log of one run, read in pages.
import type { RunEvent } from "@/api/client";
import { PAGE_LEN } from "./protocol";

/** Pages that are cached, and most bytes of JSON in them. */
const PAGES_MAX = 24;
const PAGES_BYTES_MAX = 2 * 1024 * 1024;

export class ReadError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

interface Page {
  events: RunEvent[];
  bytes: number;
}

export class Log {
  readonly runId: string;
  #kept = new Map<number, Page>();
  #bytes = 0;
  #loading = new Map<number, Promise<RunEvent[]>>();

  constructor(runId: string) {
    this.runId = runId;
  }

  /** Events after a sequence, at most `limit`, of one type when it is given. */
  async read(after: number, limit: number, type?: string): Promise<RunEvent[]> {
    return JSON.parse(await this.text(after, limit, type)) as RunEvent[];
  }

  /** The same as JSON text. */
  async text(after: number, limit: number, type?: string): Promise<string> {
    const of = type === undefined ? "" : `&type=${type}`;
    const url = `/api/runs/${this.runId}/events?after_sequence=${after}&limit=${limit}${of}`;
    let answer: Response;
    try {
      answer = await fetch(url);
    } catch {
      throw new ReadError(0, "The server cannot be reached.");
    }
    const text = await answer.text();
    if (!answer.ok) {
      throw new ReadError(answer.status, text.trim() || `The server answered ${answer.status}.`);
    }
    return text;
  }

  /** A page of `PAGE_LEN` events; page 0 begins with sequence 1. */
  page(number: number): Promise<RunEvent[]> {
    const kept = this.#kept.get(number);
    if (kept) {
      this.#kept.delete(number); // move to the end: most recently used
      this.#kept.set(number, kept);
      return Promise.resolve(kept.events);
    }
    let loading = this.#loading.get(number);
    if (!loading) {
      loading = this.#load(number).finally(() => this.#loading.delete(number));
      this.#loading.set(number, loading);
    }
    return loading;
  }

  async #load(number: number): Promise<RunEvent[]> {
    const text = await this.text(number * PAGE_LEN, PAGE_LEN);
    const events = JSON.parse(text) as RunEvent[];
    if (events.length < PAGE_LEN) return events; // the last page of the log gets longer
    this.#kept.set(number, { events, bytes: text.length });
    this.#bytes += text.length;
    for (const [oldest, page] of this.#kept) {
      const fits = this.#kept.size <= PAGES_MAX && this.#bytes <= PAGES_BYTES_MAX;
      if (fits || this.#kept.size === 1) break;
      this.#kept.delete(oldest);
      this.#bytes -= page.bytes;
    }
    return events;
  }

  /** The event of a sequence. */
  async event(sequence: number): Promise<RunEvent> {
    const events = await this.page(Math.floor((sequence - 1) / PAGE_LEN));
    const event = events.find((event) => event.sequence === sequence);
    if (!event) throw new ReadError(404, "This event is not in the log.");
    return event;
  }
}
