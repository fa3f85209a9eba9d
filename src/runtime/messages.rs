//! The closed list of what a run's actor can be sent.

use super::jobs::Reply;
use crate::{
    domain::{
        MessageId, RunId,
        run::{
            Command, Rejection,
            caller::Callers,
            command::{Checkpoint, NewRun},
            event::{Lacks, RequestKey, StopBy, WorktreeAt},
        },
    },
    pty::{ExitReport, Program, Session},
    store::{Idempotent, StoreError},
};
use data_encoding::HEXLOWER;
use serde_json::Value;
use uuid::Uuid;

/// What the caller gets: the run as the API shows it, or why not.
pub type Answer = Result<String, AskError>;

/// Why a request came to nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AskError {
    /// No such run.
    #[error("there is no such run")]
    UnknownRun,
    /// Too many commands of this run are under way.
    #[error("{limit} commands of this run are under way already")]
    Busy {
        /// The bound.
        limit: usize,
    },
    /// Too many runs are live.
    #[error("{limit} runs are live already; cancel one or wait for one to end")]
    TooManyRuns {
        /// The bound.
        limit: usize,
    },
    /// The run refused.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// A hook without an event name.
    #[error("the hook payload has no event name")]
    NoEventName,
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run's processes are ended; the log takes no word of it yet.
    #[error("{0}; the run's processes were ended, which is recorded when there is room")]
    Unrecorded(StoreError),
    /// What was to be done with the run's work came to nothing.
    #[error("{0:?}")]
    Work(super::order::WorkFault),
    /// A job on the world failed.
    #[error("{0}")]
    World(String),
    /// The run's CLI cannot be given this message.
    #[error("{0}")]
    Undeliverable(String),
    /// The CLI did not show that it took the message.
    #[error("{0}")]
    NotTaken(String),
    /// The actor ended while it worked on this; the next request rebuilds it.
    #[error("the run's actor ended")]
    ActorEnded,
    /// The server is shutting down.
    #[error("the server is shutting down")]
    ShuttingDown,
}

/// A request to one run, from outside.
#[derive(Debug)]
pub enum Request {
    /// Make it.
    Create {
        /// What of.
        new: Box<NewRun>,
        /// The answer to remember.
        idempotent: Option<Box<Idempotency>>,
    },
    /// Go on with a message.
    Continue {
        /// The message.
        message: String,
        /// The answer to remember.
        idempotent: Option<Box<Idempotency>>,
    },
    /// Let a stopped CLI go on, without a message.
    LetGoOn,
    /// Begin again.
    Retry {
        /// The answer to remember.
        idempotent: Option<Box<Idempotency>>,
    },
    /// Change the queue.
    Queue {
        /// How.
        change: QueueChange,
        /// The answer to remember.
        idempotent: Option<Box<Idempotency>>,
    },
    /// cancel or pause: answered when it is done.
    Stop {
        /// Which.
        by: StopBy,
    },
    /// Change the wish to be told.
    SetNotify {
        /// The wish.
        notify: bool,
        /// The answer to remember.
        idempotent: Option<Box<Idempotency>>,
    },
    /// Have something done with the run's work: answered when it is done and recorded.
    Order {
        /// What.
        order: super::order::Order,
        /// The answer to remember.
        idempotent: Option<Box<Idempotency>>,
    },
    /// Delete: answered when it is gone.
    Delete {
        /// Also when not all of the work can be kept.
        force: bool,
    },
    /// A hook of its CLI.
    Hook {
        /// The payload, an object.
        payload: Value,
        /// The hook program's id of the delivery.
        delivery: Option<Uuid>,
        /// Who called it, when it says so.
        callers: Callers,
    },
}

/// A change of the messages that wait. Adding answers with the message, the others with the queue.
#[derive(Debug)]
pub enum QueueChange {
    /// One more.
    Add {
        /// The message.
        message: String,
    },
    /// One less.
    Remove {
        /// Which.
        id: MessageId,
    },
    /// Another order; goes on after a halt.
    Reorder {
        /// Exactly those that wait.
        order: Vec<MessageId>,
    },
}

/// A key whose first answer is to be remembered.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// Method and path.
    pub scope: String,
    /// The client's key.
    pub key: String,
    /// SHA-256 of the body.
    pub fingerprint: Vec<u8>,
    /// Status of the answer when all goes well.
    pub status: u16,
}

impl Idempotency {
    /// As the log has it.
    #[must_use]
    pub fn request(&self) -> RequestKey {
        RequestKey {
            scope: self.scope.clone(),
            key: self.key.clone(),
            fingerprint: HEXLOWER.encode(&self.fingerprint),
            status: self.status,
        }
    }

    /// As the log has it; a fingerprint that is no hex is that of no request.
    #[must_use]
    pub fn of(request: &RequestKey) -> Self {
        Self {
            scope: request.scope.clone(),
            key: request.key.clone(),
            fingerprint: HEXLOWER
                .decode(request.fingerprint.as_bytes())
                .unwrap_or_default(),
            status: request.status,
        }
    }

    /// The record, with the answer.
    #[must_use]
    pub fn answered(&self, answer: &str) -> Idempotent {
        Idempotent {
            scope: self.scope.clone(),
            key: self.key.clone(),
            fingerprint: self.fingerprint.clone(),
            status: self.status,
            answer: answer.to_owned(),
        }
    }
}

/// A request with its run; what the registry takes.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub struct Ask {
    /// The run.
    pub run_id: RunId,
    /// The request.
    pub request: Request,
    /// Who asks.
    pub reply: Reply,
}

/// News of the world for one run, from effects and watchers.
#[derive(actix::Message)]
#[rtype(result = "Answer")]
pub struct Tell {
    /// The run.
    pub run_id: RunId,
    /// The news.
    pub news: News,
}

/// What effects and watchers tell.
pub enum News {
    /// A fact to decide on.
    Fact(Command),
    /// The holder is there and its process runs (or has an exit to tell).
    Attached(Box<Session>),
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
        /// Why, for the log.
        why: String,
    },
    /// The launch is known never to have happened.
    NeverLaunched,
    /// A set-up ended as it was asked to.
    SetUpStopped,
    /// Spool or transcript may have grown.
    Look,
    /// A checkpoint job ended.
    CheckpointTaken(Option<Checkpoint>),
    /// An order was carried out.
    Worked(Box<super::work::Done>),
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
    /// Time to see whether a process lingers or idles.
    Timer(Timer),
}

/// A timer of a run's actor.
#[derive(Debug, Clone, Copy)]
pub enum Timer {
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
        lacks: Lacks,
    },
    /// A CLI at its prompt.
    Idle {
        /// Sequence of the run when the timer was set.
        sequence: u64,
    },
}

impl From<&Rejection> for AskError {
    fn from(rejection: &Rejection) -> Self {
        Self::Rejected(*rejection)
    }
}
