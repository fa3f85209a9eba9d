// An xterm in an element: renderer, links, search, colours, fitting.
import { FitAddon } from "@xterm/addon-fit";
import { SearchAddon } from "@xterm/addon-search";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { WebglAddon } from "@xterm/addon-webgl";
import { Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import widthTable from "../../../../src/pty/emulator/widths.txt?raw";
import { searchColours, themeOf } from "./colours";
import type { Sink } from "./flow";
import { Keyboard } from "./keyboard";
import { widths } from "./widths.mjs";

const FONT = '"JetBrains Mono Variable"';
const FONT_PX = 13;
const SCROLLBACK_LINES = 10_000;

/** Resolves when the bundled font can be measured, or failed to load. */
export async function fontReady(): Promise<void> {
  try {
    await document.fonts.load(`${FONT_PX}px ${FONT}`);
  } catch {
    // the fallback font is measured instead
  }
}

function openLink(_: MouseEvent, address: string) {
  window.open(address, "_blank", "noopener,noreferrer");
}

export interface Colours {
  foreground: string;
  background: string;
  cursor: string;
}

export class Screen implements Sink {
  readonly term: Terminal;
  readonly search: SearchAddon;
  readonly keyboard: Keyboard;
  #fit = new FitAddon();
  #element: HTMLElement;

  constructor(element: HTMLElement, look: { dark: boolean; reader: boolean }) {
    this.#element = element;
    this.term = new Terminal({
      allowProposedApi: true, // decorations of the search, widths of characters
      fontFamily: `${FONT}, ui-monospace, monospace`,
      fontSize: FONT_PX,
      lineHeight: 1,
      scrollback: SCROLLBACK_LINES,
      minimumContrastRatio: 4.5,
      cursorBlink: false,
      macOptionIsMeta: true,
      rescaleOverlappingGlyphs: true,
      screenReaderMode: look.reader,
      theme: themeOf(look.dark),
      linkHandler: { activate: openLink },
    });
    const unicode = widths(widthTable);
    this.term.unicode.register(unicode);
    this.term.unicode.activeVersion = unicode.version;
    this.keyboard = new Keyboard(this.term);
    this.search = new SearchAddon();
    this.term.loadAddon(this.#fit);
    this.term.loadAddon(this.search);
    this.term.loadAddon(new WebLinksAddon(openLink));
    this.term.open(element);
    // Tab skips the terminal, where it would go to the program. Enter on the pane enters it.
    if (this.term.textarea) this.term.textarea.tabIndex = -1;
    this.#accelerate();
  }

  /** Renders with WebGL where available; else xterm uses DOM elements. */
  #accelerate() {
    try {
      const webgl = new WebglAddon();
      webgl.onContextLoss(() => webgl.dispose());
      this.term.loadAddon(webgl);
    } catch {
      // no WebGL 2 here
    }
  }

  write(bytes: Uint8Array | string, done: () => void) {
    this.term.write(bytes, done);
  }

  begin(size: { cols: number; rows: number } | null) {
    this.term.reset();
    if (size) this.term.resize(size.cols, size.rows);
  }

  /** Follows the program's terminal. */
  resize(cols: number, rows: number) {
    this.term.resize(cols, rows);
  }

  /** The size that fills the pane; nothing while the pane is hidden. */
  fit(): { cols: number; rows: number } | null {
    if (this.#element.clientWidth === 0 || this.#element.clientHeight === 0) return null;
    const size = this.#fit.proposeDimensions();
    if (!size || Number.isNaN(size.cols) || Number.isNaN(size.rows)) return null;
    const cols = Math.min(1000, Math.max(2, size.cols));
    const rows = Math.min(1000, Math.max(1, size.rows));
    return { cols, rows };
  }

  setDark(dark: boolean) {
    this.term.options.theme = themeOf(dark);
  }

  /** For programs that query them; null when a colour cannot be expressed. */
  colours(): Colours | null {
    const { foreground, background, cursor } = this.term.options.theme ?? {};
    const colours = { foreground, background, cursor };
    const plain = Object.values(colours).every((colour) => /^#[0-9a-f]{6}$/i.test(colour ?? ""));
    return plain ? (colours as Colours) : null;
  }

  setReader(on: boolean) {
    this.term.options.screenReaderMode = on;
  }

  /** Disables typing; the screen stays. */
  setReadOnly(on: boolean) {
    this.term.options.disableStdin = on;
    this.term.options.cursorInactiveStyle = on ? "none" : "outline";
  }

  find(text: string, back: boolean, incremental = false) {
    const options = { incremental, decorations: searchColours() };
    if (back) this.search.findPrevious(text, options);
    else this.search.findNext(text, options);
  }

  dispose() {
    this.term.dispose();
  }
}
