// Formatting: money with four significant digits, sizes in KiB, relative times.
import type { Run } from "../api/client";

/** Dollars with four significant digits, such as `$0.03186`. */
export function money(dollars: number): string {
  if (dollars === 0) return "$0";
  if (dollars >= 1000) return `$${Math.round(dollars).toLocaleString("en")}`;
  return `$${Number(dollars.toPrecision(4))}`;
}

/** What a run cost, as far as that is known: `$0.25`, `unknown`, or `$0.25 + unknown`. */
export function costOf(cost: Run["cost"], unknown = "unknown"): string {
  if (cost.usd !== null) return money(cost.usd);
  return cost.known_usd > 0 ? `${money(cost.known_usd)} + unknown` : unknown;
}

/**
 * The total cost of runs: `$0.25`, or `at least $0.25` or `unknown` when some costs are unknown.
 */
export function sumOf(dollars: number, unpriced: number): string {
  if (unpriced === 0) return money(dollars);
  return dollars > 0 ? `at least ${money(dollars)}` : "unknown";
}

/** `1 run with unknown cost`. */
export function unpricedRuns(unpriced: number): string {
  return unpriced === 1 ? "1 run with unknown cost" : `${unpriced} runs with unknown cost`;
}

/** A short count: 999, 1.2k, 34k, 5.6M. */
export function count(n: number): string {
  const units = [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const;
  for (const [size, unit] of units) {
    if (n >= size) {
      const value = n / size;
      return `${value < 10 ? Math.floor(value * 10) / 10 : Math.floor(value)}${unit}`;
    }
  }
  return String(n);
}

/** Bytes as B, KiB, MiB, GiB. */
export function bytes(n: number): string {
  if (n < 1024) return `${n} B`;
  let value = n;
  for (const unit of ["KiB", "MiB", "GiB"]) {
    value /= 1024;
    if (value < 1024 || unit === "GiB") return `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
  }
  return "";
}

/** A duration in milliseconds: `8.2 s`, `3 min`, `2 h 5 min`, `4 d`. */
export function span(ms: number): string {
  if (ms < 100) return `${Math.max(0, Math.round(ms))} ms`;
  const s = ms / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.floor(s)} s`;
  const min = Math.floor(s / 60);
  if (min < 60) return `${min} min`;
  const h = Math.floor(min / 60);
  if (h < 24) return min % 60 && h < 10 ? `${h} h ${min % 60} min` : `${h} h`;
  return `${Math.floor(h / 24)} d`;
}

/** Age without fractions of a second, for lists: `now`, `12 s`, `3 min`. */
export function age(ms: number): string {
  return ms < 2000 ? "now" : ms < 10_000 ? `${Math.floor(ms / 1000)} s` : span(ms);
}

// Created once: creating one takes longer than rendering a row.
const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** The exact local time of an RFC 3339 text. */
export function exact(time: string): string {
  return EXACT.format(new Date(time));
}

/** The first line of a text, for rows and titles. */
export function firstLine(text: string): string {
  return text.trimStart().split("\n", 1)[0] ?? "";
}
