//! The stored events of a run. Their names are on the wire and on disk and never change.
//!
//! One table below ties each name to its payload; the codec of the store and every reader use it.
//! A payload may gain fields (with a serde default), never lose or rename one.

mod decode;
mod words;

pub use agent::{NeedsAttention, SubagentStart, SubagentStop};
use decode::from_json;
pub use decode::{DecodeError, EVENT_VERSION};
pub use messages::{
    MessageNotTaken, MessageQueued, MessageTyping, MessageUnqueued, QueueReordered, RequestKey,
};
pub use words::{
    CheckpointAt, CommittedAt, CompletedBy, CostSource, DeliveredBy, ExitedBy, HookSignal, Lacks,
    LeftOut, MessageBy, PausedBy, PullRequestAt, PushedAt, RebasedAt, RepoBase, RepoBranch,
    RevertedAt, Stage, StartedBy, StopBy, WorktreeAt,
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
mod messages;

payloads! {
    /// The run exists.
    RunCreated {
        /// What the agent is to do.
        task: String,
        /// What the run branch starts from, as asked for.
        source_branch: String,
        /// Branch of the run.
        run_branch: String,
        /// The project.
        project_id: ProjectId,
        /// The agent.
        agent_id: AgentId,
        /// The run this one grew out of.
        parent_run_id: Option<RunId>,
        /// Whether people are told when it idles or ends.
        notify: bool,
        /// The whole configuration as it was, without the values of its environment.
        agent: Agent,
        /// The repositories as they were.
        repos: Vec<RepoBase>,
        /// How worktrees are made ready, as it was.
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
        /// The evidence was the oldest prompt that we ourselves delivered (the task, or a message)
        /// and had not heard of.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        own_prompt: bool,
    }
    /// The run ended well.
    RunCompleted {
        /// How we know.
        reason: CompletedBy,
        /// Exit code, when a process told one.
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
    /// The run rests and can go on.
    RunPaused {
        /// Why.
        by: PausedBy,
        /// The agent's last words, when it said some.
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
        /// Bytes of the transcript that these totals cover; reading goes on there.
        #[serde(default)]
        transcript_offset: u64,
    }
    /// A session of the CLI began.
    SessionInit {
        /// The CLI's own id of it.
        session_id: String,
        /// Version of the CLI, when told.
        cli_version: Option<String>,
        /// Model, when told.
        model: Option<String>,
        /// Where the CLI writes the session down.
        #[schema(value_type = Option<String>)]
        transcript_path: Option<PathBuf>,
        /// The processes that called the hook program: the CLI, then its parents.
        #[serde(default, skip_serializing_if = "Callers::is_empty")]
        callers: Callers,
    }
    /// Text as it streams; neighbours within 50 ms are one event.
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
        /// The CLI's id of the subagent that calls; none is the agent itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent_id: Option<String>,
    }
    /// A tool answered.
    ToolResult {
        /// Tool.
        tool_name: String,
        /// Pairs it with its call.
        tool_use_id: Option<String>,
        /// What it answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tool_response: Option<Value>,
        /// Or how it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        /// The CLI's id of the subagent that called; none is the agent itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent_id: Option<String>,
    }
    /// A person said something.
    UserMessage {
        /// What.
        text: String,
        /// Where.
        by: MessageBy,
        /// How it goes to the CLI; null when it was typed there.
        delivered_by: Option<DeliveredBy>,
        /// The CLI's id of the turn it begins, when known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turn_id: Option<String>,
        /// Its id, when it was given one: typed by us and confirmed, or taken from the queue.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message_id: Option<MessageId>,
    }
    /// The CLI lives, and nothing was heard of it for so long.
    RunQuiet {
        /// What did not come.
        lacks: Lacks,
        /// How long it did not, in milliseconds.
        millis: u64,
    }
    /// Somebody asked for the process to end; the outcome follows.
    StopRequested {
        /// Who.
        by: StopBy,
    }
    /// A run whose CLI never started begins again.
    RunRetried {}
    /// The run is gone; the one event of it that stays.
    RunDeleted {}
    /// A process is about to be started.
    ProcessLaunching {
        /// 1, 2, 3 …
        attempt: u32,
    }
    /// It runs.
    ProcessSpawned {
        /// Which attempt.
        attempt: u32,
        /// Its process id.
        pid: u32,
        /// Its arguments; secrets travel in the environment, never here.
        argv: Vec<String>,
        /// Columns of its terminal.
        cols: u16,
        /// Rows of its terminal.
        rows: u16,
        /// Where its output begins in the run's output log, in bytes.
        #[serde(default)]
        output_offset: u64,
    }
    /// It was stopped, by Ctrl+Z or a signal: it does nothing until it is let go on.
    ProcessStopped {
        /// Which attempt.
        attempt: u32,
        /// Its process id.
        pid: u32,
        /// Name of the signal, when known.
        signal: Option<String>,
    }
    /// It was let go on.
    ProcessContinued {
        /// Which attempt.
        attempt: u32,
        /// Its process id.
        pid: u32,
    }
    /// It ended, and all it started.
    ProcessExited {
        /// Exit code, when it ended by itself.
        exit_code: Option<i32>,
        /// Name of the signal that ended it.
        signal: Option<String>,
        /// Why.
        by: ExitedBy,
        /// Which attempt.
        #[serde(default)]
        attempt: u32,
    }
    /// Worktrees are ready.
    WorktreeCreated {
        /// One a repository.
        repos: Vec<WorktreeAt>,
        /// How long it took.
        millis: u64,
    }
    /// Worktrees are gone.
    WorktreeRemoved {
        /// Those removed.
        repos: Vec<WorktreeAt>,
        /// How long it took.
        millis: u64,
    }
    /// The present work was kept under a hidden ref.
    RunCheckpointed {
        /// 1, 2, 3 …
        number: u32,
        /// `stop`, `pause`, `cancel`, …
        reason: String,
        /// One a repository.
        repos: Vec<CheckpointAt>,
    }
    /// The contents of a checkpoint are back in the worktrees.
    RunRestored {
        /// The checkpoint's number.
        number: u32,
        /// Why that checkpoint had been taken.
        reason: String,
        /// One a repository.
        repos: Vec<CheckpointAt>,
    }
    /// The run branch has another name, in all repositories.
    BranchRenamed {
        /// The former name.
        from: String,
        /// The name now.
        to: String,
        /// One a repository.
        repos: Vec<RepoBranch>,
    }
    /// The work was committed, where there was any.
    RunCommitted {
        /// The commit message.
        message: String,
        /// One a repository that had changes.
        repos: Vec<CommittedAt>,
    }
    /// The run branch was pushed, or was tried to.
    RunPushed {
        /// One a repository.
        repos: Vec<PushedAt>,
    }
    /// Pull requests were opened, or were tried to.
    RunPullRequest {
        /// The title.
        title: String,
        /// One a repository.
        repos: Vec<PullRequestAt>,
    }
    /// Branch and worktrees are back at the base commits.
    RunReverted {
        /// The checkpoint that holds what was there.
        checkpoint: u32,
        /// One a repository.
        repos: Vec<RevertedAt>,
    }
    /// The run branch was rebased at somebody's request.
    RunRebased {
        /// One a repository.
        repos: Vec<RebasedAt>,
    }
    /// A person accepted the work.
    RunAccepted {
        /// What was pushed with it.
        repos: Vec<PushedAt>,
    }
    /// The wish to be told changed.
    NotifyChanged {
        /// The wish now.
        notify: bool,
    }
    /// A hook that maps to no other event type.
    HookReceived {
        /// The hook's name, as its CLI calls it. Nothing is decided by it.
        hook_event_name: String,
        /// What the hook reports, when it affects the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signal: Option<HookSignal>,
        /// All of it.
        payload: Value,
        /// The CLI's id of the turn that it began, when it was a prompt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turn_id: Option<String>,
        /// True for a lifecycle fact that changed nothing.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ignored: bool,
        /// True for a hook of another CLI than the run's, which the agent started: it changes
        /// nothing.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        nested: bool,
        /// The processes that called the hook program, of a nested CLI and where a session began.
        #[serde(default, skip_serializing_if = "Callers::is_empty")]
        callers: Callers,
    }
}
