// Events about the run itself, as sentences.
import type { Payload, RunEvent, Schemas } from "@/api/client";
import { decisionWords, EXPIRED, VOID } from "@/approvals/words";
import { bytes, span } from "@/lib/format";
import { isObject, oneLine, str } from "./essence";

const PAUSED_BY: Record<Schemas["PausedBy"], string> = {
  stop: "Finished its turn",
  interrupt: "Interrupted in the terminal",
  user: "Paused",
  idle: "Stopped after being idle for too long",
  limit: "Stopped at its turn limit",
  lost: "Its process was lost; the run can be continued",
};

interface Outcome {
  repo_name: string;
  error?: string | null;
}

/** Repos by name, each with what `detail` says of it or its error. */
function repos<R extends Outcome>(all: readonly R[], detail: (repo: R) => string): string {
  return all
    .map((repo) => {
      const said = repo.error == null ? detail(repo) : `failed: ${repo.error}`;
      return `${repo.repo_name} ${said}`.trimEnd();
    })
    .join(", ");
}

const worktrees = (all: readonly Schemas["WorktreeAt"][], detail: (branch: string) => string) =>
  all.map(({ name, branch }) => `${name} ${detail(branch)}`.trimEnd()).join(", ");

/** Whether the event reports a failure. */
export function isFailure(event: RunEvent): boolean {
  switch (event.event_type) {
    case "run.failed":
      return true;
    case "process.exited": {
      const { exit_code: code, by } = event.payload;
      return by === "lost" || (by === "self" && code != null && code !== 0);
    }
    case "run.committed":
    case "run.pushed":
    case "run.pull_request":
    case "run.accepted":
      return event.payload.repos.some((repo) => Boolean(repo.error));
    default:
      return false;
  }
}

/** One sentence for an event; nothing for types that this build does not know. */
export function sentence(event: RunEvent): string | undefined {
  const said = words(event);
  return said === undefined ? undefined : oneLine(said);
}

function words(event: RunEvent): string | undefined {
  switch (event.event_type) {
    case "run.started":
      switch (event.payload.by) {
        case "prompt":
          return "Started by a prompt";
        case "continue":
          return "Continued";
        default:
          return "Started";
      }
    case "run.paused":
      return PAUSED_BY[event.payload.by];
    case "run.completed":
      return event.payload.reason === "exit" ? "Completed: its process exited" : "Completed";
    case "run.failed":
      return `Failed: ${event.payload.reason}`;
    case "run.cancelled":
      return "Cancelled";
    case "run.stop_requested":
      return `Stop requested: ${event.payload.by}`;
    case "run.retried":
      return "Retried";
    case "run.deleted":
      return "Deleted";
    case "run.quiet": {
      const { lacks, millis } = event.payload;
      return lacks === "hook"
        ? "No hook since the CLI started"
        : `No event for ${Math.round(millis / 1000)} s`;
    }
    case "run.notify_changed":
      return event.payload.notify ? "Notifications on" : "Notifications off";
    case "session.init": {
      const { model, cli_version, session_id } = event.payload;
      return ["Session", model, cli_version, session_id.slice(0, 8)].filter(Boolean).join(" · ");
    }
    case "worktree.created": {
      const { repos, millis } = event.payload;
      return `Worktree created in ${span(millis)}: ${worktrees(repos, (branch) => `on ${branch}`)}`;
    }
    case "worktree.removed":
      return `Worktree removed: ${worktrees(event.payload.repos, () => "")}`;
    case "process.launching":
      return event.payload.attempt > 1 ? `Starting, attempt ${event.payload.attempt}` : "Starting";
    case "process.spawned": {
      const program = event.payload.argv[0] ?? "a command";
      const name = program.slice(program.lastIndexOf("/") + 1);
      return `Process ${event.payload.pid} started: ${name}`;
    }
    case "process.stopped":
      return event.payload.signal
        ? `Process suspended: ${event.payload.signal}`
        : "Process suspended";
    case "process.continued":
      return "Process resumed";
    case "process.exited":
      return exited(event.payload);
    case "message.queued":
      return `Message queued: ${event.payload.text}`;
    case "message.unqueued":
      return "Message removed from the queue";
    case "message.typing":
      return `Typing a message: ${event.payload.text}`;
    case "message.not_taken":
      return `Message not delivered: ${event.payload.reason}`;
    case "queue.reordered":
      return "Queue reordered";
    case "approval.requested":
      return event.payload.message;
    case "approval.decided":
      return decisionWords(event.payload);
    case "approval.expired":
      return EXPIRED;
    case "approval.void":
      return VOID[event.payload.why];
    case "hook.received":
      return hook(event.payload);
    default:
      return shipped(event);
  }
}

/** Events about the run's work in git. */
function shipped(event: RunEvent): string | undefined {
  switch (event.event_type) {
    case "run.checkpointed":
      return `Checkpoint ${event.payload.number} · ${event.payload.reason}`;
    case "run.restored":
      return `Restored checkpoint ${event.payload.number}`;
    case "run.reverted":
      return `Changes reverted, kept as checkpoint ${event.payload.checkpoint}`;
    case "run.branch_renamed":
      return `Branch ${event.payload.from} renamed to ${event.payload.to}`;
    case "run.rebased":
      return `Rebased: ${repos(event.payload.repos, ({ onto }) => `onto ${onto}`)}`;
    case "run.committed": {
      const commits = repos(event.payload.repos, ({ commit }) => commit?.slice(0, 8) ?? "nothing");
      return `Committed “${oneLine(event.payload.message)}”: ${commits}`;
    }
    case "run.pushed":
      return `Pushed: ${repos(event.payload.repos, ({ branch }) => branch)}`;
    case "run.pull_request": {
      const numbers = repos(event.payload.repos, ({ number }) => `#${number ?? "?"}`);
      return `Pull request “${oneLine(event.payload.title)}”: ${numbers}`;
    }
    case "run.accepted":
      return `Accepted: ${repos(event.payload.repos, ({ branch }) => branch)}`;
    default:
      return undefined;
  }
}

function exited({ signal, exit_code: code, by }: Payload<"process.exited">): string {
  const how = signal ?? `code ${code ?? "unknown"}`;
  return `Process exited: ${how}${by === "self" ? "" : `, by ${by}`}`;
}

function hook({ hook_event_name: name, nested, payload }: Payload<"hook.received">): string {
  const named = `Hook ${name}${nested === true ? " from a nested CLI" : ""}`;
  const fields = isObject(payload) ? payload : {};
  for (const key of ["message", "prompt", "last_assistant_message", "trigger", "error"]) {
    const value = str(fields[key]);
    if (value !== undefined && value !== "") return `${named}: ${value}`;
  }
  return named;
}

/** Says how much of a string the log cut, from the number that it keeps beside the string's key. */
export function cutNote(payload: unknown, key: string): string {
  const cut = isObject(payload) ? payload[`${key}_truncated_bytes`] : undefined;
  return typeof cut === "number" ? `${bytes(cut)} more were cut from the log.` : "";
}
