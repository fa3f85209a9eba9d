import { expect, test } from "vitest";
import { arrow, chordOf, isAnswer, isReport, withCtrl } from "./keys";

test("Ctrl makes control characters", () => {
  expect(["c", "C", "[", " ", "?", "_"].map(withCtrl)).toEqual([
    "\x03",
    "\x03",
    "\x1b",
    "\0",
    "\x7f",
    "\x1f",
  ]);
  expect(["1", "ä", "pasted", "\r"].map(withCtrl)).toEqual(["1", "ä", "pasted", "\r"]);
});

test("arrows follow the mode of the program", () => {
  expect(arrow("up", false)).toBe("\x1b[A");
  expect(arrow("left", true)).toBe("\x1bOD");
});

test("what the terminal sends by itself is distinguished from keys", () => {
  for (const said of ["\x1b[I", "\x1b[O", "\x1b[<0;3;4M", "\x1b[3;4R", "\x1b[?1;2c", "\x1b[0n"]) {
    expect(isReport(said), JSON.stringify(said)).toBe(true);
  }
  for (const typed of ["a", "\x1b", "\x1b[A", "\x1bOA", "\x1b[3~", "\x1b[200~text\x1b[201~"]) {
    expect(isReport(typed), JSON.stringify(typed)).toBe(false);
  }
});

test("chords are the page's, everything else the program's", () => {
  const press = (code: string, mods = "", selected = false) =>
    chordOf(
      {
        type: "keydown",
        code,
        ctrlKey: mods.includes("c"),
        shiftKey: mods.includes("s"),
        altKey: mods.includes("a"),
        metaKey: false,
      },
      selected,
    );
  expect(press("Period", "cs")).toBe("leave");
  expect(press("KeyF", "cs")).toBe("search");
  expect(press("KeyC", "cs")).toBe("copy");
  expect(press("KeyV", "c")).toBe("paste");
  expect(press("KeyC", "c")).toBe(null);
  expect(press("KeyC", "c", true)).toBe("copy");
  expect(press("Escape")).toBe(null);
  expect(press("KeyF", "csa")).toBe(null);
});

test("replies of the terminal are distinguished from keys and reports", () => {
  for (const answer of [
    "\x1b[?1;2c",
    "\x1b[>0;276;0c",
    "\x1b[0n",
    "\x1b[12;4R",
    "\x1b[1;1R",
    "\x1b[?1;2R",
    "\x1b[?2004;1$y",
    "\x1b[8;24;80t",
    "\x1bP1$r0m\x1b\\",
    "\x1b]11;rgb:ffff/ffff/ffff\x1b\\",
    "\x1b]4;3;rgb:ffff/ffff/ffff\x1b\\",
  ]) {
    expect(isAnswer(answer), JSON.stringify(answer)).toBe(true);
  }
  for (const other of ["\x1b[1;2R", "\x1b[I", "\x1b[<0;3;4M", "\x1b[A", "\x1bOR", "a"]) {
    expect(isAnswer(other), JSON.stringify(other)).toBe(false);
  }
});
