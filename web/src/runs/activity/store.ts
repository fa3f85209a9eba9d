// The page's side of a run's feed: rows, streaming text, and requests to the worker.
import { onEvents, onPlace } from "@/api/stream";
import type { Details, FromWorker, RawEvent, ToWorker } from "./protocol";
import type { Row } from "./row";
import { arrange, merge, placeOf, type Filter } from "./view";

/** Changes within this time render together, in milliseconds. */
const DRAW_MS = 80;
/** Most cached pages of the raw log, and details. */
const RAW_PAGES_MAX = 24;
const DETAILS_MAX = 48;
/** Longest text whose details are cached, in characters. */
const KEPT_CHARS = 20_000;

export interface FeedState {
  list: readonly Row[];
  /** Sequence up to which the log was read, and its last one. */
  head: number;
  target: number;
  ready: boolean;
  error: { message: string; status: number } | undefined;
  search: { text: string; found: readonly number[]; upTo: number; done: boolean };
  filters: ReadonlySet<Filter>;
  open: ReadonlySet<number>;
}

const NO_SEARCH: FeedState["search"] = { text: "", found: [], upTo: 0, done: true };

export class FeedStore {
  #worker: Worker;
  #rows: Row[] = [];
  #tail: Row[] = [];
  #tailHead = 0;
  #head = 0;
  #saying = new Map<number, string>();
  #listeners = new Set<() => void>();
  #wordListeners = new Map<number, () => void>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asks = new Map<number, (details: Details | { error: string }) => void>();
  #lastAsk = 0;
  #details = new Map<number, { last: number; details: Details }>();
  #raw = new Map<number, readonly RawEvent[]>();
  #rawAsked = new Set<number>();
  #searchAsk = 0;
  #found = new Set<number>();
  #stop: (() => void)[];
  #strings = new Map<string, string>();
  #state: FeedState;

