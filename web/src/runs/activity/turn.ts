// What a turn used: tools, time, tokens and money. Results carry totals; a turn is a difference.
import { count, money, span } from "@/lib/format";
import type { Payload } from "@/api/client";

interface Totals {
  tokens: number;
  cost: number;
  /** Tokens without a known price. */
  unpriced: number;
}

export class Turn {
  #before: Totals | undefined;
  #now: Totals | undefined;
  #began = 0;
  #tools = 0;
  number = 0;

  /** `whole`: the log is read from its start, so the figures of the first turn are known. */
  constructor(whole: boolean) {
    this.#before = whole ? { tokens: 0, cost: 0, unpriced: 0 } : undefined;
  }

  begin(time: number) {
    this.number++;
    this.#before = this.#now ?? this.#before;
    this.#began = time;
    this.#tools = 0;
  }

  tool() {
    this.#tools++;
  }

  result(payload: Payload<"run.result">) {
    const tokens = payload.tokens_in + payload.tokens_out;
    this.#now = { tokens, cost: payload.cost_usd, unpriced: payload.unknown_tokens ?? 0 };
  }

  /** `3 tools · 8.2 s · 1.2k tokens · $0.03186`, with what is known. */
  took(time: number): string {
    const parts: string[] = [];
    if (this.#tools > 0) parts.push(this.#tools === 1 ? "1 tool" : `${this.#tools} tools`);
    if (this.#began > 0) parts.push(span(time - this.#began));
    if (this.#before && this.#now) {
      const tokens = this.#now.tokens - this.#before.tokens;
      const cost = this.#now.cost - this.#before.cost;
      if (tokens > 0) parts.push(`${count(tokens)} tokens`);
      const unpriced = this.#now.unpriced > this.#before.unpriced;
      if (cost > 0) parts.push(unpriced ? `${money(cost)} + unknown` : money(cost));
      else if (unpriced) parts.push("cost unknown");
    }
    return parts.join(" · ");
  }
}
