// Events about the run itself, in words.
import { bytes, span } from "@/lib/format";
import { isObject, oneLine, str, type Json } from "./essence";

const COMMAND = "a command";
const STOPPED_BY: Record<string, string> = {
  stop: "Finished its turn",
  interrupt: "Interrupted in the terminal",
  user: "Paused",
  idle: "Ended while it waited: nobody had asked for long",
  limit: "Stopped at its limit of turns",
  lost: "Its process was lost; it can be continued",
};

function names(payload: Json, tell: (repo: Json) => string): string {
  const repos = Array.isArray(payload["repos"]) ? payload["repos"].filter(isObject) : [];
  return repos
    .map((repo) => {
      const name = str(repo["repo_name"]) ?? str(repo["name"]) ?? "";
      const error = str(repo["error"]);
      const told = error === undefined ? tell(repo) : `failed: ${error}`;
      return told === "" ? name : `${name} ${told}`;
    })
    .join(", ");
}

const commit = (repo: Json) => (str(repo["commit"]) ?? "nothing").slice(0, 8);

/** Whether the event tells of something that went wrong. */
export function isFailure(type: string, payload: Json): boolean {
  if (type === "run.failed") return true;
  if (type === "process.exited") {
    const { exit_code: code, by } = payload;
    return by === "lost" || (typeof code === "number" && code !== 0 && by === "self");
  }
  const repos = payload["repos"];
  return Array.isArray(repos) && repos.some((repo) => isObject(repo) && str(repo["error"]));
}

/** One sentence for an event of these types; nothing for types that nobody told us of. */
export function sentence(type: string, payload: Json): string | undefined {
  const text = (key: string) => str(payload[key]) ?? "";
  const number = (key: string) => (typeof payload[key] === "number" ? payload[key] : 0);
  const told = (): string | undefined => {
    switch (type) {
      case "run.started":
        if (text("by") === "prompt") return "Took the prompt";
        return text("by") === "continue" ? "Continued" : "Started";
      case "run.paused":
        return STOPPED_BY[text("by")] ?? "Paused";
      case "run.completed":
        return text("reason") === "exit" ? "Completed: its process ended" : "Completed";
      case "run.failed":
        return `Failed: ${text("reason")}`;
      case "run.cancelled":
        return "Cancelled";
      case "run.stop_requested":
        return `Asked to stop: ${text("by")}`;
      case "session.init":
        return ["Session", text("model"), text("cli_version"), text("session_id").slice(0, 8)]
          .filter((word) => word !== "")
          .join(" · ");
      case "worktree.created":
        return `Worktree made in ${span(number("millis"))}: ${names(payload, (repo) => `on ${str(repo["branch"]) ?? ""}`)}`;
      case "worktree.removed":
        return `Worktree removed: ${names(payload, () => "")}`;
      case "process.launching":
        return number("attempt") > 1 ? `Starting, attempt ${number("attempt")}` : "Starting";
      case "process.spawned": {
        const argv = payload["argv"];
        const program = Array.isArray(argv) ? (str(argv[0]) ?? COMMAND) : COMMAND;
        return `Process ${number("pid")}: ${program.slice(program.lastIndexOf("/") + 1)}`;
      }
      case "process.stopped":
        return `Process stopped${text("signal") === "" ? "" : `: ${text("signal")}`}`;
      case "process.continued":
        return "Process goes on";
      case "process.exited": {
        const how = text("signal") || `code ${String(payload["exit_code"] ?? "unknown")}`;
        return `Process ended: ${how}${text("by") === "self" ? "" : `, by ${text("by")}`}`;
      }
      case "run.checkpointed":
        return `Checkpoint ${number("number")} · ${text("reason")}`;
      case "run.restored":
        return `Restored checkpoint ${number("number")}`;
      case "run.reverted":
        return `Changes reverted, kept as checkpoint ${number("checkpoint")}`;
      case "run.branch_renamed":
        return `Branch ${text("from")} is now ${text("to")}`;
      case "run.rebased":
        return `Rebased: ${names(payload, (repo) => `onto ${str(repo["onto"]) ?? ""}`)}`;
      case "run.committed":
        return `Committed “${oneLine(text("message"))}”: ${names(payload, commit)}`;
      case "run.pushed":
        return `Pushed: ${names(payload, (repo) => str(repo["branch"]) ?? "")}`;
      case "run.pull_request":
        return `Pull request “${oneLine(text("title"))}”: ${names(payload, (repo) => `#${String(repo["number"])}`)}`;
      case "run.accepted":
        return `Accepted: ${names(payload, (repo) => str(repo["branch"]) ?? "")}`;
      case "run.quiet":
        return payload["lacks"] === "hook"
          ? "No hook since the CLI started"
          : `No event for ${Math.round(Number(payload["millis"]) / 1000)} s`;
      case "run.notify_changed":
        return payload["notify"] === true ? "Notifications on" : "Notifications off";
      case "message.queued":
        return `Message queued: ${text("text")}`;
      case "message.unqueued":
        return "Message taken out of the queue";
      case "message.typing":
        return `Message is being typed: ${text("text")}`;
      case "message.not_taken":
        return `Message not taken: ${text("reason")}`;
      case "queue.reordered":
        return "Queue put in order";
      case "run.retried":
        return "Tried again";
      case "run.deleted":
        return "Deleted";
      case "hook.received":
        return hook(
          payload["nested"] === true ? "of a nested CLI" : "",
          text("hook_event_name"),
          payload["payload"],
        );
      default:
        return undefined;
    }
  };
  const said = told();
  return said === undefined ? undefined : oneLine(said);
}

function hook(whose: string, name: string, payload: unknown): string {
  const at = isObject(payload) ? payload : {};
  const named = ["Hook", name, whose].filter((word) => word !== "").join(" ");
  for (const key of ["message", "prompt", "last_assistant_message", "trigger", "error"]) {
    const value = str(at[key]);
    if (value !== undefined && value !== "") return `${named}: ${value}`;
  }
  return named;
}

/** What a string that was cut in the log lost, by the key beside it. */
export function cutNote(payload: Json, key: string): string {
  const lost = payload[`${key}_truncated_bytes`];
  return typeof lost === "number" ? `${bytes(lost)} more were not kept in the log.` : "";
}
