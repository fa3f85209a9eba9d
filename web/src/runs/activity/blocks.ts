// Splits a message into blocks that render separately: while it grows, only the last one renders
// again.

/** Characters of a message shown until the user asks for the rest. */
export const SHOWN_CHARS = 4000;

/** Splits markdown at blank lines outside of fences where the next block is independent. */
export function splitBlocks(text: string): string[] {
  const blocks: string[] = [];
  let block: string[] = [];
  let fence = "";
  let blank = false;
  for (const line of text.split("\n")) {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1] ?? "";
    const inside = fence !== "";
    if (!inside && blank && block.length > 0 && standsAlone(line)) {
      blocks.push(block.join("\n"));
      block = [];
    }
    if (!inside) fence = mark;
    else if (mark.startsWith(fence) && line.trim() === mark) fence = "";
    blank = line.trim() === "";
    block.push(line);
  }
  blocks.push(block.join("\n"));
  return blocks;
}

/** Not indented and not a list item, so it does not continue what is above the blank line. */
function standsAlone(line: string): boolean {
  return line.trim() !== "" && !/^(\s|[-*+] |\d+[.)] |\[)/.test(line);
}

/** The start of a text up to an end of line near the limit, and how many characters are left out. */
export function startOf(text: string, limit = SHOWN_CHARS): { shown: string; more: number } {
  if (text.length <= limit * 1.2) return { shown: text, more: 0 };
  const end = text.lastIndexOf("\n", limit);
  const shown = text.slice(0, end > limit / 2 ? end : limit);
  // Close a fence that is open at the cut.
  const fences = shown.match(/^ {0,3}```/gm)?.length ?? 0;
  return {
    shown: fences % 2 === 1 ? `${shown}\n\`\`\`` : shown,
    more: text.length - shown.length,
  };
}
