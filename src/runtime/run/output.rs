//! The outputs of a run's core, which the actor carries out in order.

use crate::{
    cli::Adapter,
    domain::{
        AgentMode, ApprovalId, MessageId,
        run::{
            Effect, Run,
            command::{Observation, Usage},
            event::Missing,
        },
    },
    pty::ExitReport,
    runtime::{
        messages::{Outcome, PendingReply, ReplySender},
        order::Order,
    },
    store::Append,
};
use std::{path::PathBuf, sync::Arc, time::Duration};
use uuid::Uuid;

/// One thing to do.
pub(crate) enum Output {
    /// Store events, and report [`super::input::Input::Committed`].
    Append(Box<Append>, Box<AfterCommit>),
    /// Reply to a caller.
    Reply(ReplySender, Outcome),
    /// Start a job.
    Start(Job),
    /// Stop the set-up that is under way.
    StopSetUp,
    /// Send a command to the holder.
    Holder(HolderCommand),
    /// Keep the connection that was attached just now as the run's.
    AdoptSession,
    /// Report what the holder sends from now on.
    WatchSession,
    /// Release its holder: the exit is in the log, or nothing may run.
    ReleaseSession,
    /// Drop the connection: its holder cannot be reached.
    DropSession,
    /// Report [`super::input::Input::Timer`] after a while.
    SetTimer(Duration, Timer),
    /// Watch a file of the run.
    Watch(Watched),
    /// List the spool, and report [`super::input::Input::Spool`].
    ListSpool,
    /// Read a spool file, and report [`super::input::Input::SpoolRead`].
    ReadSpool(PathBuf),
    /// The events of a spool file are stored: remove it.
    RemoveSpooled(PathBuf),
    /// Move a spool file aside that is no hook.
    SetSpooledAside(PathBuf),
    /// Look a delivery up in the log, and report [`super::input::Input::Delivered`].
    LookUp(Uuid),
    /// Read the transcript up to its present end, and report
    /// [`super::input::Input::TranscriptRead`].
    ReadTranscript(Box<TranscriptRead>),
    /// Close the transcript: the process is over.
    CloseTranscript,
    /// Give back everything of the run that is held in memory or on disk.
    Forget,
    /// Events could not be stored: end the actor, and build it again from the log.
    End,
}

impl Output {
    /// True for what a caller waits for, and the spool.
    pub(crate) const fn is_reply(&self) -> bool {
        matches!(self, Self::Reply(..) | Self::RemoveSpooled(_))
    }
}

/// A timer of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// A process whose session is over.
    Lingering { attempt: u32 },
    /// A CLI that was asked by its own keys to leave.
    Quitting { attempt: u32 },
    /// A holder that could not be spoken with.
    Reach { attempt: u32 },
    /// A holder that was told to end its tree.
    Stuck { attempt: u32 },
    /// A message that was typed and is not confirmed yet.
    EnterAgain { id: MessageId },
    /// The same, after a longer while.
    GiveUp { id: MessageId },
    /// An approval that nobody decided yet.
    Approval { id: ApprovalId },
    /// A CLI that is to say something.
    Silent { missing: Missing },
    /// A CLI at its prompt since the run had this sequence.
    Idle { sequence: u64 },
}

/// What follows a commit.
pub(crate) struct AfterCommit {
    pub effects: Vec<Effect>,
    /// The run as it is without a stop under way: the reply to those who asked for the stop.
    pub stopped: Option<Arc<Run>>,
    /// The caller whose message was typed, or given up, by these events.
    pub settled: Option<(ReplySender, Outcome)>,
    pub reply: PendingReply,
    /// A spool file to remove.
    pub spooled: Option<PathBuf>,
    pub delivery: Option<Uuid>,
}

/// Work that takes time and reports its outcome as an update.
pub(crate) enum Job {
    /// Make worktrees, copy files, run the set-up script; `again` after a restart, when programs of the
    /// last server may still be at it.
    SetUp { again: bool },
    /// Start the holder, and in it the CLI.
    Launch { attempt: u32 },
    /// Have the worktrees as the CLI is to find them, and give it the time to show its prompt, for a
    /// message.
    AwaitPrompt { id: MessageId },
    /// Find out what became of the run's process.
    Reach { attempt: u32 },
    /// End a holder by signals; with `reach`, find out then what became of its process.
    EndHolder { reach: bool },
    /// A holder may still wait to be told that its exit is recorded.
    ReleaseHolder,
    /// The same, of one that cannot be told so: it is ended by signals.
    EndExitedHolder,
    /// Keep the present work.
    Checkpoint { reason: &'static str },
    /// The process is gone: keep what it left, then tell its end. Without a report when nobody can tell
    /// how it ended; `observed` is what its transcript said up to there.
    Ended {
        report: Option<ExitReport>,
        attempt: u32,
        observed: Vec<Observation>,
    },
    /// Carry out an order on the run's work.
    Work { order: Order, caller: ReplySender },
    /// Keep unmerged work, then remove worktrees, branches, files; by force also when not all of the
    /// work can be kept.
    Delete { force: bool },
}

impl Job {
    /// One of those that replace files of the worktrees or number a checkpoint: one at a time.
    pub(crate) const fn is_exclusive(&self) -> bool {
        match self {
            Self::Checkpoint { .. } | Self::Ended { .. } | Self::Delete { .. } => true,
            Self::Work { order, .. } => order.is_exclusive(),
            Self::SetUp { .. }
            | Self::Launch { .. }
            | Self::AwaitPrompt { .. }
            | Self::Reach { .. }
            | Self::EndHolder { .. }
            | Self::ReleaseHolder
            | Self::EndExitedHolder => false,
        }
    }
}

/// A command for the holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HolderCommand {
    /// Press the keys by which the CLI leaves, one after the other.
    Keys(&'static [&'static [u8]]),
    /// End its tree by signals.
    Stop,
    /// Its exit is recorded.
    Acknowledge,
    /// Type a message and press Enter.
    Paste { id: MessageId, text: String },
    /// Press Enter.
    Enter,
    /// Continue a stopped program.
    Continue,
    /// What was typed was an answer: no draft stands at the prompt.
    NoDraft,
    /// A turn began: no menu is open.
    Prompted,
}

/// Why a message was not typed whose holder cannot be spoken with.
pub(crate) const OUT_OF_REACH: &str = "the CLI's terminal cannot be reached; nothing was typed";

/// A file that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Watched {
    /// The spool of hooks.
    Spool,
    /// The output of a headless CLI.
    Output,
    /// A transcript.
    Transcript(PathBuf),
}

/// What a transcript is read by.
pub(crate) struct TranscriptRead {
    /// Whose transcript it is.
    pub adapter: &'static dyn Adapter,
    /// Where it is, when known.
    pub path: Option<PathBuf>,
    /// What its reader is kept for: a session, or the output of one attempt.
    pub session: String,
    /// A headless CLI's output is its transcript.
    pub mode: AgentMode,
    /// Totals of the run so far.
    pub usage: Usage,
    /// The model, when known.
    pub model: Option<String>,
    /// Where the output of the present attempt begins, in bytes since the first launch.
    pub output_offset: u64,
}
