// Tokens and the message that they become, whichever comes first.
import { oneLine } from "./essence";
import { guessedLines, newRow, type Row } from "./row";

/** What comes in pieces. */
interface Stream {
  row: Row;
  /** The pieces so far, up to `KEPT`. */
  text: string;
  /** The message that it became. */
  whole: string | undefined;
}

/** Characters of a text that are kept, to know its other half. */
const KEPT = 2000;
/** Streams, and messages without one, that are remembered; old ones are forgotten first. */
const STREAMS_MAX = 16;
const WHOLE_MAX = 8;

const begins = (whole: string, start: string) =>
  whole.trimStart().slice(0, KEPT).startsWith(start.trim().slice(0, KEPT));

/**
 * The messages of a turn. A CLI may give the tokens another id than the message has, and the hook
 * that brings tokens may come after the one that brings the message: then the words tell.
 */
export class Speech {
  #streams = new Map<string, Stream>();
  #whole: { row: Row; text: string }[] = [];

  /** A new turn: nothing of the last one goes on. */
  reset() {
    this.#streams.clear();
    this.#whole = [];
  }

  /** Streams get no further; gives the rows that changed. */
  close(): Row[] {
    const rows: Row[] = [];
    for (const { row, whole } of this.#streams.values()) {
      if (whole !== undefined || row.state !== "open") continue;
      row.state = "none";
      rows.push(row);
    }
    return rows;
  }

  /** The row that grows, or nothing when the message was there before its tokens. */
  token(sequence: number, time: number, text: string, id: string): Row | undefined {
    let stream = this.#streams.get(id);
    let before = "";
    if (stream?.whole !== undefined) {
      before = stream.text + text;
      if (begins(stream.whole, before)) {
        stream.text = before.slice(0, KEPT);
        return undefined;
      }
      stream = undefined;
    } else if (!stream && text.trim() !== "") {
      const at = this.#whole.findIndex((message) => begins(message.text, text));
      const told = this.#whole[at];
      if (told) {
        this.#whole.splice(at, 1);
        this.#remember(id, { row: told.row, text, whole: told.text });
        return undefined;
      }
    }
    if (!stream) {
      stream = { row: newRow("message", sequence, time), text: "", whole: undefined };
      stream.row.state = "open";
      this.#remember(id, stream);
    }
    const { row } = stream;
    if (stream.text.length < KEPT) stream.text += text;
    row.last = sequence;
    row.essence = oneLine(stream.text);
    row.lines = guessedLines(stream.text);
    return row;
  }

  message(sequence: number, time: number, text: string, id: string): Row {
    const stream = this.#awaiting(text, id);
    const row = stream?.row ?? newRow("message", sequence, time);
    row.last = sequence;
    row.essence = oneLine(text);
    row.lines = guessedLines(text);
    row.state = "ok";
    if (stream) {
      stream.whole = text.slice(0, KEPT);
    } else {
      this.#whole.push({ row, text: text.slice(0, KEPT) });
      if (this.#whole.length > WHOLE_MAX) this.#whole.shift();
    }
    return row;
  }

  /** The stream that this text completes: of the same id, or of the same words. */
  #awaiting(text: string, id: string): Stream | undefined {
    const known = this.#streams.get(id);
    if (known && known.whole === undefined) return known;
    for (const stream of this.#streams.values()) {
      if (stream.whole === undefined && stream.text.trim() !== "" && begins(text, stream.text)) {
        return stream;
      }
    }
    return undefined;
  }

  #remember(id: string, stream: Stream) {
    this.#streams.delete(id);
    this.#streams.set(id, stream);
    const oldest = this.#streams.keys().next();
    if (this.#streams.size > STREAMS_MAX && oldest.done !== true)
      this.#streams.delete(oldest.value);
  }
}
