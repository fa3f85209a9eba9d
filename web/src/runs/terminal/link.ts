// One viewer's connection to a run's terminal, which reconnects by itself.
import type { Colours } from "./screen";
import { browserWorld, type Found, type Socket, type World } from "./world";

export type LinkState =
  | { name: "attaching" }
  /** The CLI was never started; the link attaches when `started` is called. */
  | { name: "waiting" }
  | { name: "live" }
  /** Disconnected; it reconnects by itself. */
  | { name: "away"; why: string }
  /** Closed on purpose until the received output is shown. */
  | { name: "resting" }
  /** The program ended; its last screen is shown. `code` is null after a signal. */
  | { name: "ended"; code: number | null }
  /** There is no such run. */
  | { name: "gone" };

/** Receives what the link reports. Bytes come in order; a snapshot replaces everything before. */
export interface LinkListener {
  state: (state: LinkState) => void;
  /** Before a snapshot after attaching: the size for which it was written. */
  size?: (cols: number, rows: number) => void;
  snapshot: (bytes: Uint8Array) => void;
  output: (bytes: Uint8Array) => void;
  /** The program's terminal has this size from here on. */
  resized?: (cols: number, rows: number) => void;
}

/** Waits between attempts, in milliseconds: the first, doubled up to the second. */
export const RETRY_MS = [250, 8000] as const;
/** A connection that lasted this long resets the waits, in milliseconds. */
const STEADY_MS = 3000;
/** Most bytes of keys kept while the link rests. */
const HELD_BYTES_MAX = 64 * 1024;
/** The server accepts frames of 1 MiB; smaller ones keep it responsive. */
const FRAME_BYTES = 64 * 1024;

type Said =
  | { type: "ready"; cols: number; rows: number; alive: boolean }
  | { type: "resize"; cols: number; rows: number }
  | { type: "exit"; code: number | null }
  | { type: "resync" };

export class TerminalLink {
  #runId: string;
  #listener: LinkListener;
  #world: World;
  #state: LinkState = { name: "attaching" };
  #socket: Socket | undefined;
  /** The current attempt; messages of older ones are ignored. */
  #attempt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wait: number = RETRY_MS[0];
  #liveSince = 0;
  #snapshotNext = false;
  /** The process was started while connected. */
  #startedSince = false;
  #held: Uint8Array<ArrayBuffer>[] = [];

  constructor(runId: string, listener: LinkListener, world: World = browserWorld) {
    this.#runId = runId;
    this.#listener = listener;
    this.#world = world;
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Attaches, and stays attached until `stop`. */
  start() {
    void this.#attach();
  }

  /** Ends it for good. */
  stop() {
    this.#drop();
    this.#held = [];
  }

  /** The run's process was started (again): attaches unless attached or connecting. */
  started() {
    // The attached process may be the previous one: its end is then not the end.
    if (this.#socket) this.#startedSince = true;
    else if (this.#state.name !== "resting") void this.#attach();
  }

  /** The server is back: reconnects without further wait. */
  retryNow() {
    if (this.#state.name === "away" || this.#state.name === "waiting") void this.#attach();
  }

  /** Closes the connection until `resume`; keys typed meanwhile are kept. */
  rest() {
    if (this.#state.name !== "live") return;
    this.#drop();
    this.#enter({ name: "resting" });
  }

  /** Attaches again after `rest`, for a fresh snapshot. */
  resume() {
    if (this.#state.name === "resting") void this.#attach();
  }

  /** Sends keys. False when they were dropped because nothing is attached. */
  input(bytes: Uint8Array<ArrayBuffer>): boolean {
    if (this.#state.name === "resting") {
      const held = this.#held.reduce((sum, part) => sum + part.length, 0);
      if (held + bytes.length > HELD_BYTES_MAX) return false;
      this.#held.push(bytes);
      return true;
    }
    if (this.#state.name !== "live" || !this.#socket) return false;
    for (let at = 0; at < bytes.length; at += FRAME_BYTES) {
      this.#socket.send(bytes.subarray(at, at + FRAME_BYTES));
    }
    return true;
  }

  /** Requests a size for the program's terminal. */
  resize(cols: number, rows: number) {
    if (this.#state.name !== "live") return;
    this.#socket?.send(JSON.stringify({ type: "resize", cols, rows }));
  }

  /** Reports the page's colours, for programs that query them. */
  colours(colours: Colours) {
    if (this.#state.name !== "live") return;
    this.#socket?.send(JSON.stringify({ type: "colors", ...colours }));
  }

  #enter(state: LinkState) {
    this.#state = state;
    this.#listener.state(state);
  }

  /** Drops the current connection, if any. */
  #drop() {
    this.#attempt += 1;
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#socket = undefined;
  }

  async #attach() {
    this.#drop();
    const attempt = this.#attempt;
    const resting = this.#state.name === "resting";
    // A rest is not reported, and keys are still kept.
    if (!resting && this.#state.name !== "away") this.#enter({ name: "attaching" });
    const found: Found = await this.#world.find(this.#runId);
    if (attempt !== this.#attempt) return;
    if (found === "started") this.#open(attempt);
    else if (found === "unreachable") this.#again("The server cannot be reached.");
    else this.#enter({ name: found === "never" ? "waiting" : "gone" });
  }

  #open(attempt: number) {
    const socket = this.#world.open(this.#runId);
    this.#socket = socket;
    this.#snapshotNext = false;
    this.#startedSince = false;
    let ready = false;
    socket.onmessage = ({ data }) => {
      if (attempt !== this.#attempt) return;
      if (typeof data !== "string") {
        this.#bytes(new Uint8Array(data));
        return;
      }
      const said = JSON.parse(data) as Said;
      if (said.type === "ready") ready = true;
      this.#text(said);
    };
    socket.onclose = () => {
      if (attempt !== this.#attempt) return;
      if (ready) {
        this.#again("The connection to the terminal was lost.");
        return;
      }
      void this.#world.whyNot(this.#runId).then((why) => {
        if (attempt === this.#attempt) this.#again(why);
      });
    };
  }

  #text(said: Said) {
    switch (said.type) {
      case "ready":
        this.#snapshotNext = true;
        this.#liveSince = Date.now();
        this.#listener.size?.(said.cols, said.rows);
        this.#enter({ name: "live" });
        for (const keys of this.#held.splice(0)) this.input(keys);
        break;
      case "resize":
        // Before a snapshot it is the snapshot's size.
        if (this.#snapshotNext) this.#listener.size?.(said.cols, said.rows);
        else this.#listener.resized?.(said.cols, said.rows);
        break;
      case "resync":
        this.#snapshotNext = true;
        break;
      case "exit":
        this.#drop();
        this.#enter({ name: "ended", code: said.code });
        if (this.#startedSince) void this.#attach();
        break;
    }
  }

  #bytes(bytes: Uint8Array) {
    if (this.#snapshotNext) {
      this.#snapshotNext = false;
      this.#listener.snapshot(bytes);
    } else {
      this.#listener.output(bytes);
    }
  }

  #again(why: string) {
    const steady = this.#liveSince > 0 && Date.now() - this.#liveSince > STEADY_MS;
    this.#liveSince = 0;
    if (steady) this.#wait = RETRY_MS[0];
    this.#drop();
    this.#held = [];
    this.#enter({ name: "away", why });
    this.#timer = setTimeout(() => void this.#attach(), this.#wait);
    this.#wait = Math.min(this.#wait * 2, RETRY_MS[1]);
  }
}
