// Turns of a run with their tokens, cost and time, folded from its events.
import type { RunEvent } from "@/api/client";

/** What the fold needs of an event, without the outputs of tools. */
export interface Fact {
  sequence: number;
  type: RunEvent["event_type"];
  /** Milliseconds of the epoch. */
  at: number;
  /** Of calls of tools and of their results. */
  tool?: { id: string | null; name: string };
  /** Of results: totals so far. */
  totals?: { tokens: Tokens; cost: number; unpriced: number };
}

/** Types of events that are folded. */
export const FACT_TYPES = [
  "run.started",
  "run.paused",
  "run.completed",
  "run.failed",
  "run.cancelled",
  "run.result",
  "agent.tool_call",
  "agent.tool_result",
  "agent.needs_attention",
  "approval.requested",
  "approval.decided",
  "approval.expired",
  "approval.void",
  "user.message",
] as const;

export function factOf(event: RunEvent): Fact {
  const { sequence, event_type: type, created_at } = event;
  const fact: Fact = { sequence, type, at: Date.parse(created_at) };
  switch (event.event_type) {
    case "agent.tool_call":
    case "agent.tool_result":
      fact.tool = { id: event.payload.tool_use_id ?? null, name: event.payload.tool_name };
      break;
    case "run.result": {
      const { payload } = event;
      const tokens = {
        in: payload.tokens_in,
        out: payload.tokens_out,
        cacheRead: payload.tokens_cache_read,
        cacheWrite: payload.tokens_cache_write,
      };
      fact.totals = { tokens, cost: payload.cost_usd, unpriced: payload.unknown_tokens ?? 0 };
      break;
    }
    default:
  }
  return fact;
}

export type Doing = "thinking" | "tool" | "you";

export interface Span {
  doing: Doing;
  /** Milliseconds of the epoch. */
  from: number;
  to: number;
}

export interface Tokens {
  in: number;
  out: number;
  cacheRead: number;
  cacheWrite: number;
}

export interface Turn {
  /** 1, 2, 3 … */
  number: number;
  from: number;
  /** The end, or now for an unfinished turn. */
  to: number;
  lasts: boolean;
  tokens: Tokens;
  /** Dollars, as far as they are known. */
  cost: number;
  /** Some of its tokens have no known price. */
  unpriced: boolean;
  /** Without holes, in order. */
  spans: Span[];
  /** Time that tools took, by name, in milliseconds, without waits for a person. */
  tools: Map<string, { calls: number; ms: number }>;
}

type Interval = [from: number, to: number];

/** The same time as intervals that neither touch nor overlap, in order. */
export function joined(intervals: Interval[]): Interval[] {
  const sorted = intervals.filter(([from, to]) => to > from).sort((a, b) => a[0] - b[0]);
  const result: Interval[] = [];
  for (const [from, to] of sorted) {
    const last = result.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else result.push([from, to]);
  }
  return result;
}

/** How much of an interval the others cover, in milliseconds. */
function overlap([from, to]: Interval, others: Interval[]): number {
  return others.reduce((ms, [a, b]) => ms + Math.max(0, Math.min(to, b) - Math.max(from, a)), 0);
}

/** What the run did at each moment: waiting for a person over tools, tools over thinking. */
function spansOf(from: number, to: number, you: Interval[], tools: Interval[]): Span[] {
  const inside = (at: number, intervals: Interval[]) =>
    intervals.some(([a, b]) => a <= at && at < b);
  const edges = new Set([from, to]);
  for (const edge of [...you, ...tools].flat()) if (edge > from && edge < to) edges.add(edge);
  const places = [...edges].sort((a, b) => a - b);
  const spans: Span[] = [];
  for (const [nth, start] of places.entries()) {
    const end = places[nth + 1];
    if (end === undefined) break;
    const doing: Doing = inside(start, you) ? "you" : inside(start, tools) ? "tool" : "thinking";
    const last = spans.at(-1);
    if (last?.doing === doing) last.to = end;
    else spans.push({ doing, from: start, to: end });
  }
  return spans;
}

const NO_TOKENS: Tokens = { in: 0, out: 0, cacheRead: 0, cacheWrite: 0 };

/** A turn while it is read. */
class Open {
  readonly from: number;
  to: number | null = null;
  calls: { id: string | null; name: string; from: number; to: number | null }[] = [];
  you: Interval[] = [];
  asked: number | null = null;

  constructor(from: number) {
    this.from = from;
  }

