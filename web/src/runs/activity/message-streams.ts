// Joins tokens with the message that they become, whichever comes first.
import { oneLine } from "./essence";
import { guessedLines, newRow, type Row } from "./row";

/** A streaming message. */
interface Stream {
  row: Row;
  /** The text so far, up to `KEPT`. */
  text: string;
  /** The message that it became. */
  whole: string | undefined;
}

/** Characters of a text that are kept for comparison. */
const KEPT = 2000;
/** Most streams, and messages without one, that are kept; the oldest go first. */
const STREAMS_MAX = 16;
const WHOLE_MAX = 8;

const begins = (whole: string, start: string) =>
  whole.trimStart().slice(0, KEPT).startsWith(start.trim().slice(0, KEPT));

/**
 * The messages of a turn. A CLI may give tokens another id than their message, and the hook with
 * the tokens may come after the one with the message: then the text decides.
 */
export class MessageStreams {
  #streams = new Map<string, Stream>();
  #whole: { row: Row; text: string }[] = [];

  /** Starts a new turn: no message continues from the last one. */
  reset() {
    this.#streams.clear();
    this.#whole = [];
  }

  /** Closes all streams; returns the rows that changed. */
  close(): Row[] {
    const rows: Row[] = [];
    for (const { row, whole } of this.#streams.values()) {
      if (whole !== undefined || row.state !== "open") continue;
      row.state = "none";
      rows.push(row);
    }
    return rows;
  }

  /** The row that grows; nothing when the message came before its tokens. */
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
      const known = this.#whole[at];
      if (known) {
        this.#whole.splice(at, 1);
        this.#remember(id, { row: known.row, text, whole: known.text });
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

  /** The stream that this text completes: with the same id, or the same text. */
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
