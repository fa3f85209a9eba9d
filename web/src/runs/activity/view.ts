// Which rows are shown, in which order. Pure.
import type { Row } from "./row";

export const FILTERS = ["messages", "tools", "subagents", "lifecycle"] as const;
export type Filter = (typeof FILTERS)[number];

const FILTER_OF: Record<Row["kind"], Filter> = {
  prompt: "messages",
  message: "messages",
  attention: "messages",
  answer: "messages",
  tool: "tools",
  agent: "subagents",
  end: "lifecycle",
  checkpoint: "lifecycle",
  life: "lifecycle",
  other: "lifecycle",
};

export interface Choice {
  /** Kinds to show; empty for all. */
  filters: ReadonlySet<Filter>;
  /** Blocks of subagents that are open, by the key of their row. */
  open: ReadonlySet<number>;
  /** Lower case; empty for no search. */
  search: string;
  /** Sequences of events whose payload holds the search. */
  found: ReadonlySet<number>;
}

/** Merges new and changed rows into `rows`; both are ordered by `first`. */
export function merge(rows: Row[], changes: readonly Row[]) {
  for (const row of changes) {
    const last = rows.at(-1);
    if (!last || last.first < row.first) {
      rows.push(row);
      continue;
    }
    const at = placeOf(rows, row.first);
    if (rows[at]?.first === row.first) rows[at] = row;
    else rows.splice(at, 0, row);
  }
}

/** Index of the first row that begins at the sequence or after it. */
export function placeOf(rows: readonly Row[], sequence: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rows[middle]?.first ?? Infinity) < sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}

function matches(row: Row, { search, found }: Choice): boolean {
  return (
    row.essence.toLowerCase().includes(search) ||
    row.name.toLowerCase().includes(search) ||
    found.has(row.first) ||
    found.has(row.last)
  );
}

function chosen(row: Row, choice: Choice): boolean {
  if (choice.filters.size > 0) {
    const inBlock = row.block > 0 && choice.filters.has("subagents");
    if (!inBlock && !choice.filters.has(FILTER_OF[row.kind])) return false;
  }
  return choice.search === "" || matches(row, choice);
}

/**
 * The rows to show. Rows of a subagent are below its own row while its block is open; with a
 * search, or when subagents are filtered out, each is where it happened.
 */
export function arrange(rows: readonly Row[], choice: Choice): Row[] {
  const flat =
    choice.search !== "" || (choice.filters.size > 0 && !choice.filters.has("subagents"));
  const all = choice.filters.size === 0 && choice.search === "";
  const list: Row[] = [];
  let blocks: Map<number, Row[]> | undefined;
  if (!flat) {
    for (const row of rows) {
      if (row.block === 0 || !choice.open.has(row.block)) continue;
      blocks ??= new Map();
      const block = blocks.get(row.block);
      if (block) block.push(row);
      else blocks.set(row.block, [row]);
    }
  }
  for (const row of rows) {
    if (row.block > 0 && !flat) continue;
    if (all || chosen(row, choice)) list.push(row);
    const block = blocks?.get(row.first);
    if (block) for (const inner of block) if (all || chosen(inner, choice)) list.push(inner);
  }
  return list;
}

/**
 * The row that shows the event of this sequence: the one it began, the one it ended, or the last
 * one before it.
 */
export function rowOf(rows: readonly Row[], sequence: number): Row | undefined {
  const at = placeOf(rows, sequence);
  if (rows[at]?.first === sequence) return rows[at];
  // A result is in the row of its call, usually not far back.
  for (let back = at - 1; back >= 0; back--) {
    const row = rows[back];
    if (row?.last === sequence && row.kind !== "agent") return row;
  }
  return rows[at - 1] ?? rows[at];
}
