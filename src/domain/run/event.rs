//! The stored events of a run. Their names are on the wire and on disk and never change.
//!
//! One table below ties each name to its payload; the codec of the store and every reader use it.
//! A payload may gain fields (with a serde default), never lose or rename one.

mod build;
mod decode;
mod words;

pub use agent::{NeedsAttention, SubagentStart, SubagentStop};
pub use approvals::{ApprovalDecided, ApprovalExpired, ApprovalRequested, ApprovalVoid};
use decode::from_json;
pub use decode::{DecodeError, EVENT_VERSION};
pub use messages::{
    MessageNotTaken, MessageQueued, MessageTyping, MessageUnqueued, QueueReordered, RequestKey,
};
pub use words::{
    CheckpointAt, CommittedAt, CompletedBy, CostSource, DecidedBy, DeliveredBy, ExitedBy,
    HookSignal, LeftOut, MessageBy, Missing, PausedBy, PullRequestAt, PushedAt, RebasedAt,
    RepoBase, RepoBranch, RevertedAt, Stage, StartedBy, StopBy, VoidBy, WorktreeAt,
};

use super::callers::Callers;
use crate::domain::{Agent, AgentId, MessageId, ProjectId, RunId, project::SetUp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::PathBuf;

macro_rules! events {
    ($($name:tt => $variant:ident,)*) => {
        /// A fact about a run.
        #[derive(Debug, Clone, PartialEq, utoipa::ToSchema)]
        #[serde(tag = "event_type", content = "payload")]
        pub enum Event {
            $(#[doc = concat!("`", $name, "`")] #[serde(rename = $name)] $variant($variant),)*
        }

        impl Event {
            /// All names, in the order of the contract.
            pub const TYPES: &'static [&'static str] = &[$($name),*];

            /// The name on the wire and on disk.
            #[must_use]
            pub const fn event_type(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)* }
            }

            /// The payload as JSON text.
            ///
            /// # Errors
            /// Never for the types here; serde's signature allows it.
            pub fn encode(&self) -> serde_json::Result<String> {
                match self { $(Self::$variant(payload) => serde_json::to_string(payload),)* }
            }

            /// Reads back what [`Event::encode`] wrote.
            ///
            /// # Errors
            /// When the name is unknown or the payload does not fit it.
            pub fn decode(event_type: &str, payload: &str) -> Result<Self, DecodeError> {
                match event_type {
                    $($name => from_json(payload)
                        .map(Self::$variant)
                        .map_err(|source| DecodeError::Payload { event_type: $name, source }),)*
                    other => Err(DecodeError::UnknownType(other.to_owned())),
                }
            }
        }

        $(impl From<$variant> for Event {
            fn from(payload: $variant) -> Self {
                Self::$variant(payload)
            }
        })*
    };
}

events! {
    "run.created" => RunCreated,
    "run.started" => RunStarted,
    "run.completed" => RunCompleted,
    "run.failed" => RunFailed,
    "run.cancelled" => RunCancelled,
    "run.retried" => RunRetried,
    "run.paused" => RunPaused,
    "run.result" => RunResult,
    "session.init" => SessionInit,
    "agent.token" => AgentToken,
    "agent.message" => AgentMessage,
    "agent.tool_call" => ToolCall,
    "agent.tool_result" => ToolResult,
    "agent.needs_attention" => NeedsAttention,
    "approval.requested" => ApprovalRequested,
    "approval.decided" => ApprovalDecided,
    "approval.expired" => ApprovalExpired,
    "approval.void" => ApprovalVoid,
    "agent.subagent_start" => SubagentStart,
    "agent.subagent_stop" => SubagentStop,
    "user.message" => UserMessage,
    "message.typing" => MessageTyping,
    "message.not_taken" => MessageNotTaken,
    "message.queued" => MessageQueued,
    "message.unqueued" => MessageUnqueued,
    "queue.reordered" => QueueReordered,
    "run.quiet" => RunQuiet,
    "run.stop_requested" => StopRequested,
    "run.deleted" => RunDeleted,
    "process.launching" => ProcessLaunching,
    "process.spawned" => ProcessSpawned,
    "process.stopped" => ProcessStopped,
    "process.continued" => ProcessContinued,
    "process.exited" => ProcessExited,
    "worktree.created" => WorktreeCreated,
    "worktree.removed" => WorktreeRemoved,
    "run.checkpointed" => RunCheckpointed,
    "run.restored" => RunRestored,
    "run.branch_renamed" => BranchRenamed,
    "run.committed" => RunCommitted,
    "run.pushed" => RunPushed,
    "run.pull_request" => RunPullRequest,
    "run.reverted" => RunReverted,
    "run.accepted" => RunAccepted,
    "run.rebased" => RunRebased,
    "run.notify_changed" => NotifyChanged,
    "hook.received" => HookReceived,
}

macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
            pub struct $name { $($(#[$field_doc])* pub $field: $kind,)* }
        )*
    };
}

mod agent;
mod approvals;
mod messages;

payloads! {
    /// The run exists.
    RunCreated {
        /// What the agent is to do.
        task: String,
        /// What the run branch starts from, as requested.
        source_branch: String,
        /// Branch of the run.
        run_branch: String,
        /// The project.
        project_id: ProjectId,
        /// The agent.
        agent_id: AgentId,
        /// The run that this one follows.
        parent_run_id: Option<RunId>,
        /// Whether people are notified when it goes idle or ends.
        notify: bool,
        /// The agent's configuration at creation, without the values of its environment.
        agent: Agent,
        /// The repositories at creation.
        repos: Vec<RepoBase>,
        /// How worktrees are set up, at creation.
        #[serde(default)]
        set_up: SetUp,
    }
    /// The agent works.
    RunStarted {
        /// Why.
        by: StartedBy,
        /// The CLI's id of the turn, when the evidence carried one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turn_id: Option<String>,
        /// The evidence was the oldest prompt that the server delivered (the task, or a message)
        /// and that was not confirmed yet.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        own_prompt: bool,
    }
    /// The run completed.
    RunCompleted {
        /// The evidence.
        reason: CompletedBy,
        /// Exit code, when the process exited.
        exit_code: Option<i32>,
    }
    /// The run failed.
    RunFailed {
        /// One sentence a person can act on.
        reason: String,
        /// Where.
        stage: Stage,
        /// Last lines of output, or empty.
        detail: String,
        /// The CLI's id of the turn that failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turn_id: Option<String>,
    }
    /// The run was cancelled.
    RunCancelled {}
    /// The run is paused and can continue.
    RunPaused {
        /// Why.
        by: PausedBy,
        /// The agent's last message, if any.
        last_message: Option<String>,
        /// The CLI's id of the turn that ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turn_id: Option<String>,
    }
    /// Totals of the run so far, never increments.
    RunResult {
        /// The session they were read from.
        session_id: Option<String>,
        /// Input tokens outside caches.
        tokens_in: u64,
        /// Output tokens.
        tokens_out: u64,
        /// Input tokens read from a cache.
        tokens_cache_read: u64,
        /// Input tokens written to a cache.
        tokens_cache_write: u64,
        /// US dollars.
        cost_usd: f64,
        /// Where the cost comes from.
        cost_source: CostSource,
        /// Tokens whose price is not known; they are not in the cost.
        #[serde(default)]
        unknown_tokens: u64,
        /// Day of the prices of an estimate, when the price table has one.
        #[serde(default)]
        prices_as_of: Option<String>,
        /// Turns from prompt to stop.
        num_turns: u32,
        /// Time of the turns, in milliseconds, when known.
        duration_ms: u64,
        /// The model that answered last.
        model: Option<String>,
        /// Bytes of the transcript that these totals cover; reading continues there.
        #[serde(default)]
        transcript_offset: u64,
    }
    /// A session of the CLI started.
    SessionInit {
        /// The CLI's id of the session.
        session_id: String,
        /// Version of the CLI, when reported.
        cli_version: Option<String>,
        /// The model, when reported.
        model: Option<String>,
        /// Where the CLI writes the session down.
        #[schema(value_type = Option<String>)]
        transcript_path: Option<PathBuf>,
        /// The processes that called the hook program: the CLI, then its parents.
        #[serde(default, skip_serializing_if = "Callers::is_empty")]
        callers: Callers,
    }
    /// Streaming text; pieces within 50 ms are merged into one event.
    AgentToken {
        /// The text.
        text: String,
        /// The message it belongs to.
        message_id: Option<String>,
    }
    /// A whole message of the agent.
    AgentMessage {
        /// The text.
        text: String,
        /// Its id.
        message_id: Option<String>,
    }
    /// The agent calls a tool.
    ToolCall {
        /// Tool.
        tool_name: String,
        /// Its input.
        tool_input: Value,
        /// Pairs it with its result.
        tool_use_id: Option<String>,
        /// The CLI's id of the calling subagent; absent for the agent itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent_id: Option<String>,
    }
    /// A tool returned.
    ToolResult {
        /// Tool.
        tool_name: String,
        /// Pairs it with its call.
        tool_use_id: Option<String>,
        /// Its response.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tool_response: Option<Value>,
        /// Its error, if it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        /// The CLI's id of the calling subagent; absent for the agent itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent_id: Option<String>,
    }
    /// A message of a person.
    UserMessage {
        /// What.
        text: String,
        /// Where.
        by: MessageBy,
        /// How it reaches the CLI; null when it was typed in the terminal.
        delivered_by: Option<DeliveredBy>,
        /// The CLI's id of the turn it begins, when known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turn_id: Option<String>,
        /// Its id, when it was typed by the server or taken from the queue.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message_id: Option<MessageId>,
    }
    /// A live CLI has sent nothing for a while.
    RunQuiet {
        /// What is missing.
        lacks: Missing,
        /// How long it has been missing, in milliseconds.
        millis: u64,
    }
    /// The end of the process was requested; the outcome follows.
    StopRequested {
        /// Who.
        by: StopBy,
    }
    /// A run whose CLI never started was retried.
    RunRetried {}
    /// The run was deleted; this is its only remaining event.
    RunDeleted {}
    /// A process is about to be started.
    ProcessLaunching {
        /// Counted from 1.
        attempt: u32,
    }
    /// The process runs.
    ProcessSpawned {
        /// The attempt, counted from 1.
        attempt: u32,
        /// Its process id.
        pid: u32,
        /// Its arguments; secrets travel in the environment, never here.
        argv: Vec<String>,
        /// Columns of its terminal.
        cols: u16,
        /// Rows of its terminal.
        rows: u16,
        /// Offset of its output in the run's output log, in bytes.
        #[serde(default)]
        output_offset: u64,
    }
    /// The process was suspended by Ctrl+Z or a signal, until it is resumed.
    ProcessStopped {
        /// The attempt, counted from 1.
        attempt: u32,
        /// Its process id.
        pid: u32,
        /// Name of the signal, when known.
        signal: Option<String>,
    }
    /// The process was resumed.
    ProcessContinued {
        /// The attempt, counted from 1.
        attempt: u32,
        /// Its process id.
        pid: u32,
    }
    /// The process and everything it started ended.
    ProcessExited {
        /// Exit code, when it ended by itself.
        exit_code: Option<i32>,
        /// Name of the signal that ended it.
        signal: Option<String>,
        /// Why.
        by: ExitedBy,
        /// The attempt, counted from 1.
        #[serde(default)]
        attempt: u32,
    }
    /// Worktrees are ready.
    WorktreeCreated {
        /// One per repository.
        repos: Vec<WorktreeAt>,
        /// How long it took.
        millis: u64,
    }
    /// Worktrees were removed.
    WorktreeRemoved {
        /// The removed worktrees.
        repos: Vec<WorktreeAt>,
        /// How long it took.
        millis: u64,
    }
    /// A checkpoint was taken.
    RunCheckpointed {
        /// Counted from 1.
        number: u32,
        /// `stop`, `pause`, `cancel`, …
        reason: String,
        /// One per repository.
        repos: Vec<CheckpointAt>,
    }
    /// A checkpoint was restored into the worktrees.
    RunRestored {
        /// The checkpoint's number.
        number: u32,
        /// Why that checkpoint was taken.
        reason: String,
        /// One per repository.
        repos: Vec<CheckpointAt>,
    }
    /// The run branch was renamed in all repositories.
    BranchRenamed {
        /// The former name.
        from: String,
        /// The new name.
        to: String,
        /// One per repository.
        repos: Vec<RepoBranch>,
    }
    /// Changes were committed where there were any.
    RunCommitted {
        /// The commit message.
        message: String,
        /// One a repository that had changes.
        repos: Vec<CommittedAt>,
    }
    /// A push of the run branch was attempted.
    RunPushed {
        /// One per repository.
        repos: Vec<PushedAt>,
    }
    /// Opening pull requests was attempted.
    RunPullRequest {
        /// The title.
        title: String,
        /// One per repository.
        repos: Vec<PullRequestAt>,
    }
    /// Branches and worktrees were reset to the base commits.
    RunReverted {
        /// The checkpoint with the state before the revert.
        checkpoint: u32,
        /// One per repository.
        repos: Vec<RevertedAt>,
    }
    /// The run branch was rebased on request.
    RunRebased {
        /// One per repository.
        repos: Vec<RebasedAt>,
    }
    /// A person accepted the work.
    RunAccepted {
        /// What was pushed with it.
        repos: Vec<PushedAt>,
    }
    /// Notifications of the run were switched.
    NotifyChanged {
        /// Whether people are notified.
        notify: bool,
    }
    /// A hook that maps to no other event type.
    HookReceived {
        /// The hook's name as its CLI calls it. No decision depends on it.
        hook_event_name: String,
        /// What the hook reports, when it affects the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signal: Option<HookSignal>,
        /// The whole payload.
        payload: Value,
        /// The CLI's id of the turn that a prompt started.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turn_id: Option<String>,
        /// True for a lifecycle fact that changed nothing.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ignored: bool,
        /// True for a hook of a nested CLI, which changes nothing.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        nested: bool,
        /// The processes that called the hook program, for nested CLIs and starts of sessions.
        #[serde(default, skip_serializing_if = "Callers::is_empty")]
        callers: Callers,
    }
}