  answered(at: number) {
    if (this.asked !== null) this.you.push([this.asked, at]);
    this.asked = null;
  }

  result(fact: Fact) {
    const waits = this.calls.filter((call) => call.to === null);
    const { id, name } = fact.tool ?? { id: null, name: "" };
    const call =
      waits.find((waiting) => id !== null && waiting.id === id) ??
      waits.find((waiting) => waiting.id === null && waiting.name === name);
    if (call) call.to = fact.at;
  }

  end(at: number) {
    this.answered(at);
    this.to = at;
  }

  turn(number: number, now: number, tokens: Tokens, cost: number, unpriced: boolean): Turn {
    const to = this.to ?? Math.max(now, this.from);
    const you = joined(this.asked === null ? this.you : [...this.you, [this.asked, to]]);
    const tools = new Map<string, { calls: number; ms: number }>();
    const busy: Interval[] = [];
    for (const call of this.calls) {
      const took: Interval = [call.from, call.to ?? to];
      busy.push(took);
      const known = tools.get(call.name) ?? { calls: 0, ms: 0 };
      const ms = took[1] - took[0] - overlap(took, you);
      tools.set(call.name, { calls: known.calls + 1, ms: known.ms + ms });
    }
    const spans = spansOf(this.from, to, you, joined(busy));
    return {
      number,
      from: this.from,
      to,
      lasts: this.to === null,
      tokens,
      cost,
      unpriced,
      spans,
      tools,
    };
  }
}

/** What a turn used: totals at its end minus totals at its start, never below zero. */
function used(after: Tokens, before: Tokens): Tokens {
  const less = (key: keyof Tokens) => Math.max(0, after[key] - before[key]);
  return {
    in: less("in"),
    out: less("out"),
    cacheRead: less("cacheRead"),
    cacheWrite: less("cacheWrite"),
  };
}

/** Folds the facts, in the order of their sequence. `now` ends an unfinished turn. */
export function turnsOf(facts: Fact[], now: number): Turn[] {
  const turns: { open: Open; tokens: Tokens; cost: number; unpriced: number }[] = [];
  for (const fact of facts) {
    const last = turns.at(-1);
    const current = last && last.open.to === null ? last.open : undefined;
    switch (fact.type) {
      case "run.started":
        if (current) current.answered(fact.at);
        else
          turns.push({
            open: new Open(fact.at),
            tokens: last?.tokens ?? NO_TOKENS,
            cost: last?.cost ?? 0,
            unpriced: last?.unpriced ?? 0,
          });
        break;
      case "run.result":
        // Totals that arrive shortly after the end of a turn still belong to it.
        if (last && fact.totals) Object.assign(last, fact.totals);
        break;
      case "agent.tool_call":
        if (fact.tool) current?.calls.push({ ...fact.tool, from: fact.at, to: null });
        break;
      case "agent.tool_result":
        current?.answered(fact.at);
        current?.result(fact);
        break;
      case "agent.needs_attention":
      case "approval.requested":
        if (current) current.asked ??= fact.at;
        break;
      case "user.message":
      case "approval.decided":
      case "approval.expired":
      case "approval.void":
        current?.answered(fact.at);
        break;
      default:
        current?.end(fact.at);
    }
  }
  return turns.map(({ open, tokens, cost, unpriced }, at) => {
    const before = turns[at - 1];
    return open.turn(
      at + 1,
      now,
      used(tokens, before?.tokens ?? NO_TOKENS),
      Math.max(0, cost - (before?.cost ?? 0)),
      unpriced > (before?.unpriced ?? 0),
    );
  });
}

/** Time of tools over all turns, longest first. */
export function toolTimes(turns: Turn[]): { name: string; calls: number; ms: number }[] {
  const all = new Map<string, { calls: number; ms: number }>();
  for (const turn of turns) {
    for (const [name, { calls, ms }] of turn.tools) {
      const known = all.get(name) ?? { calls: 0, ms: 0 };
      all.set(name, { calls: known.calls + calls, ms: known.ms + ms });
    }
  }
  return [...all].map(([name, rest]) => ({ name, ...rest })).sort((a, b) => b.ms - a.ms);
}

/** Time by what was done in a turn, in milliseconds. */
export function timesOf(turn: Turn): Record<Doing, number> {
  const times = { thinking: 0, tool: 0, you: 0 };
  for (const { doing, from, to } of turn.spans) times[doing] += to - from;
  return times;
}
