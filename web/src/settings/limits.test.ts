import { expect, test } from "vitest";
import { limitWords } from "./limits";

const none = { max_turns: "none", allowed_tools: "none" };

test("equal modes share one line", () => {
  expect(limitWords({ interactive: none, headless: none })).toEqual([
    "Max turns is not enforced, allowed tools are not enforced.",
  ]);
});

test("each mode has its line; an unknown word is shown as it is", () => {
  expect(
    limitWords({
      interactive: { max_turns: "counted", allowed_tools: "cli" },
      headless: { max_turns: "sometimes", allowed_tools: "cli" },
    }),
  ).toEqual([
    "Interactive: abbado pauses the run at max turns, the CLI enforces the allowed tools.",
    "Headless: max turns: sometimes, the CLI enforces the allowed tools.",
  ]);
});
