// Keys that only the kitty keyboard protocol can encode, such as Shift+Enter, and xterm.js does not
// support. The server announces the protocol, so programs offer such keys.
import type { Terminal } from "@xterm/xterm";

/** Codes of keys that differ with Shift, Alt or Ctrl. */
const CODES: Record<string, number> = { Enter: 13, Tab: 9, Backspace: 127 };
const DISAMBIGUATE = 1;
/** Most nested states, as in the server. */
const STACK_MAX = 16;

type Pressed = Pick<KeyboardEvent, "key" | "ctrlKey" | "shiftKey" | "altKey" | "metaKey">;

/** What a key with modifiers sends; null when xterm.js handles it. */
export function encoded(key: Pressed, flags: number): string | null {
  const code = CODES[key.key];
  if ((flags & DISAMBIGUATE) === 0 || code === undefined || key.metaKey) return null;
  const modifiers = (key.shiftKey ? 1 : 0) + (key.altKey ? 2 : 0) + (key.ctrlKey ? 4 : 0);
  // Shift+Tab has a legacy sequence that every program knows.
  if (modifiers === 0 || (key.key === "Tab" && modifiers === 1)) return null;
  return `\x1b[${code};${modifiers + 1}u`;
}

/** The modes that programs set, on each of the two screens. */
export class Keyboard {
  #stacks = { normal: [] as number[], alternate: [] as number[] };
  #term: Pick<Terminal, "parser" | "buffer">;

  constructor(term: Pick<Terminal, "parser" | "buffer">) {
    this.#term = term;
    const on = (prefix: string, change: (stack: number[], params: number[]) => void) =>
      term.parser.registerCsiHandler({ prefix, final: "u" }, (params) => {
        const numbers = params.map((param) => (typeof param === "number" ? param : 0));
        change(this.#stack(), numbers);
        return true;
      });
    on(">", (stack, [flags = 0]) => {
      stack.push(flags);
      if (stack.length > STACK_MAX) stack.shift();
    });
    on("<", (stack, [count]) => stack.splice(Math.max(0, stack.length - (count || 1))));
    on("=", (stack, [flags = 0, how]) => {
      const old = stack.pop() ?? 0;
      stack.push(how === 2 ? old | flags : how === 3 ? old & ~flags : flags);
    });
    term.parser.registerEscHandler({ final: "c" }, () => {
      this.#stacks = { normal: [], alternate: [] };
      return false; // xterm.js resets the rest
    });
  }

  get flags(): number {
    return this.#stack().at(-1) ?? 0;
  }

  #stack(): number[] {
    return this.#stacks[this.#term.buffer.active.type];
  }
}
