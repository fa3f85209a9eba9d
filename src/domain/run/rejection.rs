//! Why a run refuses a command. Each is a reply (409 unless it says otherwise), not a failure.

use super::{event::StopBy, status::Status};

/// A rule of the run forbids it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The value of a field breaks a rule (400).
    #[error("`{field}` {why}")]
    Invalid {
        /// The field, as callers name it.
        field: &'static str,
        /// Reads on after the field.
        why: &'static str,
    },
    /// create in a project without repos.
    #[error("the project has no repo yet; add one first")]
    NoRepo,
    /// cancel or pause without a process.
    #[error("the run is {0} and has no live process")]
    NotLive(Status),
    /// pause of a run that has ended, while its process lingers.
    #[error("the run is {0}; only a queued, running or paused run can be paused")]
    NotPausable(Status),
    /// continue, or the idle limit, while it works.
    #[error(
        "the run is {0}; continue it when it has paused or ended, or leave the message in \
         its queue (POST runs/{{id}}/queue)"
    )]
    StillWorking(Status),
    /// continue without a session.
    #[error("the run is {0} and has no session_id, so there is no session to continue")]
    NoSession(Status),
    /// continue of a run whose CLI never started.
    #[error(
        "the run is {0} and its CLI never started, so there is no session to continue; start it again with POST runs/{{id}}/retry"
    )]
    NeverStarted(Status),
    /// retry of any other run.
    #[error(
        "the run is {0}; only a run that failed before its CLI started (at its worktree, \
         set-up or launch) can be tried again"
    )]
    NotRetried(Status),
    /// Something else is being ended just now.
    #[error("the run is {status} and its process is being ended ({by})")]
    Stopping {
        /// The state.
        status: Status,
        /// Who asked.
        by: StopBy,
    },
    /// delete of a run that is queued or running.
    #[error("the run is {0}; cancel it first")]
    CancelFirst(Status),
    /// commit, revert or restore without worktrees.
    #[error(
        "the run is {0} and its worktree no longer exists; continue the run to recreate it from the last checkpoint"
    )]
    NoWorktree(Status),
    /// revert or restore under an agent at work.
    #[error("the run is {0}; pause it first, so that nothing is replaced under a working agent")]
    PauseFirst(Status),
    /// continue, or a change of the queue, while a message is being typed.
    #[error("a message is being typed into the CLI; try again when it is delivered")]
    Typing,
    /// continue while a question is open in the terminal.
    #[error(
        "a question is open in the CLI's terminal, and a message typed there would answer it; answer it first"
    )]
    Asking,
    /// continue while a draft stands at the prompt.
    #[error(
        "the CLI's prompt holds a draft that was typed in the terminal, and a message would be sent together with it; send or clear the draft, then try again"
    )]
    Draft,
    /// continue while a menu is open.
    #[error(
        "a menu is open in the terminal and would receive the message; close it (Esc), then try again"
    )]
    Menu,
    /// More messages wait than a queue takes.
    #[error("the queue of this run is full ({0} messages)")]
    QueueFull(usize),
    /// No such message waits.
    #[error("the queue of this run has no such message")]
    NotQueued,
    /// An order that names other messages than those that wait.
    #[error("the order must name each message of the queue once, and no other")]
    OtherOrder,
    /// A decision on what is decided, expired or void.
    #[error("the approval is no longer open")]
    ApprovalClosed,
    /// The run is gone.
    #[error("the run was deleted")]
    Deleted,
}

impl std::fmt::Display for StopBy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Cancel => "cancel",
            Self::Pause => "pause",
            Self::Delete => "delete",
            Self::Idle => "idle",
        })
    }
}
