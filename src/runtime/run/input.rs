//! The inputs of a run's core.

use super::{after_commit::AfterCommit, spool::Spooled, worked::Worked};
use crate::{
    domain::{
        MessageId,
        run::{
            Command,
            command::{Checkpoint, Observation},
            event::{Missing, WorktreeAt},
        },
    },
    pty::{ExitReport, Hello, Program},
    runtime::{
        messages::{AskError, Request},
        reply::ReplySender,
    },
    store::StoreError,
};
use std::path::PathBuf;

/// One input of a core.
pub(crate) enum Input {
    /// The core was built from its log, and resumes what was outstanding.
    Resume,
    /// A request.
    Asked {
        /// The request.
        request: Request,
        /// Where its reply goes.
        caller: ReplySender,
    },
    /// An append was stored, or failed.
    Committed {
        /// Why it failed.
        outcome: Result<(), StoreError>,
        /// What follows it.
        after: Box<AfterCommit>,
    },
    /// A report of a job or a watcher.
    Update(Update),
    /// A timer ended.
    Timer {
        /// The timer.
        timer: Timer,
        /// Somebody looks at the run's terminal.
        viewed: bool,
    },
    /// All files that the spool holds, oldest first.
    Spool(Vec<PathBuf>),
    /// A spool file that was asked for.
    SpoolRead(Spooled),
    /// Whether the log has the delivery that was looked up.
    Delivered(bool),
    /// What is new in the transcript.
    TranscriptRead(Vec<Observation>),
    /// A job ended, with or without an update.
    JobEnded {
        /// It was one of those that run one at a time.
        exclusive: bool,
    },
    /// The actor ends: all who wait for a reply are told.
    End,
}

impl Input {
    /// True when hooks in the spool come before this input.
    pub(crate) const fn follows_spool(&self) -> bool {
        match self {
            Self::Asked { request, .. } => matches!(request, Request::Hook { .. }),
            Self::Update(update) => matches!(
                update,
                Update::FilesChanged | Update::Exited { .. } | Update::NeverLaunched
            ),
            Self::Timer { timer, .. } => matches!(timer, Timer::Silent { .. }),
            Self::Resume => true,
            Self::Committed { .. }
            | Self::Spool(_)
            | Self::SpoolRead(_)
            | Self::Delivered(_)
            | Self::TranscriptRead(_)
            | Self::JobEnded { .. }
            | Self::End => false,
        }
    }
}

/// What jobs and watchers report.
pub(crate) enum Update {
    /// A fact to decide on.
    Fact(Command),
    /// The holder was reached; its process runs, or its exit is to be acknowledged.
    Attached(Box<Hello>),
    /// The process and all it started are gone.
    Exited {
        /// How, when the holder could tell.
        report: Option<ExitReport>,
        /// Which attempt.
        attempt: u32,
    },
    /// What the holder knows of its program changed.
    Program {
        /// Of which attempt.
        attempt: u32,
        /// All of it.
        program: Program,
    },
    /// The holder is there and cannot be spoken with.
    OutOfReach {
        /// Of which attempt.
        attempt: u32,
        /// Why, for the server's log.
        why: String,
    },
    /// The launch is known never to have happened.
    NeverLaunched,
    /// A set-up ended as it was asked to.
    SetUpStopped,
    /// Spool or transcript may have grown.
    FilesChanged,
    /// The CLI shows its prompt by now: a message can be typed.
    PromptAwaited {
        /// Which.
        id: MessageId,
    },
    /// A checkpoint job ended; none when nothing changed or it could not be taken.
    CheckpointTaken(Option<Checkpoint>),
    /// An order was carried out.
    Worked(Box<Worked>),
    /// Worktrees, branches and files of the run are gone.
    Removed {
        /// The worktrees that were removed.
        removed: Vec<WorktreeAt>,
        /// How long it took.
        millis: u64,
    },
    /// The deletion failed; the run stays.
    NotRemoved {
        /// Why.
        why: AskError,
    },
}

/// A timer of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// A process whose session is over.
    Lingering {
        /// Which attempt.
        attempt: u32,
    },
    /// A CLI that was asked by its own keys to leave.
    Quitting {
        /// Which attempt.
        attempt: u32,
    },
    /// A holder that could not be spoken with.
    Reach {
        /// Of which attempt.
        attempt: u32,
    },
    /// A holder that was told to end its tree.
    Stuck {
        /// Of which attempt.
        attempt: u32,
    },
    /// A message that was typed and is not confirmed yet.
    EnterAgain {
        /// Which.
        id: MessageId,
    },
    /// The same, after a longer while.
    GiveUp {
        /// Which.
        id: MessageId,
    },
    /// A CLI that is to say something.
    Silent {
        /// What.
        missing: Missing,
    },
    /// A CLI at its prompt.
    Idle {
        /// Sequence of the run when the timer was set.
        sequence: u64,
    },
}
