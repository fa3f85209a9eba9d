// Reads a run's output again when its terminal reports more.
import { TerminalLink, type LinkState } from "../terminal/link";
import { PIECE_BYTES, readAfter, readTail } from "./range";
import { LogText, type Block } from "./text";

/** Shortest time between two reads, in milliseconds. */
const READ_MS = 300;

export interface LogState {
  blocks: readonly Block[];
  /** The line that has not ended. */
  current: string;
  /** Bytes of output so far, and those before the part shown. */
  total: number;
  before: number;
  link: LinkState["name"];
  error: Error | null;
}

const EMPTY: LogState = {
  blocks: [],
  current: "",
  total: 0,
  before: 0,
  link: "attaching",
  error: null,
};

export class LogFollower {
  state: LogState = EMPTY;
  #runId: string;
  #listeners = new Set<() => void>();
  #link: TerminalLink;
  #text = new LogText();
  #end = 0;
  #reading = false;
  #again = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = true;

  constructor(runId: string) {
    this.#runId = runId;
    const more = () => this.#more();
    this.#link = new TerminalLink(runId, {
      state: (link) => {
        this.#set({ link: link.name });
        if (link.name === "ended") more();
      },
      snapshot: more,
      output: more,
    });
  }

  subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Starts following. */
  start() {
    this.#stopped = false;
    this.#link.start();
  }

  /** Stops reading; what is shown stays. */
  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#link.stop();
  }

  /** The run's process was started (again). */
  started() {
    if (!this.#stopped) this.#link.started();
  }

  /** The server is back. */
  retryNow() {
    if (!this.#stopped) this.#link.retryNow();
  }

  #set(change: Partial<LogState>) {
    this.state = { ...this.state, ...change };
    for (const listener of this.#listeners) listener();
  }

  #more() {
    this.#again = true;
    if (this.#reading || this.#timer !== undefined || this.#stopped) return;
    void this.#read();
  }

  async #read() {
    this.#reading = true;
    this.#again = false;
    try {
      await this.#take();
      this.#set({ error: null });
    } catch (error) {
      this.#set({ error: error instanceof Error ? error : new Error(String(error)) });
    }
    this.#reading = false;
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#again) void this.#read();
    }, READ_MS);
  }

  async #take() {
    let piece = this.#end === 0 ? null : await readAfter(this.#runId, this.#end);
    const follows = piece?.from === this.#end && piece.total - this.#end <= PIECE_BYTES;
    if (!piece || !follows) {
      piece = await readTail(this.#runId);
      this.#text = new LogText();
      this.#set({ before: piece.from });
    }
    this.#text.add(piece.bytes);
    this.#end = piece.from + piece.bytes.length;
    if (this.#end < piece.total) this.#again = true;
    this.#set({
      blocks: [...this.#text.blocks],
      current: this.#text.current,
      total: piece.total,
    });
  }
}
