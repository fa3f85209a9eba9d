// Sentences about approvals. Pure.
import type { Approval, Schemas } from "@/api/client";
import { isObject, str, toolEssence, toolLabel } from "@/runs/activity/essence";
import { span } from "@/lib/format";
import { visible } from "./input";

/** The heading: what is asked. */
export function titleOf({ kind, tool_name, tool_input }: Approval): string {
  switch (kind) {
    case "permission":
      return `Permission to use ${toolLabel(tool_name)}`;
    case "plan":
      return "Plan to approve";
    case "question": {
      const questions = isObject(tool_input) ? tool_input["questions"] : undefined;
      const several = Array.isArray(questions) && questions.length > 1;
      return several ? `${questions.length} questions` : "Question";
    }
  }
}

/** What an approval is about, in a few words. */
export function subjectOf(asked: Pick<Approval, "kind" | "tool_name" | "tool_input">): string {
  if (asked.kind === "plan") return "the plan";
  const essence = toolEssence(asked.tool_name, asked.tool_input, []);
  return asked.kind === "question" ? essence : `${toolLabel(asked.tool_name)} ${essence}`.trimEnd();
}

/** How much time is left, and whether it is running out. */
export function timeLeft(expiresAt: string, now: number): { text: string; soon: boolean } {
  const ms = Date.parse(expiresAt) - now;
  if (ms <= 0) return { text: "time is up", soon: true };
  if (ms < 60_000) return { text: `${Math.ceil(ms / 1000)} s left`, soon: true };
  return { text: `${span(ms)} left`, soon: false };
}

/** The answers as one line; with their questions when there are several. */
function answerWords(answer: unknown): string {
  if (!isObject(answer)) return "";
  const all = Object.entries(answer).map(([question, value]) => {
    const text = Array.isArray(value) ? value.join(", ") : (str(value) ?? JSON.stringify(value));
    return { question, text };
  });
  if (all.length === 1) return all[0]?.text ?? "";
  return all.map(({ question, text }) => `${question} ${text}`).join("; ");
}

type Decided = Pick<Schemas["ApprovalDecided"], "decision" | "message" | "answer">;

/** What was decided. */
export function decisionWords({ decision, message, answer }: Decided): string {
  switch (decision) {
    case "allow":
      return "Allowed";
    case "allow_always":
      return "Allowed always";
    case "deny":
      return message == null || message === "" ? "Denied" : `Denied: ${message}`;
    case "answer":
      return `Answered: ${answerWords(answer)}`;
  }
}

export const VOID: Record<Schemas["VoidBy"], string> = {
  terminal: "Answered in the terminal",
  turn_ended: "No longer asked: the turn is over",
  process_ended: "No longer asked: the CLI ended",
};
export const EXPIRED = "Expired: nobody answered in time";

/** How an approval was closed, as a sentence for somebody who still saw it open; empty while it is. */
export function closedWords(approval: Approval): string {
  switch (approval.state) {
    case "open":
      return "";
    case "expired":
      return `${EXPIRED}.`;
    case "void":
      return `${VOID[approval.why ?? "process_ended"]}.`;
    case "decided": {
      const { decision, decision_message: message, answer, by } = approval;
      const words = decision === null ? "Decided" : decisionWords({ decision, message, answer });
      const where = by === "link" ? "on the page of its link" : "elsewhere";
      const dot = /[.!?…]$/.test(words) ? "" : ".";
      return decision === "allow" || decision === "allow_always" || words === "Denied"
        ? `${words} ${where}.`
        : `${words}${dot}`;
    }
  }
}

/** Where a grant is kept, or for how long it holds. */
const HOLDS: Record<string, string> = {
  session: "until the session ends",
  cliArg: "until the session ends",
  localSettings: "kept in .claude/settings.local.json",
  projectSettings: "kept in .claude/settings.json",
  userSettings: "kept in your user settings, for all projects",
};

const MODES: Record<string, string> = {
  acceptEdits: "Edit files without asking",
  bypassPermissions: "Do everything without asking",
  dontAsk: "Refuse what would be asked, without asking",
  plan: "Plan only",
  default: "Ask as usual",
};

const VERBS: Record<string, string> = { allow: "Allow", deny: "Deny", ask: "Ask for" };

function rulesOf(value: unknown): string {
  const rules = Array.isArray(value) ? value.filter(isObject) : [];
  return rules
    .map((rule) => {
      const tool = str(rule["toolName"]) ?? "";
      const content = str(rule["ruleContent"]);
      return content === undefined ? tool : `${tool}(${content})`;
    })
    .join(", ");
}

const folders = (value: unknown) => (Array.isArray(value) ? value.join(", ") : "");

function grantOf(grant: unknown): string {
  if (!isObject(grant)) return JSON.stringify(grant);
  const verb = VERBS[str(grant["behavior"]) ?? ""] ?? "Allow";
  switch (grant["type"]) {
    case "addRules":
      return `${verb} ${rulesOf(grant["rules"])}`;
    case "replaceRules":
      return `Replace the rules of “${verb.toLowerCase()}” by ${rulesOf(grant["rules"])}`;
    case "removeRules":
      return `Remove the rules ${rulesOf(grant["rules"])}`;
    case "addDirectories":
      return `Allow access to ${folders(grant["directories"])}`;
    case "removeDirectories":
      return `Remove access to ${folders(grant["directories"])}`;
    case "setMode": {
      const mode = str(grant["mode"]) ?? "";
      return MODES[mode] ?? `Switch to the mode “${mode}”`;
    }
    default:
      return JSON.stringify(grant);
  }
}

/** What “allow always” grants, a sentence each. */
export function grantsOf(grants: unknown): string[] {
  if (grants == null) return [];
  const all: unknown[] = Array.isArray(grants) ? grants : [grants];
  return all.map((grant) => {
    const holds = isObject(grant) ? HOLDS[str(grant["destination"]) ?? ""] : undefined;
    return visible(holds === undefined ? grantOf(grant) : `${grantOf(grant)} (${holds})`);
  });
}
