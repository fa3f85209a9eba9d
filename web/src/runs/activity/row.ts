// A row of the feed: what is kept of one event, or of several that belong together.

export type Kind =
  | "prompt"
  | "message"
  | "tool"
  | "agent"
  | "attention"
  | "answer"
  | "end"
  | "checkpoint"
  | "life"
  | "other";

/** `open`: not finished yet; `none`: ended without an answer. */
export type State = "open" | "ok" | "failed" | "none";

/** Payloads are not kept: they are read from the log when the row is open. */
export interface Row {
  kind: Kind;
  /** Sequence of the event that began it: its key and its position. */
  first: number;
  /** Sequence of the last event that belongs to it. */
  last: number;
  /** When it began, in milliseconds of the epoch. */
  time: number;
  /** At most `ESSENCE_MAX` characters. */
  essence: string;
  state: State;
  /** A tool's name, a subagent's type, or the event's type. */
  name: string;
  /** From call to result, in milliseconds; -1 while unknown. */
  ms: number;
  /** Lines added and removed by an edit; -1 for what is no edit. */
  add: number;
  del: number;
  /** `first` of the subagent's row that it belongs to; 0 for none. */
  block: number;
  /** Of a subagent: events in its block. Of a prompt: the turn's number. */
  count: number;
  /** Of a text: roughly the lines that it takes. */
  lines: number;
}

export function newRow(kind: Kind, sequence: number, time: number): Row {
  return {
    kind,
    first: sequence,
    last: sequence,
    time,
    essence: "",
    state: "ok",
    name: "",
    ms: -1,
    add: -1,
    del: -1,
    block: 0,
    count: 0,
    lines: 0,
  };
}

/** Roughly the characters in a line of prose. */
const LINE_CHARS = 96;

/** Roughly how many lines a text takes; counting ends at `most`. */
export function guessedLines(text: string, most = 60): number {
  let count = 0;
  for (let at = 0; at <= text.length && count < most;) {
    const end = text.indexOf("\n", at);
    const stop = end < 0 ? text.length : end;
    count += Math.max(1, Math.ceil((stop - at) / LINE_CHARS));
    at = stop + 1;
  }
  return Math.min(count, most);
}
