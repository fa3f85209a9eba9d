//! What a run can be asked or told. Commands of people may be refused; facts of the world are
//! taken as they are.

use super::callers::Callers;
use super::event::{
    CheckpointAt, HookSignal, Lacks, NeedsAttention, RunCreated, Stage, StopBy, SubagentStart,
    SubagentStop, ToolCall, ToolResult, WorktreeAt,
};
use super::work::Work;

pub use super::usage::Usage;
use crate::domain::MessageId;

use serde_json::Value;
use std::path::PathBuf;

/// A wish of a caller, or a fact of the world, for one run.
#[derive(Debug, Clone)]
pub enum Command {
    /// A person's message: resume the session with it, or type it into the live CLI.
    Continue {
        /// Its id, should it be typed.
        id: MessageId,
        /// The message; not blank, and as its adapter delivers it.
        message: String,
    },
    /// Begin again: the CLI never started.
    Retry,
    /// Keep a message until the turn is over.
    Enqueue {
        /// Its id.
        id: MessageId,
        /// The message; not blank, and as its adapter delivers it.
        message: String,
    },
    /// Take a waiting message back.
    Unqueue {
        /// Which.
        id: MessageId,
    },
    /// Put the waiting messages into this order, and go on after a halt.
    Reorder {
        /// Exactly those that wait.
        order: Vec<MessageId>,
    },
    /// A message that was to be typed was not confirmed.
    NotTaken {
        /// Which.
        id: MessageId,
        /// One sentence.
        reason: String,
        /// It goes out by itself once the prompt is free.
        until_free: bool,
    },
    /// Nothing stands at the CLI's prompt any more.
    PromptFree,
    /// End the process and what it started.
    Stop {
        /// Why.
        by: StopBy,
    },
    /// Change the wish to be told.
    SetNotify {
        /// The wish.
        notify: bool,
    },
    /// Worktrees are there, files copied, scripts run.
    WorktreesReady {
        /// The worktrees, when they were made just now.
        created: Option<(Vec<WorktreeAt>, u64)>,
    },
    /// Set-up or launch failed; what was half made is removed.
    SetUpFailed {
        /// Where.
        stage: Stage,
        /// One sentence.
        reason: String,
        /// Last lines of output.
        detail: String,
        /// The worktrees that were removed after it, since they held nothing.
        removed: Option<(Vec<WorktreeAt>, u64)>,
    },
    /// Set-up was stopped on request, before any process.
    SetUpStopped,
    /// A launch is known never to have happened: try once more.
    Relaunch,
    /// The CLI runs.
    Spawned {
        /// Which attempt.
        attempt: u32,
        /// Its process id.
        pid: u32,
        /// Its arguments.
        argv: Vec<String>,
        /// Columns.
        cols: u16,
        /// Rows.
        rows: u16,
        /// Where its output begins in the run's output log, in bytes.
        output_offset: u64,
        /// The adapter has no prompt hook: the CLI works as soon as its process does.
        works_at_once: bool,
    },
    /// The CLI was stopped, as by Ctrl+Z.
    Stopped {
        /// Which attempt.
        attempt: u32,
        /// Name of the signal, when known.
        signal: Option<String>,
    },
    /// A stopped CLI was let go on.
    Continued {
        /// Which attempt.
        attempt: u32,
    },
    /// The CLI and all it started are gone.
    Exited(Exit),
    /// The CLI said something through a hook.
    Hook {
        /// The translated hook.
        hook: Hook,
        /// What its transcript said up to now.
        observed: Vec<Observation>,
    },
    /// The CLI lives, and nothing was heard of it for so long.
    Silent {
        /// Which attempt.
        attempt: u32,
        /// What did not come.
        lacks: Lacks,
        /// How long it did not, in milliseconds.
        millis: u64,
    },
    /// The transcript or output stream said something by itself.
    Observed(Vec<Observation>),
    /// The present work was kept.
    Checkpointed(Checkpoint),
    /// A piece of work was done.
    Worked(Vec<Work>),
    /// Worktrees, branches and files are gone: only the last event is missing.
    Deleted {
        /// What was removed.
        removed: Vec<WorktreeAt>,
        /// How long it took.
        millis: u64,
    },
}

/// How a process ended.
#[derive(Debug, Clone)]
pub struct Exit {
    /// Which attempt.
    pub attempt: u32,
    /// Exit code.
    pub code: Option<i32>,
    /// Name of the signal.
    pub signal: Option<String>,
    /// It was gone when we looked, and nobody knows how.
    pub lost: bool,
    /// Last lines of its output.
    pub detail: String,
    /// What its transcript said up to its end.
    pub observed: Vec<Observation>,
    /// The work kept after it ended, when somebody asked for the end and something had changed.
    pub checkpoint: Option<Checkpoint>,
}

