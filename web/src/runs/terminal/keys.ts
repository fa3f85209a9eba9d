// How keys are encoded for a program in a terminal.

/** The control character of a typed one, such as ^C for `c`; others stay as they are. */
export function withCtrl(typed: string): string {
  if (typed.length !== 1) return typed;
  if (typed === " ") return "\0";
  if (typed === "?") return "\x7f";
  const code = typed.toUpperCase().charCodeAt(0);
  return code >= 0x40 && code <= 0x5f ? String.fromCharCode(code & 0x1f) : typed;
}

export type Arrow = "up" | "down" | "right" | "left";
const ARROWS: Record<Arrow, string> = { up: "A", down: "B", right: "C", left: "D" };

/** What an arrow key sends; `application`: the program asked for application cursor keys. */
export function arrow(which: Arrow, application: boolean): string {
  return `\x1b${application ? "O" : "["}${ARROWS[which]}`;
}

const REPORT = /^\x1b(\[(I|O|M[^]{3}|<[\d;]+[mM]|\??[\d;]*[cnR]|>[\d;]*c)|[P\]][^]*)$/;

/**
 * Whether the terminal sent this by itself (focus, mouse, a reply to a query of the program).
 * Losing it does no harm.
 */
export function isReport(sent: string): boolean {
  return REPORT.test(sent);
}

const ANSWER =
  /^\x1b(\[(\?[\d;]*[cu]|>[\d;]*c|\??[\d;]*\$y|[03]n|\?\d+;\d+R|(?!1;([2-9]|1[0-6])R)\d+;\d+R|[4689];\d+;\d+t)|P[^]*|\](4;\d+|1[012]);rgb:[^]*)$/;

/**
 * Whether this is the terminal's reply to a query of the program. The server has already replied,
 * so the program would read it as keys. F3 with Shift and the like (`CSI 1;2R`) are keys.
 */
export function isAnswer(sent: string): boolean {
  return ANSWER.test(sent);
}

/**
 * The chord that returns the focus to the page. Terminals cannot encode it, so no program misses
 * it.
 */
export const LEAVE = "Ctrl+Shift+.";

export type Chord = "leave" | "search" | "copy" | "paste" | null;

type Pressed = Pick<KeyboardEvent, "type" | "code" | "ctrlKey" | "shiftKey" | "altKey" | "metaKey">;

/** What a pressed key means to the page; null when it belongs to the program. */
export function chordOf(key: Pressed, selected: boolean): Chord {
  if (key.type !== "keydown" || !key.ctrlKey || key.altKey || key.metaKey) return null;
  if (key.shiftKey) {
    switch (key.code) {
      case "Period":
        return "leave";
      case "KeyF":
        return "search";
      case "KeyC":
        return "copy";
      case "KeyV":
        return "paste";
      default:
        return null;
    }
  }
  if (key.code === "KeyV") return "paste";
  return key.code === "KeyC" && selected ? "copy" : null;
}
