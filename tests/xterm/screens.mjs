// What xterm.js, the page's terminal, shows. Reads one JSON document a line from standard input,
//   {"cols", "rows", "steps": [{"write": base64} | {"resize": [cols, rows]}]}, or {"widths": STEP}
// and writes one JSON document a line: each line of the buffer with all attributes, and the rest of
// the terminal's state that can be seen or that what follows can show.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { widths } from "../../web/src/runs/terminal/widths.mjs";

const require = createRequire(import.meta.url);
const { Terminal } = require("@xterm/headless");

const TABLE = readFileSync(new URL("../../src/pty/emulator/widths.txt", import.meta.url), "utf8");

const FLAGS = [
  ["isBold", "b"],
  ["isDim", "d"],
  ["isItalic", "i"],
  ["isBlink", "k"],
  ["isInverse", "r"],
  ["isInvisible", "h"],
  ["isStrikethrough", "s"],
  ["isOverline", "o"],
];

function attributes(cell, links) {
  const flags = FLAGS.filter(([name]) => cell[name]() !== 0).map(([, letter]) => letter);
  const more = cell.extended ?? {};
  const link = cell.hasExtendedAttrs?.() ? more.urlId : 0;
  const parts = [flags.join("")];
  if (cell.isUnderline() !== 0) {
    // Rule: an underline of no kind, which DECALN and DECRC leave, is a plain one.
    parts.push(`u${link ? "link" : more.underlineStyle || 1}`);
    // The colour of an underline is kept with it.
    if (cell.getUnderlineColorMode() !== 0) parts.push(`c${cell.getUnderlineColor()}`);
  }
  if (cell.getFgColorMode() !== 0) parts.push(`f${cell.getFgColorMode() >> 24}:${cell.getFgColor()}`);
  if (cell.getBgColorMode() !== 0) parts.push(`g${cell.getBgColorMode() >> 24}:${cell.getBgColor()}`);
  if (link) parts.push(`<${links.getLinkData(link)?.data?.uri ?? links.getLinkData(link)?.uri ?? ""}>`);
  return parts.filter((part) => part !== "").join(" ");
}

/** The cells of a line: text, and attributes where they change. */
function line(buffer, y, cols, links) {
  const row = buffer.getLine(y);
  const cells = [];
  let wide = false;
  for (let x = 0; x < cols; x += 1) {
    const cell = row.getCell(x);
    // Rule: the second half of a wide character whose first half is gone is an empty cell.
    const text = cell.getWidth() === 0 && wide ? "" : cell.getChars() || "\u2400";
    wide = cell.getWidth() === 2;
    cells.push([text + (wide ? "\u2194" : ""), attributes(cell, links)]);
  }
  let last = null;
  let said = row.isWrapped ? "\u21b3" : "";
  for (const [text, style] of cells) {
    said += style === last ? text : `{${style}}${text}`;
    last = style;
  }
  return said.replace(/(\u2400)+$/, "");
}

function lines(buffer, cols, links) {
  return Array.from({ length: buffer.length }, (_, y) => line(buffer, y, cols, links));
}

/**
 * Rule: where the cursor waits behind a last column that is empty, it is in that column. No sequence
 * puts it there again unless the whole line is empty.
 */
function cursor(buffer, cols) {
  const { cursorX, cursorY, baseY } = buffer;
  const last = buffer.getLine(baseY + cursorY).getCell(cols - 1);
  const empty = cursorX === cols && last.getWidth() === 1 && last.getChars() === "";
  return [empty ? cols - 1 : cursorX, cursorY];
}