  constructor(runId: string, lastSequence: number) {
    this.#state = {
      list: [],
      head: 0,
      target: lastSequence,
      ready: false,
      error: undefined,
      search: NO_SEARCH,
      filters: new Set(),
      open: new Set(),
    };
    this.#worker = new Worker(new URL("./worker.ts", import.meta.url), {
      type: "module",
      name: "abbado-activity",
    });
    this.#worker.onmessage = (message: MessageEvent<FromWorker>) => this.#take(message.data);
    this.#post({ type: "open", runId, lastSequence });
    this.#stop = [
      onEvents((events) => {
        const ours = events.filter((event) => event.run_id === runId);
        if (ours.length > 0) this.#post({ type: "events", events: ours });
      }),
      onPlace(() => this.#post({ type: "place" })),
    ];
  }

  close() {
    for (const stop of this.#stop) stop();
    clearTimeout(this.#timer);
    this.#worker.terminate();
  }

  listen = (listener: () => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  state = () => this.#state;

  /** The streaming text of the row, before the log has the message. */
  words(first: number): string | undefined {
    return this.#saying.get(first);
  }
  listenToWords(first: number, listener: () => void): () => void {
    this.#wordListeners.set(first, listener);
    return () => {
      if (this.#wordListeners.get(first) !== listener) return;
      this.#wordListeners.delete(first);
      // No reader is left; the log has the text.
      this.#saying.delete(first);
    };
  }

  filter(filters: ReadonlySet<Filter>) {
    this.#set({ filters });
  }

  toggle(block: number, open = !this.#state.open.has(block)) {
    const next = new Set(this.#state.open);
    if (open) next.add(block);
    else next.delete(block);
    this.#set({ open: next });
  }

  search(text: string) {
    const words = text.trim().toLowerCase();
    if (words === this.#state.search.text) return;
    this.#searchAsk++;
    this.#found = new Set();
    this.#post({ type: "search", ask: this.#searchAsk, text: words });
    this.#set({ search: { ...NO_SEARCH, text: words, done: words === "" } });
  }

  /** How many rows began after the event of this sequence. */
  newer(sequence: number): number {
    return this.#rows.length - placeOf(this.#rows, sequence + 1);
  }

  /** Whether the row of this event has been read. */
  covers(sequence: number): boolean {
    const { head, ready } = this.#state;
    return ready || sequence <= head || (this.#tail[0]?.first ?? Infinity) <= sequence;
  }

  /** Rows of the whole feed, for links to events. */
  rows(): readonly Row[] {
    return this.#tail.length > 0 ? this.#rows.concat(this.#tail) : this.#rows;
  }

  /** The events of a row, from the log. */
  details(row: Row): Promise<Details | { error: string }> {
    const known = this.#details.get(row.first);
    if (known?.last === row.last) return Promise.resolve(known.details);
    const ask = ++this.#lastAsk;
    const { kind, first, last } = row;
    this.#post({ type: "details", ask, row: { kind, first, last } });
    return new Promise((resolve) => {
      this.#asks.set(ask, (details) => {
        if (!("error" in details)) this.#keep(first, last, details);
        resolve(details);
      });
    });
  }

  /** Recently read details. */
  known(row: Row): Details | undefined {
    const known = this.#details.get(row.first);
    return known?.last === row.last ? known.details : undefined;
  }

  /** A page of the raw log; nothing while it is loading. */
  rawPage(page: number): readonly RawEvent[] | undefined {
    return this.#raw.get(page);
  }

  askRaw(page: number) {
    if (this.#rawAsked.has(page)) return;
    this.#rawAsked.add(page);
    this.#post({ type: "raw", ask: 0, page });
  }

  #post(message: ToWorker) {
    this.#worker.postMessage(message);
  }

  #keep(first: number, last: number, details: Details) {
    if ((details.text?.length ?? 0) > KEPT_CHARS) return;
    this.#details.delete(first);
    this.#details.set(first, { last, details });
    drop(this.#details, DETAILS_MAX);
  }

  #take(message: FromWorker) {
    switch (message.type) {
      case "tail":
        this.#tail = message.rows;
        this.#tailHead = message.head;
        this.#draw();
        break;
      case "change":
        this.#change(message);
        break;
      case "ready":
        this.#tail = [];
        for (const row of this.#rows) this.#openWhileItWorks(row);
        this.#head = message.head;
        this.#set({ ready: true, error: undefined });
        break;
      case "failed":
        this.#set({ error: message });
        break;
      case "details":
        this.#asks.get(message.ask)?.(message.details);
        this.#asks.delete(message.ask);
        break;
      case "raw":
        this.#rawAsked.delete(message.page);
        this.#raw.delete(message.page);
        this.#raw.set(message.page, message.events);
        drop(this.#raw, RAW_PAGES_MAX);
        this.#set({});
        break;
      case "found": {
        if (message.ask !== this.#searchAsk) break;
        const { search } = this.#state;
        for (const sequence of message.sequences) this.#found.add(sequence);
        const found = search.found.concat(message.sequences);
        this.#set({ search: { ...search, found, upTo: message.upTo, done: message.done } });
        break;
      }
    }
  }

  #change({ rows, pieces, head, live }: FromWorker & { type: "change" }) {
    for (const { first, text } of pieces) {
      const row = this.#rows[placeOf(this.#rows, first)];
      const begins = row?.first !== first;
      // Streams are kept only from their start: a reader who joins later would see half a sentence.
      if (!begins && !this.#saying.has(first)) continue;
      this.#saying.set(first, (this.#saying.get(first) ?? "") + text);
      this.#wordListeners.get(first)?.();
    }
    for (const row of rows) {
      row.name = this.#once(row.name);
      row.kind = this.#once(row.kind) as Row["kind"];
      row.state = this.#once(row.state) as Row["state"];
      if (live) this.#openWhileItWorks(row);
      if (row.state !== "open" && !this.#wordListeners.has(row.first)) {
        this.#saying.delete(row.first);
      }
    }
    merge(this.#rows, rows);
    this.#head = head;
    if (this.#tail.length > 0 && head >= this.#tailHead) this.#tail = [];
    this.#draw();
  }

  /** Opens the block of a subagent while it works; afterwards it stays as the user left it. */
  #openWhileItWorks(row: Row) {
    if (row.kind !== "agent" || row.state !== "open" || this.#state.open.has(row.first)) return;
    this.#state = { ...this.#state, open: new Set(this.#state.open).add(row.first) };
  }

  /** Interns a string that thousands of rows share. */
  #once(word: string): string {
    const known = this.#strings.get(word);
    if (known !== undefined) return known;
    this.#strings.set(word, word);
    return word;
  }

  /** The log has the message; drop the streaming text. */
  finished(first: number) {
    this.#saying.delete(first);
  }

  #draw() {
    this.#timer ??= setTimeout(() => this.#set({}), DRAW_MS);
  }

  #set(more: Partial<FeedState>) {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const next = { ...this.#state, ...more };
    const { filters, open, search } = next;
    const choice = { filters, open, search: search.text, found: this.#found };
    // The part of the tail that the read from the start has not reached yet.
    const from = placeOf(this.#tail, (this.#rows.at(-1)?.first ?? 0) + 1);
    const list = arrange(this.#rows, choice).concat(arrange(this.#tail.slice(from), choice));
    const head = this.#head; // sent together with the rows up to it
    const target = Math.max(next.target, head);
    this.#state = { ...next, list, head, target };
    for (const listener of this.#listeners) listener();
  }
}

/** Drops the oldest entries of a map. */
function drop(map: Map<number, unknown>, most: number) {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}