/// A checkpoint that was taken.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Its number.
    pub number: u32,
    /// Why it was taken.
    pub reason: String,
    /// One a repository.
    pub repos: Vec<CheckpointAt>,
}

/// A hook payload in abbado's words.
#[derive(Debug, Clone)]
pub struct Hook {
    /// Its name as the CLI gave it.
    pub name: String,
    /// The CLI's session.
    pub session_id: Option<String>,
    /// The CLI's id of the turn.
    pub turn_id: Option<String>,
    /// Where the CLI writes the session down.
    pub transcript_path: Option<PathBuf>,
    /// Model, when told.
    pub model: Option<String>,
    /// It comes from within a subagent: what that one does is not the turn's doing.
    pub subagent: bool,
    /// What it means.
    pub signal: Signal,
    /// The processes that called the hook program, when it named them.
    pub callers: Callers,
    /// All of it.
    pub payload: Value,
}

/// What a hook means.
#[derive(Debug, Clone)]
pub enum Signal {
    /// A session began.
    SessionStarted {
        /// The CLI goes on with another session than before (`/clear`, `/resume`).
        switches: bool,
    },
    /// A prompt was submitted.
    Prompt {
        /// Its text.
        text: String,
        /// The CLI made it itself.
        machine: bool,
    },
    /// A tool is called.
    ToolCall(ToolCall),
    /// A tool answered.
    ToolResult(ToolResult),
    /// A person must look.
    NeedsAttention(NeedsAttention),
    /// A subagent began.
    SubagentStart(SubagentStart),
    /// A subagent ended.
    SubagentStop(SubagentStop),
    /// Text as it streams.
    Token {
        /// The text.
        text: String,
        /// Its message.
        message_id: Option<String>,
    },
    /// The turn ended.
    TurnEnded {
        /// The agent's last words.
        last_message: Option<String>,
        /// Background work of it still runs.
        background: bool,
    },
    /// The turn failed.
    TurnFailed {
        /// One sentence.
        reason: String,
    },
    /// Somebody stopped the turn.
    Interrupted,
    /// The session ended.
    SessionEnded {
        /// The CLI goes on with another session (`/clear`, `/resume`).
        goes_on: bool,
    },
    /// The CLI shortens its context.
    Compacting,
    /// The CLI has shortened its context.
    Compacted,
    /// Anything else.
    Other,
}

impl Signal {
    /// The signal as [`HookReceived`](super::event::HookReceived) stores it; nothing for signals
    /// that such an event does not act on.
    pub(super) const fn stored(&self) -> Option<HookSignal> {
        match self {
            Self::Prompt { .. } => Some(HookSignal::Prompt),
            Self::TurnEnded { .. } => Some(HookSignal::TurnEnded),
            Self::SessionEnded { .. } => Some(HookSignal::SessionEnded),
            Self::Compacting => Some(HookSignal::Compacting),
            Self::Compacted => Some(HookSignal::Compacted),
            Self::SessionStarted { .. }
            | Self::ToolCall(_)
            | Self::ToolResult(_)
            | Self::NeedsAttention(_)
            | Self::SubagentStart(_)
            | Self::SubagentStop(_)
            | Self::Token { .. }
            | Self::TurnFailed { .. }
            | Self::Interrupted
            | Self::Other => None,
        }
    }
}

/// Something read from a transcript or an output stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// The session is known by the stream, not by a hook.
    Session {
        /// Its id.
        session_id: String,
        /// Version of the CLI.
        cli_version: Option<String>,
        /// Model.
        model: Option<String>,
    },
    /// A whole message.
    Message {
        /// Text.
        text: String,
        /// Its id.
        message_id: Option<String>,
    },
    /// Text as it streams.
    Token {
        /// Text.
        text: String,
        /// Its message.
        message_id: Option<String>,
    },
    /// Totals so far.
    Usage(Usage),
    /// The turn was stopped by a person.
    Interrupted {
        /// The CLI's id of the turn, when told.
        turn_id: Option<String>,
    },
    /// The turn ended, by the stream's own word.
    Ended {
        /// The failure, when it was one.
        failure: Option<String>,
        /// The CLI's id of the turn, when told.
        turn_id: Option<String>,
    },
}

/// What a new run is made of, checked by the caller.
pub type NewRun = RunCreated;
