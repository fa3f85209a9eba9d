//! The outputs of a run's core, which the actor carries out in order.

use super::{after_commit::AfterCommit, input::Timer};
use crate::{
    cli::Adapter,
    domain::{
        AgentMode, MessageId,
        run::command::{Observation, Usage},
    },
    pty::ExitReport,
    runtime::{
        messages::{Idempotency, Outcome},
        order::Order,
        reply::ReplySender,
    },
    store::Append,
};
use std::{path::PathBuf, time::Duration};
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

/// Work that takes time and reports its outcome as an update.
pub(crate) enum Job {
    /// Make worktrees, copy files, run the set-up script.
    SetUp {
        /// After a restart: programs of the last server may still be at it.
        again: bool,
    },
    /// Start the holder, and in it the CLI.
    Launch {
        /// Which attempt.
        attempt: u32,
    },
    /// Have the worktrees as the CLI is to find them, and give it the time to show its prompt.
    AwaitPrompt {
        /// For which message.
        id: MessageId,
    },
    /// Find out what became of the run's process.
    Reach {
        /// Which attempt.
        attempt: u32,
    },
    /// End a holder by signals.
    EndHolder {
        /// Find out then what became of its process.
        reach: bool,
    },
    /// A holder may still wait for the word that its exit is recorded.
    ReleaseHolder,
    /// The same, of one that does not understand the word or cannot take it now.
    LetHolderGo,
    /// Keep the present work.
    Checkpoint {
        /// Why.
        reason: &'static str,
    },
    /// The process is gone: keep what it left, then tell its end.
    Ended {
        /// How it ended, when the holder could tell.
        report: Option<ExitReport>,
        /// Which attempt.
        attempt: u32,
        /// What its transcript said up to its end.
        observed: Vec<Observation>,
    },
    /// Carry out an order on the run's work.
    Work {
        /// What.
        order: Order,
        /// The key under which the reply is remembered.
        idempotent: Option<Box<Idempotency>>,
        /// Who ordered it.
        caller: ReplySender,
    },
    /// Keep unmerged work, then remove worktrees, branches, files.
    Delete {
        /// Also when not all of the work can be kept.
        force: bool,
    },
}

impl Job {
    /// One of those that replace files of the worktrees or number a checkpoint: one at a time.
    pub(crate) const fn is_exclusive(&self) -> bool {
        match self {
            Self::Checkpoint { .. } | Self::Ended { .. } | Self::Delete { .. } => true,
            Self::Work { order, .. } => order.alone(),
            Self::SetUp { .. }
            | Self::Launch { .. }
            | Self::AwaitPrompt { .. }
            | Self::Reach { .. }
            | Self::EndHolder { .. }
            | Self::ReleaseHolder
            | Self::LetHolderGo => false,
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
    Paste {
        /// Its id.
        id: MessageId,
        /// The message.
        text: String,
    },
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
