// An xterm in an element: renderer, links, search, colours, fitting.
import { FitAddon } from "@xterm/addon-fit";
import { SearchAddon } from "@xterm/addon-search";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { WebglAddon } from "@xterm/addon-webgl";
import { Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { searchColours, themeOf } from "./colours";
import type { Sink } from "./flow";

const FONT = '"JetBrains Mono Variable"';
const FONT_PX = 13;
const SCROLLBACK_LINES = 10_000;

/** Resolves when the bundled font can be measured, or will not come. */
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

export class Screen implements Sink {
  readonly term: Terminal;
  readonly search: SearchAddon;
  #fit = new FitAddon();
  #element: HTMLElement;

  constructor(element: HTMLElement, look: { dark: boolean; reader: boolean }) {
    this.#element = element;
    this.term = new Terminal({
      allowProposedApi: true, // the search marks its finds by decorations
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
    this.search = new SearchAddon();
    this.term.loadAddon(this.#fit);
    this.term.loadAddon(this.search);
    this.term.loadAddon(new WebLinksAddon(openLink));
    this.term.open(element);
    // Tab passes by: inside, it would be the program's. Enter on the pane leads in.
    if (this.term.textarea) this.term.textarea.tabIndex = -1;
    this.#accelerate();
  }

  /** Draws by WebGL where there is one; else xterm draws by elements of its own. */
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

  /** Takes the size of the pane; gives it, or nothing while the pane is not seen. */
  fit(): { cols: number; rows: number } | null {
    if (this.#element.clientWidth === 0 || this.#element.clientHeight === 0) return null;
    const size = this.#fit.proposeDimensions();
    if (!size || Number.isNaN(size.cols) || Number.isNaN(size.rows)) return null;
    const cols = Math.min(1000, Math.max(2, size.cols));
    const rows = Math.min(1000, Math.max(1, size.rows));
    this.term.resize(cols, rows);
    return { cols, rows };
  }

  setDark(dark: boolean) {
    this.term.options.theme = themeOf(dark);
  }

  setReader(on: boolean) {
    this.term.options.screenReaderMode = on;
  }

  /** Nothing can be typed any more; what is seen stays. */
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
