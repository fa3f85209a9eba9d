// Folds a run's events into rows. Pure: the same events in order give the same rows.
import type { Payload, RunEvent } from "@/api/client";
import { subjectOf } from "@/approvals/words";
import {
  answeredFailure,
  answeredLines,
  inputLines,
  isObject,
  oneLine,
  str,
  toolEssence,
  toolLabel,
} from "./essence";
import { guessedLines, newRow, type Kind, type Row } from "./row";
import { isFailure, sentence } from "./sentence";
import { MessageStreams } from "./message-streams";
import { Turn } from "./turn";

/** A piece of a message that is still streaming. */
export interface Piece {
  /** `first` of its row. */
  first: number;
  text: string;
}

export interface Change {
  /** New and changed rows, in the order of `first`. */
  rows: Row[];
  pieces: Piece[];
}

/** Most calls that are kept while they wait for their result. */
const CALLS_MAX = 2000;
const ENDS = new Set(["run.paused", "run.completed", "run.failed", "run.cancelled"]);
const SPAWNING = new Set(["Agent", "Task"]);

export class Fold {
  /** Sequence of the last event folded. */
  head = 0;
  #calls = new Map<string, Row>();
  #agents = new Map<string, Row>();
  /** What open approvals are about. */
  #asked = new Map<string, string>();
  #streams = new MessageStreams();
  #turn: Turn;
  #end: { row: Row; text: string } | undefined;
  #roots: string[] = [];
  #changed = new Map<number, Row>();
  #pieces: Piece[] = [];

  /** Starts after this sequence: 0 for the whole log. */
  constructor(after = 0) {
    this.head = after;
    this.#turn = new Turn(after === 0);
  }

  /** Folds the next events; there must be no gap. */
  take(events: readonly RunEvent[]): Change {
    for (const event of events) {
      this.#event(event, Date.parse(event.created_at));
      this.head = event.sequence;
    }
    const rows = [...this.#changed.values()].sort((a, b) => a.first - b.first);
    const pieces = this.#pieces;
    this.#changed = new Map();
    this.#pieces = [];
    return { rows, pieces };
  }

  #mark(row: Row) {
    this.#changed.set(row.first, row);
  }

