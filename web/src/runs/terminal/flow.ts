// Writes output to the terminal in order, and reports when it arrives faster than it can be shown.

/** The part of xterm that is used; `done` is called when `bytes` are parsed. */
export interface Sink {
  write: (bytes: Uint8Array | string, done: () => void) => void;
  /** Clears it and sets its size. */
  begin: (size: { cols: number; rows: number } | null) => void;
  resize: (cols: number, rows: number) => void;
}

export interface FlowListener {
  /** More than `UNPARSED_BYTES_MAX` bytes wait; send nothing more before `drained`. */
  overrun: () => void;
  /** After an overrun: nothing waits any more. */
  drained: () => void;
  /** A snapshot is on the screen. */
  settled: () => void;
}

interface Size {
  cols: number;
  rows: number;
}

/** Bytes of output, snapshots aside, that may wait to be parsed. */
export const UNPARSED_BYTES_MAX = 1024 * 1024;

export class Flow {
  #sink: Sink;
  #listener: FlowListener;
  #unparsed = 0;
  #overrun = false;
  /** Output after a snapshot that is not written yet; null when none waits. */
  #behind: (Uint8Array | Size)[] | null = null;
  /** The start of a character whose remaining bytes have not arrived. */
  #cut = new Uint8Array();
  #size: Size | null = null;

  constructor(sink: Sink, listener: FlowListener) {
    this.#sink = sink;
    this.#listener = listener;
  }

  /** The next snapshot is for this size. */
  size(cols: number, rows: number) {
    this.#size = { cols, rows };
  }

  /** Replaces the screen, once what came before is parsed. */
  snapshot(bytes: Uint8Array) {
    const waits = this.#behind !== null;
    const behind: (Uint8Array | Size)[] = [];
    this.#cut = new Uint8Array();
    const whole = this.#whole(bytes);
    this.#behind = behind;
    const begin = () => {
      if (this.#behind !== behind) return; // replaced by a newer snapshot
      this.#behind = null;
      this.#sink.begin(this.#size);
      this.#size = null;
      this.#sink.write(whole, () => this.#listener.settled());
      for (const part of behind) this.#next(part);
    };
    if (waits) this.#unparsed = 0; // output after the older one is dropped
    this.#sink.write("", begin);
  }

  /** What follows is for another size. */
  resize(cols: number, rows: number) {
    if (this.#behind) this.#behind.push({ cols, rows });
    else this.#next({ cols, rows });
  }

  output(bytes: Uint8Array) {
    const whole = this.#whole(bytes);
    this.#unparsed += whole.length;
    if (this.#behind) this.#behind.push(whole);
    else this.#next(whole);
    if (this.#unparsed > UNPARSED_BYTES_MAX && !this.#overrun) {
      this.#overrun = true;
      this.#listener.overrun();
    }
  }

  #next(part: Uint8Array | Size) {
    if (part instanceof Uint8Array) this.#put(part);
    else this.#sink.write("", () => this.#sink.resize(part.cols, part.rows));
  }

  /** Holds back an incomplete character: xterm.js loses some of those (such as U+2014). */
  #whole(bytes: Uint8Array): Uint8Array {
    const all = this.#cut.length > 0 ? concat(this.#cut, bytes) : bytes;
    const end = all.length - cutLength(all);
    this.#cut = all.slice(end);
    return all.subarray(0, end);
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

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

/** The number of bytes at the end that start an incomplete UTF-8 character. */
function cutLength(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}
