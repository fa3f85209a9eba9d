// Puts what comes into the terminal, in order, and says when it comes faster than it can be shown.

/** The part of an xterm that is used; `done` is called when `bytes` are parsed. */
export interface Sink {
  write: (bytes: Uint8Array | string, done: () => void) => void;
  /** Makes it empty and of this size. */
  begin: (size: { cols: number; rows: number } | null) => void;
}

export interface FlowListener {
  /** More than `UNPARSED_BYTES_MAX` wait: nothing more should come before `drained`. */
  overrun: () => void;
  /** After an overrun: nothing waits any longer. */
  drained: () => void;
  /** A snapshot is on the screen. */
  settled: () => void;
}

/** Bytes of output, snapshots aside, that may wait to be parsed. */
export const UNPARSED_BYTES_MAX = 1024 * 1024;

export class Flow {
  #sink: Sink;
  #listener: FlowListener;
  #unparsed = 0;
  #overrun = false;
  /** What came behind a snapshot that is not begun; null when none waits. */
  #behind: Uint8Array[] | null = null;
  #size: { cols: number; rows: number } | null = null;

  constructor(sink: Sink, listener: FlowListener) {
    this.#sink = sink;
    this.#listener = listener;
  }

  /** The next snapshot is for this size. */
  size(cols: number, rows: number) {
    this.#size = { cols, rows };
  }

  /** Replaces all that is shown, after what came before it was parsed. */
  snapshot(bytes: Uint8Array) {
    const waits = this.#behind !== null;
    const behind: Uint8Array[] = [];
    this.#behind = behind;
    const begin = () => {
      if (this.#behind !== behind) return; // a newer snapshot came meanwhile
      this.#behind = null;
      this.#sink.begin(this.#size);
      this.#size = null;
      this.#sink.write(bytes, () => this.#listener.settled());
      for (const part of behind) this.#put(part);
    };
    if (waits) this.#unparsed = 0; // what stood behind the older one is not written any more
    this.#sink.write("", begin);
  }

  output(bytes: Uint8Array) {
    this.#unparsed += bytes.length;
    if (this.#behind) this.#behind.push(bytes);
    else this.#put(bytes);
    if (this.#unparsed > UNPARSED_BYTES_MAX && !this.#overrun) {
      this.#overrun = true;
      this.#listener.overrun();
    }
  }

  #put(bytes: Uint8Array) {
    this.#sink.write(bytes, () => {
      this.#unparsed = Math.max(0, this.#unparsed - bytes.length);
      if (this.#unparsed === 0 && this.#overrun) {
        this.#overrun = false;
        this.#listener.drained();
      }
    });
  }
}