  #add(kind: Kind, sequence: number, time: number, more: Partial<Row>) {
    const row = Object.assign(newRow(kind, sequence, time), more);
    this.#mark(row);
    return row;
  }

  #event(event: RunEvent, time: number) {
    const { sequence } = event;
    switch (event.event_type) {
      case "run.created":
        this.#prompt(sequence, time, event.payload.task, "task");
        return;
      case "user.message":
        this.#prompt(sequence, time, event.payload.text, event.payload.by);
        return;
      case "agent.token": {
        const { text, message_id: id } = event.payload;
        const row = this.#streams.token(sequence, time, text, id ?? "");
        if (!row) return;
        this.#mark(row);
        const last = this.#pieces.at(-1);
        if (last?.first === row.first) last.text += text;
        else this.#pieces.push({ first: row.first, text });
        return;
      }
      case "agent.message": {
        const { text, message_id: id } = event.payload;
        this.#mark(this.#streams.message(sequence, time, text, id ?? ""));
        return;
      }
      case "agent.tool_call":
        this.#call(sequence, time, event.payload);
        return;
      case "agent.tool_result":
        this.#result(sequence, time, event.payload);
        return;
      case "agent.needs_attention":
        this.#add("attention", sequence, time, { essence: oneLine(event.payload.message) });
        return;
      case "approval.requested":
        this.#asked.set(event.payload.approval_id, subjectOf(event.payload));
        this.#add("attention", sequence, time, { essence: sentence(event) ?? "" });
        return;
      case "approval.decided":
      case "approval.expired":
      case "approval.void": {
        const { approval_id: id } = event.payload;
        const about = this.#asked.get(id);
        this.#asked.delete(id);
        const words = sentence(event) ?? "";
        const essence = about === undefined ? words : oneLine(`${words} · ${about}`);
        this.#add("answer", sequence, time, { essence, name: event.event_type });
        return;
      }
      case "agent.subagent_start":
      case "agent.subagent_stop":
        this.#agent(sequence, time, event.payload, event.event_type === "agent.subagent_stop");
        return;
      case "run.result":
        this.#turn.result(event.payload);
        if (this.#end) this.#ended(this.#end.row.time);
        return;
      case "run.checkpointed": {
        const essence = sentence(event) ?? "";
        this.#add("checkpoint", sequence, time, { essence });
        return;
      }
      default:
        this.#other(event, time);
    }
  }

  #prompt(sequence: number, time: number, text: string, name: string) {
    this.#streams.reset();
    this.#turn.begin(time);
    this.#end = undefined;
    const more = { essence: oneLine(text), name, count: this.#turn.number };
    this.#add("prompt", sequence, time, { ...more, lines: guessedLines(text) });
  }

  #call(sequence: number, time: number, payload: Payload<"agent.tool_call">) {
    const { tool_name: name, tool_input: input, tool_use_id: id } = payload;
    const size = inputLines(name, input);
    const row = this.#add("tool", sequence, time, {
      name: toolLabel(name),
      essence: toolEssence(name, input, this.#roots),
      state: "open",
      add: size?.add ?? -1,
      del: size?.del ?? -1,
      block: this.#inside(payload.agent_id, sequence),
    });
    this.#turn.tool();
    if (id == null) return;
    this.#calls.set(id, row);
    const oldest = this.#calls.keys().next();
    if (this.#calls.size > CALLS_MAX && oldest.done !== true) this.#calls.delete(oldest.value);
  }

  #result(sequence: number, time: number, payload: Payload<"agent.tool_result">) {
    const { tool_response: response, error } = payload;
    const id = payload.tool_use_id ?? "";
    const failed = error != null || answeredFailure(response);
    let row = this.#calls.get(id);
    this.#calls.delete(id);
    if (row) {
      row.last = sequence;
      row.ms = Math.max(0, time - row.time);
      if (row.block > 0) this.#count(row.block, sequence);
    } else {
      row = newRow("tool", sequence, time);
      row.name = toolLabel(payload.tool_name);
      row.block = this.#inside(payload.agent_id, sequence);
      const text = error ?? str(response);
      row.essence = text === undefined ? "" : oneLine(text);
    }
    const size = row.add >= 0 ? answeredLines(response) : undefined;
    if (size) Object.assign(row, size);
    row.state = failed ? "failed" : "ok";
    this.#mark(row);
  }

  #agent(
    sequence: number,
    time: number,
    payload: Payload<"agent.subagent_start" | "agent.subagent_stop">,
    stops: boolean,
  ) {
    const { agent_id: id, agent_type: name } = payload;
    let row = this.#agents.get(id);
    if (!row) {
      row = this.#add("agent", sequence, time, { name, essence: stops ? "" : this.#wanted() });
      this.#agents.set(id, row);
    }
    row.last = sequence;
    row.state = stops ? "ok" : "open";
    this.#mark(row);
    if (!stops) return;
    row.ms = Math.max(0, time - row.time);
    const text = payload.last_message ?? "";
    if (text === "" || row.first === sequence) return;
    const more = { essence: oneLine(text), lines: guessedLines(text), block: row.first };
    this.#add("message", sequence, time, more);
  }

  /** What the call that probably started a subagent was about: the last one without a result. */
  #wanted(): string {
    const open = [...this.#calls.values()].filter(({ name }) => SPAWNING.has(name));
    return open.at(-1)?.essence ?? "";
  }

  /** Counts an event in the block of a subagent, and returns the block. */
  #inside(id: string | null | undefined, sequence: number): number {
    const row = id == null ? undefined : this.#agents.get(id);
    if (!row) return 0;
    row.count++;
    row.last = Math.max(row.last, sequence);
    this.#mark(row);
    return row.first;
  }

  #count(block: number, sequence: number) {
    for (const [id, row] of this.#agents) if (row.first === block) this.#inside(id, sequence);
  }

  #other(event: RunEvent, time: number) {
    const { sequence, event_type: type, payload } = event;
    const text = sentence(event);
    if (text === undefined) {
      const essence = oneLine(JSON.stringify(payload));
      this.#add("other", sequence, time, { name: type, essence });
      return;
    }
    const state = isFailure(event) ? "failed" : "ok";
    if (ENDS.has(type)) {
      for (const row of this.#streams.close()) this.#mark(row);
      this.#unanswered();
      const row = this.#add("end", sequence, time, { name: type, state, essence: text });
      if (!this.#end) {
        this.#end = { row, text };
        this.#ended(time);
      }
      return;
    }
    let block = 0;
    if (event.event_type === "worktree.created") {
      this.#roots = event.payload.repos.map(({ worktree }) => worktree);
    }
    if (event.event_type === "hook.received" && isObject(event.payload.payload)) {
      block = this.#inside(str(event.payload.payload["agent_id"]), sequence);
    }
    this.#add("life", sequence, time, { name: type, state, essence: text, block });
  }

  /** Closes calls of the main agent that have no result when the turn ends. */
  #unanswered() {
    for (const row of this.#calls.values()) {
      if (row.state !== "open" || row.block > 0) continue;
      row.state = "none";
      this.#mark(row);
    }
  }

  #ended(time: number) {
    if (!this.#end) return;
    const { row, text } = this.#end;
    const took = this.#turn.took(time);
    row.essence = took === "" || text.length > ESSENCE_SAID ? text : `${text} · ${took}`;
    this.#mark(row);
  }
}

/** Longest end-of-turn sentence that leaves room for the turn's figures. */
const ESSENCE_SAID = 70;
