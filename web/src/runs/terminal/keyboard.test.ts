import { expect, test } from "vitest";
import { encoded, Keyboard } from "./keyboard";

const press = (key: string, mods = "") => ({
  key,
  ctrlKey: mods.includes("c"),
  shiftKey: mods.includes("s"),
  altKey: mods.includes("a"),
  metaKey: mods.includes("m"),
});

test("keys with modifiers are encoded once a program enabled that", () => {
  expect(encoded(press("Enter", "s"), 0)).toBe(null);
  expect(encoded(press("Enter", "s"), 1)).toBe("\x1b[13;2u");
  expect(encoded(press("Enter", "ca"), 7)).toBe("\x1b[13;7u");
  expect(encoded(press("Backspace", "c"), 1)).toBe("\x1b[127;5u");
  for (const key of [press("Enter"), press("Tab", "s"), press("a", "c"), press("Enter", "sm")]) {
    expect(encoded(key, 1)).toBe(null);
  }
});

test("each screen has its own flags, nested", () => {
  const handlers = new Map<string, (params: number[]) => boolean>();
  const buffer = { active: { type: "normal" } };
  const term = {
    buffer,
    parser: {
      registerCsiHandler: (id: { prefix: string }, handler: (params: number[]) => boolean) =>
        handlers.set(id.prefix, handler),
      registerEscHandler: (_: object, handler: () => boolean) => handlers.set("c", handler),
    },
  };
  const keyboard = new Keyboard(term as unknown as ConstructorParameters<typeof Keyboard>[0]);
  const say = (prefix: string, ...params: number[]) => handlers.get(prefix)?.(params);
  say(">", 1);
  say(">", 7);
  expect(keyboard.flags).toBe(7);
  buffer.active.type = "alternate";
  expect(keyboard.flags).toBe(0);
  say("=", 5, 1);
  say("=", 1, 3);
  expect(keyboard.flags).toBe(4);
  buffer.active.type = "normal";
  say("<", 0);
  expect(keyboard.flags).toBe(1);
  expect(say("c")).toBe(false);
  expect(keyboard.flags).toBe(0);
});