function describe(term) {
  const core = term._core;
  const { buffer, modes } = term;
  const inner = core._bufferService.buffer;
  const links = core._oscLinkService;
  const dec = core.coreService.decPrivateModes;
  const stops = Object.keys(inner.tabs).map(Number);
  const pen = core._inputHandler._curAttrData;
  return {
    lines: lines(buffer.active, term.cols, links),
    behind: buffer.active.type === "alternate" ? lines(buffer.normal, term.cols, links) : null,
    at: cursor(buffer.active, term.cols),
    kind: buffer.active.type,
    margins: [inner.scrollTop, inner.scrollBottom],
    tabs: stops.filter((stop) => inner.tabs[stop] && stop < term.cols),
    // Rule: output may be synchronized (2026) for the early viewer alone; the late one draws at once.
    modes: { ...modes, synchronizedOutputMode: null },
    newLine: core.optionsService.rawOptions.convertEol,
    hidden: core.coreService.isCursorHidden,
    cursor: [dec.cursorStyle, dec.cursorBlink],
    reverse: dec.reverseWraparound,
    pen: attributes(Object.assign(Object.create(Object.getPrototypeOf(pen)), pen), links),
    encoding: core.coreMouseService.activeEncoding,
    title: core._inputHandler._windowTitle,
  };
}

/** A cell as xterm.js hands it about. */
class CellData {
  content = 0;
  fg = 0;
  bg = 0;
  combinedData = "";
  extended = undefined;
}

function resize(term, cols, rows) {
  term.resize(cols, rows);
  // Rule: an alternate screen has no scrollback. xterm.js gives it some when the terminal shrinks
  // while the normal screen is shown.
  const { active, alt, normal } = term._core._bufferService.buffers;
  if (active !== alt) alt.lines.maxLength = rows;
  // Rule: a wide character does not stay where the right edge cuts it.
  for (const { lines } of [normal, alt]) {
    for (let y = 0; y < lines.length; y += 1) {
      const row = lines.get(y);
      if (row.getWidth(cols - 1) !== 2) continue;
      const cell = row.loadCell(cols - 1, new CellData());
      row.setCellFromCodepoint(cols - 1, 0, 1, cell);
    }
  }
}

/**
 * Rule: clusters stay in their cells when lines are wrapped anew. xterm.js copies those of the whole
 * rest of a line where it copies some cells, over others that are there.
 */
function mendCopies(term) {
  const { prototype } = term._core._bufferService.buffer.lines.get(0).constructor;
  if (prototype.mended) return;
  prototype.mended = true;
  const copy = prototype.copyCellsFrom;
  prototype.copyCellsFrom = function (source, from, to, length, reverse) {
    const own = { ...this._combined };
    const theirs = { ...source._combined };
    copy.call(this, source, from, to, length, reverse);
    for (let at = 0; at < length; at += 1) own[to + at] = theirs[from + at];
    this._combined = own;
  };
}

async function show({ cols, rows, steps }) {
  const term = new Terminal({ cols, rows, scrollback: 10_000, allowProposedApi: true });
  mendCopies(term);
  term.unicode.register(widths(TABLE));
  term.unicode.activeVersion = "abbado";
  // Rule: a link keeps its address. xterm.js forgets it when the row on which it began is erased,
  // also when the link has moved to another row.
  term._core._oscLinkService._removeMarkerFromLink = () => undefined;
  for (const step of steps) {
    if (step.resize) resize(term, ...step.resize);
    else await new Promise((done) => term.write(Buffer.from(step.write, "base64"), done));
  }
  const said = describe(term);
  term.dispose();
  return said;
}

/** Columns of each `step`th character: alone, behind a letter, behind a joiner. */
function counted(step) {
  const provider = widths(TABLE);
  const columns = [];
  for (let code = 0xa0; code < 0x110000; code += step) {
    if ((code >= 0xd800 && code < 0xe000) || code === 0xfeff) continue;
    for (const before of ["", "a", "\u{1f469}\u200d"]) {
      let properties = 0;
      let sum = 0;
      for (const char of before + String.fromCodePoint(code)) {
        const next = provider.charProperties(char.codePointAt(0), properties);
        sum += ((next >> 1) & 3) - (next & 1 ? (properties >> 1) & 3 : 0);
        properties = next;
      }
      columns.push(sum);
    }
  }
  return columns;
}

for await (const text of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(text);
  const said = asked.widths ? counted(asked.widths) : await show(asked);
  process.stdout.write(JSON.stringify(said) + "\n");
}
