// A visible terminal: its connection joined with its screen.
import { onEvents, onPlace } from "@/api/stream";
import { Flow } from "./flow";
import { encoded } from "./keyboard";
import { arrow, chordOf, isAnswer, isReport, withCtrl, type Arrow, type Chord } from "./keys";
import { TerminalLink, type LinkState } from "./link";
import { Screen } from "./screen";

/** How long the pane must keep its size before the program is resized, in milliseconds. */
const RESIZE_MS = 120;
/** Rests after too much output, in milliseconds: the first, doubled up to the second. */
const REST_MS = [250, 2000] as const;

/** State shown around the screen. */
export interface Seen {
  link: LinkState;
  /** Keys dropped since the last one that was sent. */
  lost: number;
  selected: boolean;
  ctrl: boolean;
}

export interface SessionListener {
  seen: (change: Partial<Seen>) => void;
  chord: (chord: "leave" | "search") => void;
  copied: () => void;
  failed: (what: string, error: unknown) => void;
}

export class TerminalSession {
  readonly screen: Screen;
  #listener: SessionListener;
  #link: TerminalLink;
  #flow: Flow;
  #encoder = new TextEncoder();
  #settled = false;
  /** The size of the program's terminal, as far as this page knows. */
  #programSize = { cols: 0, rows: 0 };
  #lost = 0;
  #ctrl = false;
  #resizeTimer: ReturnType<typeof setTimeout> | undefined;
  #restTimer: ReturnType<typeof setTimeout> | undefined;
  #restMs: number = REST_MS[0];
  #restedAt = 0;
  #ends: (() => void)[] = [];

