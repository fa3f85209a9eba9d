// Heights of rows in pixels, before they are measured: by kind, and of texts by their lines.
import type { Row } from "./row";
import { SHOWN_CHARS } from "./blocks";

/** Of a line of prose. */
export const LINE_PX = 22;
const LINES_SHOWN = Math.ceil(SHOWN_CHARS / 80);

export function guessedHeight(row: Row): number {
  switch (row.kind) {
    case "prompt":
      return 46 + LINE_PX * Math.min(row.lines, LINES_SHOWN);
    case "message":
      return 12 + LINE_PX * Math.min(row.lines, LINES_SHOWN);
    case "tool":
    case "agent":
    case "attention":
    case "answer":
      return 28;
    case "end":
      return 36;
    case "checkpoint":
    case "life":
    case "other":
      return 24;
  }
}
