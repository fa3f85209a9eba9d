import { expect, test } from "vitest";
import { parseContentRange } from "./range";
import { CHARS_MAX, LogText, logName } from "./text";

const bytes = (text: string) => new TextEncoder().encode(text);
function lines(...parts: (string | Uint8Array)[]): string[] {
  const log = new LogText();
  for (const part of parts) log.add(typeof part === "string" ? bytes(part) : part);
  return [...log.blocks.flatMap((block) => block.lines), log.current];
}

test("colours, titles and modes go, text stays", () => {
  expect(lines("\x1b[1;31mred\x1b[0m\r\n\x1b]0;title\x07\x1b[?25lplain\x1b(B\n")).toEqual([
    "red",
    "plain",
    "",
  ]);
});

test("pieces may be cut anywhere", () => {
  const whole = bytes("a\x1b[38;5;200mä✓\x1b[0m\r\n\x1b]8;;http://x/\x1b\\link\x1b]8;;\x1b\\\n");
  for (let cut = 0; cut <= whole.length; cut += 1) {
    expect(lines(whole.subarray(0, cut), whole.subarray(cut)), `cut at ${cut}`).toEqual([
      "aä✓",
      "link",
      "",
    ]);
  }
});

test("a line written over shows what was written last", () => {
  expect(lines("10 %\r20 %\r100 %\r\ndone\b\bNE")).toEqual(["100 %", "doNE"]);
});

test("cursor moves part words and lines", () => {
  expect(lines("a\x1b[3Cb\x1b[5;1Hc")).toEqual(["a   b", "c"]);
});

test("old lines go, long ones are broken", () => {
  const log = new LogText();
  for (let n = 0; n < 40; n += 1) log.add(bytes("0123456789".repeat(4000)));
  for (let n = 0; n < 60_000; n += 1) log.add(bytes(`line ${n} of many that are written\n`));
  const kept = log.blocks.flatMap((block) => block.lines);
  const length = log.blocks.reduce((sum, block) => sum + block.length, 0);
  expect(length).toBeLessThanOrEqual(CHARS_MAX);
  expect(kept.at(-1)).toBe("line 59999 of many that are written");
  expect(Math.max(...kept.map((line) => line.length))).toBeLessThanOrEqual(4000);
});

test("names of files and places in ranges", () => {
  expect(logName("abbado/run-a1b2c3d4", "Fix the login/redirect!")).toBe(
    "run-a1b2c3d4-fix-the-login-redirect.log",
  );
  expect(logName("abbado/run-a1b2c3d4", "修")).toBe("run-a1b2c3d4.log");
  expect(parseContentRange("bytes 10-19/200")).toEqual({ from: 10, total: 200 });
  expect(parseContentRange(null)).toBe(null);
});
