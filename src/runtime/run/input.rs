//! The inputs of a run's core.

use super::output::{AfterCommit, Timer};
use crate::{
    domain::{
        MessageId,
        run::{
            Command, Event,
            command::{Checkpoint, Observation},
            event::WorktreeAt,
            view,
        },
    },
    pty::{ExitReport, Hello, Program},
    runtime::{
        messages::{AskError, Delivery, ReplySender, ReplyWith, Request},
        order::OrderError,
    },
    store::StoreError,
};
use std::path::PathBuf;

/// One input of a core.
pub(crate) enum Input {
    /// The core was built from its log, and resumes what was outstanding.
    Resume,
    /// A request, and where its reply goes.
    Asked {
        request: Request,
        caller: ReplySender,
    },
    /// An append was stored, or failed; and what follows it.
    Committed {
        outcome: Result<(), StoreError>,
        after: Box<AfterCommit>,
    },
    /// A report of a job or a watcher.
    Update(Update),
    /// A timer ended; `viewed` when somebody looks at the run's terminal.
    Timer { timer: Timer, viewed: bool },
    /// All files that the spool holds, oldest first.
    Spool(Vec<PathBuf>),
    /// A spool file that was asked for; none when the hook program did not write it.
    SpoolRead(Option<Delivery>),
    /// Whether the log has the delivery that was looked up.
    Delivered(bool),
    /// What is new in the transcript.
    TranscriptRead(Vec<Observation>),
    /// A job ended, with or without an update; an exclusive one is of those that run one at a time.
    JobEnded { exclusive: bool },
    /// The actor ends: all who wait for a reply are told.
    End,
}

impl Input {
    /// True when hooks in the spool come before this input.
    pub(crate) const fn follows_spool(&self) -> bool {
        match self {
            Self::Asked { request, .. } => matches!(request, Request::Hook(_)),
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
    /// The process and all it started are gone; without a report when nobody can tell how.
    Exited {
        report: Option<ExitReport>,
        attempt: u32,
    },
    /// What the holder of this attempt knows of its program changed; this is all of it.
    Program { attempt: u32, program: Program },
    /// The holder of this attempt is there and cannot be spoken with; why is for the server's log.
    OutOfReach { attempt: u32, why: String },
    /// The launch is known never to have happened.
    NeverLaunched,
    /// A set-up ended as it was asked to.
    SetUpStopped,
    /// Spool or transcript may have grown.
    FilesChanged,
    /// The CLI shows its prompt by now: a message can be typed.
    PromptAwaited { id: MessageId },
    /// A checkpoint job ended; none when nothing changed or it could not be taken.
    CheckpointTaken(Option<Checkpoint>),
    /// An order was carried out.
    Worked(Box<Worked>),
    /// Worktrees, branches and files of the run are gone: which worktrees, and how long it took.
    Removed {
        removed: Vec<WorktreeAt>,
        millis: u64,
    },
    /// The deletion failed; the run stays.
    NotRemoved { why: AskError },
}

/// What came of an order.
pub(crate) struct Worked {
    /// Taken before it.
    pub checkpoint: Option<Checkpoint>,
    /// To be recorded.
    pub work: Vec<Event>,
    /// What the caller gets once that is recorded.
    pub reply: ReplyWith,
    /// Who ordered it.
    pub caller: Option<ReplySender>,
}

impl Worked {
    pub(crate) fn new(work: Vec<Event>, reply: impl Into<ReplyWith>) -> Self {
        Self {
            checkpoint: None,
            work,
            reply: reply.into(),
            caller: None,
        }
    }

    pub(crate) fn failed(error: OrderError) -> Self {
        Self::new(Vec::new(), error)
    }

    /// Files were replaced, or were to be; `before` is the checkpoint that was taken first.
    pub(crate) fn replaced(before: Checkpoint, outcome: Result<Event, OrderError>) -> Self {
        let left_out = view::left_out_of_all(&before.repos);
        let mut done = match outcome {
            Ok(work) => Self::new(vec![work], ReplyWith::Replaced(left_out)),
            Err(error) => Self::failed(error),
        };
        done.checkpoint = Some(before);
        done
    }
}
