// An agent as edited in its form, and its conversion to the API's shape.
import type { Agent, Template } from "@/api/client";
import type { AgentFields } from "../calls";
import type { Refusals } from "../refusal";

/** Stands for a stored value of the environment in responses; sent back, it keeps the value. */
export const STORED = "***";

/** Keys of provider_config with their own control. */
const KNOWN = ["mode", "bin", "args", "command", "env", "approvals", "approval_minutes"];

/** CLIs whose questions can be answered outside of the terminal. */
const REMOTE = ["claude-code", "codex", "demo"];

/** Whether a person may answer the CLI's questions outside of the terminal. */
export const takesAnswers = (cliName: string) => REMOTE.includes(cliName);

/** Minutes that an approval stays open by default. */
export const APPROVAL_MINUTES = 10;

export interface EnvRow {
  name: string;
  value: string;
}

export interface AgentDraft {
  name: string;
  cli_name: string;
  /** Empty: the CLI's own default. */
  model: string;
  instructions: string;
  allowed_tools: string;
  /** As typed. */
  max_turns: string;
  role: string;
  mode: "interactive" | "headless";
  bin: string;
  args: string[];
  command: string[];
  env: EnvRow[];
  approvals: "terminal" | "remote";
  /** As typed; empty: the default. */
  approval_minutes: string;
  /** JSON text of the other keys of provider_config. */
  rest: string;
}

export const BLANK: AgentDraft = {
  name: "",
  cli_name: "claude-code",
  model: "",
  instructions: "",
  allowed_tools: "Read,Edit,Write,Bash,Glob,Grep",
  max_turns: "100",
  role: "builder",
  mode: "interactive",
  bin: "",
  args: [],
  command: [],
  env: [],
  approvals: "terminal",
  approval_minutes: "",
  rest: "{}",
};

const strings = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];

export function draftOf(agent: Agent): AgentDraft {
  const config = agent.provider_config;
  const env = (config["env"] ?? {}) as Record<string, string>;
  const rest = Object.fromEntries(Object.entries(config).filter(([key]) => !KNOWN.includes(key)));
  return {
    name: agent.name,
    cli_name: agent.cli_name,
    model: agent.model ?? "",
    instructions: agent.instructions,
    allowed_tools: agent.allowed_tools,
    max_turns: String(agent.max_turns),
    role: agent.role,
    mode: config["mode"] === "headless" ? "headless" : "interactive",
    bin: typeof config["bin"] === "string" ? config["bin"] : "",
    args: strings(config["args"]),
    command: strings(config["command"]),
    env: Object.entries(env).map(([name, value]) => ({ name, value })),
    approvals: config["approvals"] === "remote" ? "remote" : "terminal",
    approval_minutes: String(config["approval_minutes"] ?? ""),
    rest: JSON.stringify(rest, null, 2),
  };
}

export function draftFromTemplate(template: Template): AgentDraft {
  const { name, role, instructions, allowed_tools } = template;
  return { ...BLANK, name, role, instructions, allowed_tools };
}

/** A copy under a free name. Hidden values of the environment must be typed again. */
export function draftOfCopy(agent: Agent, taken: readonly string[]): AgentDraft {
  const draft = draftOf(agent);
  let name = `${agent.name} copy`;
  for (let at = 2; taken.includes(name); at += 1) name = `${agent.name} copy ${at}`;
  const env = draft.env.map((row) => (row.value === STORED ? { ...row, value: "" } : row));
  return { ...draft, name, env };
}

/** The other keys of provider_config, or why the text is invalid. */
export function parseRest(text: string): Record<string, unknown> | string {
  if (text.trim() === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `Invalid JSON: ${error instanceof Error ? error.message : String(error)}.`;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return "Must be a JSON object, such as {}.";
  }
  const taken = Object.keys(value).find((key) => KNOWN.includes(key));
  if (taken !== undefined) return `"${taken}" has its own field above.`;
  return value as Record<string, unknown>;
}

/** Whether its approvals end after some minutes. */
const hasMinutes = (draft: AgentDraft) =>
  takesAnswers(draft.cli_name) && draft.approvals === "remote";

/** Where its questions are answered; nothing for the default. */
function approvalFields(draft: AgentDraft): Record<string, unknown> {
  if (!hasMinutes(draft)) return {};
  const minutes = draft.approval_minutes.trim().replace(",", ".");
  return {
    approvals: draft.approvals,
    ...(minutes === "" ? {} : { approval_minutes: Number(minutes) }),
  };
}

/**
 * Errors found before the call, by field. `storedNames` are the variables stored for the edited
 * agent: a hidden value stays with its name.
 */
export function faultsOf(draft: AgentDraft, storedNames: readonly string[] = []): Refusals {
  const faults: Refusals = {};
  const turns = draft.max_turns.trim();
  if (!/^\d{1,5}$/.test(turns)) faults["max_turns"] = "Must be a whole number from 1 to 10000.";
  const minutes = draft.approval_minutes.trim();
  if (minutes !== "" && hasMinutes(draft) && !/^\d*[.,]?\d+$/.test(minutes)) {
    faults["provider_config.approval_minutes"] = "Must be a number, such as 10 or 0.5.";
  }
  const rest = parseRest(draft.rest);
  if (typeof rest === "string") faults["rest"] = rest;
  const seen = new Set<string>();
  for (const { name, value } of draft.env) {
    if (name === "" && value === "") continue;
    if (name === "" || name.includes("=")) {
      faults["provider_config.env"] = "Each variable needs a name without “=”.";
    } else if (seen.has(name)) {
      faults["provider_config.env"] = `${name} is listed twice.`;
    } else if (value === STORED && !storedNames.includes(name)) {
      faults["provider_config.env"] =
        `${name}: enter a value; a stored value does not move to a new name.`;
    }
    seen.add(name);
  }
  return faults;
}

/** The API's shape of a draft without errors. */
export function fieldsOf(draft: AgentDraft): AgentFields {
  const rest = parseRest(draft.rest);
  const env = draft.env.filter(({ name }) => name !== "");
  const own = draft.cli_name === "command";
  return {
    name: draft.name,
    cli_name: draft.cli_name,
    model: draft.model.trim() || null,
    instructions: draft.instructions,
    allowed_tools: draft.allowed_tools,
    max_turns: Number(draft.max_turns),
    role: draft.role,
    provider_config: {
      ...(typeof rest === "string" ? {} : rest),
      ...(draft.mode === "headless" ? { mode: draft.mode } : {}),
      ...(draft.bin.trim() ? { bin: draft.bin.trim() } : {}),
      ...(draft.args.length > 0 ? { args: draft.args } : {}),
      ...(own ? { command: draft.command } : {}),
      ...approvalFields(draft),
      ...(env.length > 0
        ? { env: Object.fromEntries(env.map(({ name, value }) => [name, value])) }
        : {}),
    },
  };
}
