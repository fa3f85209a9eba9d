// Raw terminal output as lines of plain text.

/** Lines laid out together; the browser skips the layout of blocks out of sight. */
export interface Block {
  id: number;
  lines: string[];
  length: number;
}

const BLOCK_LINES = 200;
/** Longer lines are broken, in characters. */
const LINE_CHARS_MAX = 4000;
const FORWARD_MAX = 500;
/** Characters that are kept; older blocks are dropped. */
export const CHARS_MAX = 1024 * 1024;

/** One escape sequence (CSI, OSC and its like, others), one control character, or plain text. */
const PIECE =
  /\x1b\[([0-?]*)[ -/]*([@-~])|\x1b[P\]X^_](?:[^\x07\x1b]|\x1b(?!\\))*(?:\x07|\x1b\\)|\x1b[ -/]*[0-OQ-WYZ\\`-~]|[\x00-\x1f\x7f]|[^\x00-\x1f\x7f]+/y;
/** A sequence whose end has not come yet. */
const UNFINISHED = /\x1b(?:\[[0-?]*[ -/]*|[P\]X^_](?:[^\x07\x1b]|\x1b(?!\\))*\x1b?|[ -/]*)$/;
/** A longer sequence is not one, in characters. */
const SEQUENCE_CHARS_MAX = 64 * 1024;

/** The cursor moves elsewhere: what follows is not part of this line. */
const MOVES = "ABEFHfd";

/**
 * Parses raw output, in pieces cut anywhere, and keeps its last lines. Colours are dropped; a line
 * that was overwritten from its start (a progress bar) shows its last text.
 */
export class LogText {
  blocks: Block[] = [];
  /** The line that has not ended. */
  current = "";
  #decoder = new TextDecoder();
  #rest = "";
  #over = false;
  #nextId = 0;
  #length = 0;

  add(bytes: Uint8Array) {
    let text = this.#rest + this.#decoder.decode(bytes, { stream: true });
    this.#rest = "";
    const cut = UNFINISHED.exec(text.slice(-SEQUENCE_CHARS_MAX));
    if (cut) {
      this.#rest = cut[0];
      text = text.slice(0, text.length - this.#rest.length);
    }
    PIECE.lastIndex = 0;
    while (PIECE.lastIndex < text.length) {
      const at = PIECE.lastIndex;
      const piece = PIECE.exec(text);
      if (piece) this.#take(piece[0], piece[1], piece[2]);
      else PIECE.lastIndex = at + 1; // an escape that starts no sequence
    }
  }

  #take(piece: string, parameters: string | undefined, final: string | undefined) {
    if (final !== undefined) {
      if (final === "C") this.#put(" ".repeat(Math.min(Number(parameters) || 1, FORWARD_MAX)));
      else if (MOVES.includes(final) && this.current.trim() !== "") this.#endLine();
    } else if (piece === "\n") this.#endLine();
    else if (piece === "\r") this.#over = true;
    else if (piece === "\b") this.current = this.current.slice(0, -1);
    else if (piece === "\t" || piece.charCodeAt(0) >= 0x20) this.#put(piece);
  }

  #put(text: string) {
    if (this.#over) this.current = "";
    this.#over = false;
    this.current += text;
    while (this.current.length > LINE_CHARS_MAX) {
      const rest = this.current.slice(LINE_CHARS_MAX);
      this.current = this.current.slice(0, LINE_CHARS_MAX);
      this.#endLine();
      this.current = rest;
    }
  }

  #endLine() {
    const line = this.current.trimEnd();
    this.current = "";
    this.#over = false;
    const last = this.blocks.at(-1);
    const length = line.length + 1;
    this.#length += length;
    if (last && last.lines.length < BLOCK_LINES) {
      // A new object, so that readers see by identity which block changed.
      const grown = { id: last.id, lines: [...last.lines, line], length: last.length + length };
      this.blocks[this.blocks.length - 1] = grown;
    } else {
      this.blocks.push({ id: this.#nextId++, lines: [line], length });
    }
    while (this.#length > CHARS_MAX && this.blocks.length > 1) {
      this.#length -= this.blocks.shift()?.length ?? 0;
    }
  }
}

/** A name for the file on disk, such as `run-a1b2c3d4-fix-login-redirect.log`. */
export function logName(branch: string, task: string): string {
  const plain = (text: string) =>
    text
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^-|-$/g, "");
  const last = branch.split("/").at(-1) ?? branch;
  const name = [plain(last) || "run", plain(task.slice(0, 60)).slice(0, 40)];
  return `${name.filter(Boolean).join("-").replace(/-$/, "")}.log`;
}
