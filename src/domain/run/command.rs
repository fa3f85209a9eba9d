//! Commands of a run. Requests of people may be rejected; facts from outside are always accepted.

use super::approval::{Decision, Question, Terms};
use super::callers::Callers;
use super::event::{
    Event, HookSignal, Missing, NeedsAttention, ProcessSpawned, RunCheckpointed, RunCreated, Stage,
    StopBy, SubagentStart, SubagentStop, ToolCall, ToolResult, WorktreeAt,
};

pub use super::usage::Usage;
use crate::domain::{ApprovalId, MessageId};

use serde_json::Value;
use std::path::PathBuf;

/// A request, or a fact from outside, for one run.
#[derive(Debug, Clone)]
pub enum Command {
    /// A person's message: resume the session with it, or type it into the live CLI.
    Continue {
        /// The id that it gets if it is typed.
        id: MessageId,
        /// The message; not blank, and as its adapter delivers it.
        message: String,
    },
    /// Start again a run whose CLI never started.
    Retry,
    /// Queue a message until the turn is over.
    Enqueue {
        /// Its id.
        id: MessageId,
        /// The message; not blank, and as its adapter delivers it.
        message: String,
    },
    /// Remove a message from the queue.
    Unqueue {
        /// Which.
        id: MessageId,
    },
    /// Reorder the queue, and continue it after a halt.
    Reorder {
        /// Exactly the queued messages.
        order: Vec<MessageId>,
    },
    /// A typed message was not confirmed.
    NotTaken {
        /// Which.
        id: MessageId,
        /// One sentence.
        reason: String,
        /// It is sent once the prompt is free.
        until_free: bool,
    },
    /// The CLI's prompt is empty again.
    PromptFree,
    /// End the process and what it started.
    Stop {
        /// Why.
        by: StopBy,
    },
    /// Decide an approval.
    Decide(Decision),
    /// The time of an approval is over.
    ExpireApproval {
        /// Which.
        id: ApprovalId,
    },
    /// Switch notifications of this run.
    SetNotify {
        /// Whether people are notified.
        notify: bool,
    },
    /// Worktrees are ready: files are copied and scripts have run.
    WorktreesReady {
        /// The worktrees, when they were just created, and the time it took in milliseconds.
        created: Option<(Vec<WorktreeAt>, u64)>,
    },
    /// Set-up or launch failed; incomplete parts are removed.
    SetUpFailed {
        /// Where.
        stage: Stage,
        /// One sentence.
        reason: String,
        /// Last lines of output.
        detail: String,
        /// The worktrees that were removed afterwards because they held no work.
        removed: Option<(Vec<WorktreeAt>, u64)>,
    },
    /// Set-up was stopped on request, before any process.
    SetUpStopped,
    /// The launch is known not to have happened: try again.
    Relaunch,
    /// The CLI's process runs.
    Spawned {
        /// The process, as it is recorded.
        process: ProcessSpawned,
        /// The adapter has no prompt hook: the CLI counts as working as soon as its process runs.
        works_at_once: bool,
    },
    /// The CLI was suspended, for example by Ctrl+Z.
    Stopped {
        /// The attempt, counted from 1.
        attempt: u32,
        /// Name of the signal, when known.
        signal: Option<String>,
    },
    /// A suspended CLI was resumed.
    Continued {
        /// The attempt, counted from 1.
        attempt: u32,
    },
    /// The CLI and everything it started have ended.
    Exited(Exit),
    /// The CLI sent a hook.
    Hook {
        /// The translated hook.
        hook: Hook,
        /// What its transcript says so far.
        observed: Vec<Observation>,
    },
    /// A live CLI has sent nothing for a while.
    Silent {
        /// The attempt, counted from 1.
        attempt: u32,
        /// What is missing.
        missing: Missing,
        /// How long it has been missing, in milliseconds.
        millis: u64,
    },
    /// New entries of the transcript or output stream.
    Observed(Vec<Observation>),
    /// A checkpoint was taken.
    Checkpointed(Checkpoint),
    /// Orders were carried out; recorded after the fact, so that recovery never repeats one.
    Worked(Vec<Event>),
    /// Worktrees, branches and files are removed; the last event can be written.
    Deleted {
        /// What was removed.
        removed: Vec<WorktreeAt>,
        /// How long it took, in milliseconds.
        millis: u64,
    },
}

