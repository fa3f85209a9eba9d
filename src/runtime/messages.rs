//! What a run can be asked, and why it may come to nothing.

use crate::{
    domain::{
        MessageId,
        run::{
            Rejection,
            callers::Callers,
            command::NewRun,
            event::{RequestKey, StopBy},
        },
    },
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
        /// Its id, should it be typed.
        id: MessageId,
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
        /// Its id.
        id: MessageId,
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

impl From<&Rejection> for AskError {
    fn from(rejection: &Rejection) -> Self {
        Self::Rejected(*rejection)
    }
}