  constructor(
    runId: string,
    element: HTMLElement,
    look: { dark: boolean; reader: boolean },
    listener: SessionListener,
  ) {
    this.#listener = listener;
    this.screen = new Screen(element, look);
    this.#flow = new Flow(this.screen, {
      overrun: () => this.#link.rest(),
      drained: () => this.#rested(),
      settled: () => {
        this.#settled = true;
        this.#refit();
      },
    });
    this.#link = new TerminalLink(runId, {
      state: (state) => this.#entered(state),
      size: (cols, rows) => {
        this.#settled = false;
        this.#programSize = { cols, rows };
        this.#flow.size(cols, rows);
      },
      snapshot: (bytes) => this.#flow.snapshot(bytes),
      output: (bytes) => this.#flow.output(bytes),
      resized: (cols, rows) => {
        this.#programSize = { cols, rows };
        this.#flow.resize(cols, rows);
      },
    });
    this.#listen(runId, element);
    this.#link.start();
  }

  #listen(runId: string, element: HTMLElement) {
    const { term } = this.screen;
    term.onData((typed) => this.#typed(typed));
    term.onBinary((typed) =>
      this.#send(
        Uint8Array.from(typed, (char) => char.charCodeAt(0)),
        0,
      ),
    );
    term.onSelectionChange(() => this.#listener.seen({ selected: term.hasSelection() }));
    term.attachCustomKeyEventHandler((key) => this.#chord(key));
    const observer = new ResizeObserver(() => {
      clearTimeout(this.#resizeTimer);
      this.#resizeTimer = setTimeout(() => this.#refit(), RESIZE_MS);
    });
    observer.observe(element);
    // Of several pages on one terminal, the one in use decides its size.
    const used = () => document.visibilityState === "visible" && this.#refit(true);
    element.addEventListener("focusin", used);
    document.addEventListener("visibilitychange", used);
    this.#ends.push(
      () => observer.disconnect(),
      () => element.removeEventListener("focusin", used),
      () => document.removeEventListener("visibilitychange", used),
      onPlace(() => this.#link.retryNow()),
      onEvents((events) => {
        for (const event of events) {
          if (event.run_id === runId && event.event_type === "process.spawned") {
            this.#link.started();
          }
        }
      }),
    );
  }

  #entered(state: LinkState) {
    if (state.name === "live") {
      this.screen.setReadOnly(false);
      this.#tellColours();
    }
    if (state.name === "ended") this.screen.setReadOnly(true);
    if (state.name === "ended" || state.name === "gone") this.#count(0);
    this.#listener.seen({ link: state });
  }

  /** After too much output: attaches again, later each time. */
  #rested() {
    const calm = Date.now() - this.#restedAt > 2 * REST_MS[1];
    this.#restMs = calm ? REST_MS[0] : Math.min(this.#restMs * 2, REST_MS[1]);
    this.#restTimer = setTimeout(() => {
      this.#restedAt = Date.now();
      this.#link.resume();
    }, this.#restMs);
  }

  /**
   * Requests the size of the pane if the program's terminal has another one, or always with
   * `claim`. The screen changes when the server announces the size to every page, at its place in
   * the output. When another page decides the size, this pane scrolls.
   */
  #refit(claim = false) {
    if (!this.#settled || this.#link.state.name !== "live") return;
    const size = this.screen.fit();
    if (!size) return;
    const same = size.cols === this.#programSize.cols && size.rows === this.#programSize.rows;
    if (same && !claim) return;
    this.#link.resize(size.cols, size.rows);
  }

  setDark(dark: boolean) {
    this.screen.setDark(dark);
    this.#tellColours();
  }

  #tellColours() {
    const colours = this.screen.colours();
    if (colours) this.#link.colours(colours);
  }

  #typed(typed: string) {
    if (isAnswer(typed)) return;
    if (isReport(typed)) {
      this.#send(this.#encoder.encode(typed), 0);
      return;
    }
    const keys = this.#ctrl ? withCtrl(typed) : typed;
    if (this.#ctrl) this.setCtrl(false);
    this.#send(this.#encoder.encode(keys), [...typed].length);
  }

  #send(bytes: Uint8Array<ArrayBuffer>, keys: number) {
    if (this.#link.input(bytes)) {
      if (keys > 0 && this.#lost > 0) this.#count(0);
    } else if (keys > 0) {
      this.#count(this.#lost + keys);
    }
  }

  #count(lost: number) {
    if (lost === this.#lost) return;
    this.#lost = lost;
    this.#listener.seen({ lost });
  }

  /** Sends a key that xterm.js cannot encode; false for other keys. */
  #encoded(key: KeyboardEvent): boolean {
    const sent = encoded(key, this.screen.keyboard.flags);
    if (sent === null) return false;
    key.preventDefault();
    // Send on the press only, but keep the other events from xterm.js too.
    if (key.type === "keydown") this.type(sent);
    return true;
  }

  /** True when the key belongs to the program. */
  #chord(key: KeyboardEvent): boolean {
    const chord: Chord = chordOf(key, this.screen.term.hasSelection());
    if (chord === null) return !this.#encoded(key);
    if (chord === "paste") return false; // the browser pastes, and xterm handles its event
    key.preventDefault();
    if (chord === "copy") void this.copy();
    else this.#listener.chord(chord);
    return false;
  }

  /** Copies and clears the selection. */
  async copy() {
    const { term } = this.screen;
    const text = term.getSelection();
    if (text === "") return;
    try {
      await navigator.clipboard.writeText(text);
      term.clearSelection();
      this.#listener.copied();
    } catch (error) {
      this.#listener.failed("Could not copy", error);
    }
  }

  /** Pastes the clipboard, bracketed if the program enabled that. */
  async paste() {
    try {
      this.screen.term.paste(await navigator.clipboard.readText());
    } catch (error) {
      this.#listener.failed("Could not read the clipboard", error);
    }
    this.screen.term.focus();
  }

  /** Whether the next key is sent with Ctrl. */
  setCtrl(on: boolean) {
    this.#ctrl = on;
    this.#listener.seen({ ctrl: on });
  }

  /** Sends keys as if they were typed. */
  type(keys: string) {
    this.screen.term.input(keys);
  }

  arrow(which: Arrow) {
    this.type(arrow(which, this.screen.term.modes.applicationCursorKeysMode));
  }

  /** The server is back. */
  retryNow() {
    this.#link.retryNow();
  }

  dispose() {
    for (const end of this.#ends) end();
    clearTimeout(this.#resizeTimer);
    clearTimeout(this.#restTimer);
    this.#link.stop();
    this.screen.dispose();
  }
}