/// How a process ended.
#[derive(Debug, Clone)]
pub struct Exit {
    /// The attempt, counted from 1.
    pub attempt: u32,
    /// Exit code.
    pub code: Option<i32>,
    /// Name of the signal.
    pub signal: Option<String>,
    /// The process had vanished; how it ended is unknown.
    pub lost: bool,
    /// Last lines of its output.
    pub detail: String,
    /// What its transcript says up to its end.
    pub observed: Vec<Observation>,
    /// The checkpoint taken after a requested end, when something had changed.
    pub checkpoint: Option<Checkpoint>,
}

/// A checkpoint that was taken, as it is recorded.
pub type Checkpoint = RunCheckpointed;

/// A hook payload in terms of the domain.
#[derive(Debug, Clone)]
pub struct Hook {
    /// Its name as the CLI gave it.
    pub name: String,
    /// The CLI's session.
    pub session_id: Option<String>,
    /// The CLI's id of the turn.
    pub turn_id: Option<String>,
    /// Path of the CLI's transcript.
    pub transcript_path: Option<PathBuf>,
    /// The model, when reported.
    pub model: Option<String>,
    /// Sent from within a subagent, whose work is not part of the turn.
    pub subagent: bool,
    /// What it means.
    pub signal: Signal,
    /// The processes that called the hook program, if known.
    pub callers: Callers,
    /// The hook program waits for a decision: a question becomes an approval with these terms.
    pub terms: Option<Terms>,
    /// The whole payload.
    pub payload: Value,
}

/// What a hook means.
#[derive(Debug, Clone)]
pub enum Signal {
    /// A session started.
    SessionStarted {
        /// The CLI switched to another session (`/clear`, `/resume`).
        switches: bool,
    },
    /// A prompt was submitted.
    Prompt {
        /// Its text.
        text: String,
        /// The CLI submitted it by itself.
        machine: bool,
    },
    /// A tool is called.
    ToolCall(ToolCall),
    /// A tool returned.
    ToolResult(ToolResult),
    /// A person is needed.
    NeedsAttention(NeedsAttention),
    /// The CLI asks, and its hook can bring the answer.
    Asks {
        /// For people.
        needs: NeedsAttention,
        /// What can be answered.
        question: Question,
    },
    /// A subagent started.
    SubagentStart(SubagentStart),
    /// A subagent ended.
    SubagentStop(SubagentStop),
    /// A piece of streaming text.
    Token {
        /// The text.
        text: String,
        /// Its message.
        message_id: Option<String>,
    },
    /// The turn ended.
    TurnEnded {
        /// The agent's last message.
        last_message: Option<String>,
        /// Its background work still runs.
        background: bool,
    },
    /// The turn failed.
    TurnFailed {
        /// One sentence.
        reason: String,
    },
    /// A person stopped the turn.
    Interrupted,
    /// The session ended.
    SessionEnded {
        /// The CLI continues with another session (`/clear`, `/resume`).
        continues: bool,
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
    pub(crate) const fn stored(&self) -> Option<HookSignal> {
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
            | Self::Asks { .. }
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
    /// The session, as reported by the stream rather than by a hook.
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
    /// A piece of streaming text.
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
        /// The CLI's id of the turn, when reported.
        turn_id: Option<String>,
    },
    /// The turn ended, as reported by the stream.
    Ended {
        /// The failure, if it failed.
        failure: Option<String>,
        /// The CLI's id of the turn, when reported.
        turn_id: Option<String>,
    },
}

/// The payload of `run.created`, validated by the caller.
pub type NewRun = RunCreated;
