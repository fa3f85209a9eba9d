// Searches the whole log, not only what the rows show.
import type { Log } from "./log";
import type { FromWorker } from "./protocol";

/** Events searched at once. */
const CHUNK_LEN = 1000;
/** Most finds of a search. */
export const FOUND_MAX = 5000;

/** Whether a value contains a text, at any depth. `words` are in lower case. */
export function holds(value: unknown, words: string): boolean {
  if (typeof value === "string") return value.toLowerCase().includes(words);
  if (typeof value === "number") return String(value).includes(words);
  if (Array.isArray(value)) return value.some((item) => holds(item, words));
  if (typeof value === "object" && value !== null) {
    for (const item of Object.values(value)) if (holds(item, words)) return true;
  }
  return false;
}

export class Search {
  #log: Log;
  #send: (message: FromWorker) => void;
  #ask = 0;
  #words = "";
  #after = 0;
  #busy = false;
  #left = 0;

  constructor(log: Log, send: (message: FromWorker) => void) {
    this.#log = log;
    this.#send = send;
  }

  begin(ask: number, text: string) {
    this.#ask = ask;
    this.#words = text.toLowerCase();
    this.#after = 0;
    this.#left = FOUND_MAX;
    this.go();
  }

  /** Continues the search to the end of the log. */
  go() {
    if (!this.#busy && this.#words !== "") void this.#run();
  }

  async #run() {
    this.#busy = true;
    try {
      while (this.#words !== "" && this.#left > 0) {
        const ask = this.#ask;
        const words = this.#words;
        const events = await this.#log.read(this.#after, CHUNK_LEN);
        if (ask !== this.#ask) continue;
        const sequences = events
          .filter(({ event_type: type, payload }) => type.includes(words) || holds(payload, words))
          .map(({ sequence }) => sequence)
          .slice(0, this.#left);
        this.#left -= sequences.length;
        this.#after = events.at(-1)?.sequence ?? this.#after;
        const done = events.length < CHUNK_LEN || this.#left <= 0;
        this.#send({ type: "found", ask, sequences, upTo: this.#after, done });
        if (done) break;
      }
    } catch {
      this.#send({ type: "found", ask: this.#ask, sequences: [], upTo: this.#after, done: true });
    } finally {
      this.#busy = false;
    }
  }
}
