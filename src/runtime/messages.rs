//! What a run can be asked, what the caller gets, and why a request may fail.

use super::order::{Order, OrderError};
use crate::{
    domain::{
        MessageId,
        run::{
            Rejection, Run,
            callers::Callers,
            command::NewRun,
            create,
            event::{CommittedAt, PullRequestAt, PushedAt, RequestKey, StopBy},
            outbox::Queued,
            view::{
                CommittedView, LeftOutView, PullRequestView, PushedView, QueuedView, ReplacedView,
                RunView,
            },
        },
    },
    store::{self, Idempotent, StoreError},
};
use data_encoding::HEXLOWER;
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::sync::Arc;
use uuid::Uuid;

/// A request to one run, from outside.
#[derive(Debug)]
pub(crate) enum Request {
    /// Create the run. Gets [`Reply::Run`].
    Create {
        /// What the run is made of.
        new: Box<NewRun>,
        /// The key under which the reply is remembered.
        idempotent: Option<Box<Idempotency>>,
    },
    /// Continue with a message. Gets [`Reply::Run`], for a message that is typed once the CLI took it.
    Continue {
        /// The message's id, for when it is typed.
        id: MessageId,
        /// The message.
        message: String,
        /// The key under which the reply is remembered.
        idempotent: Option<Box<Idempotency>>,
    },
    /// Continue a stopped CLI (SIGCONT) without a message. Gets [`Reply::Run`].
    Resume,
    /// Start a run again that failed before its CLI started. Gets [`Reply::Run`].
    Retry {
        /// The key under which the reply is remembered.
        idempotent: Option<Box<Idempotency>>,
    },
    /// Change the queue. Gets what [`QueueChange`] says.
    Queue {
        /// The change.
        change: QueueChange,
        /// The key under which the reply is remembered.
        idempotent: Option<Box<Idempotency>>,
    },
    /// Stop the run. Gets what [`Stop`] says, once it has stopped.
    Stop(Stop),
    /// Turn notifications of the run on or off. Gets [`Reply::Run`].
    SetNotify {
        /// On.
        notify: bool,
        /// The key under which the reply is remembered.
        idempotent: Option<Box<Idempotency>>,
    },
    /// Change the run's work. Gets what [`Order`] says, once it is done and recorded.
    Order {
        /// The change.
        order: Order,
        /// The key under which the reply is remembered.
        idempotent: Option<Box<Idempotency>>,
    },
    /// Record a hook of the run's CLI. Gets [`Reply::Done`].
    Hook {
        /// The payload, an object.
        payload: Value,
        /// The hook program's id of the delivery.
        delivery: Option<Uuid>,
        /// Who called it, when it says so.
        callers: Callers,
    },
}

/// How a run is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The run is over. Gets [`Reply::Run`].
    Cancel,
    /// The run can be continued. Gets [`Reply::Run`].
    Pause,
    /// The run is deleted. Gets [`Reply::Done`].
    Delete {
        /// Delete it even when some of its work cannot be kept.
        force: bool,
    },
}

impl Stop {
    /// As the log names it.
    #[must_use]
    pub(crate) const fn by(self) -> StopBy {
        match self {
            Self::Cancel => StopBy::Cancel,
            Self::Pause => StopBy::Pause,
            Self::Delete { .. } => StopBy::Delete,
        }
    }
}

impl Request {
    /// Checks the fields, which needs no state of the run.
    ///
    /// # Errors
    /// The [`Rejection`] of a field.
    pub(crate) fn check(&self) -> Result<(), Rejection> {
        match self {
            Self::Create { new, .. } => create::check(new),
            Self::Continue { message, .. }
            | Self::Queue {
                change: QueueChange::Add { message, .. },
                ..
            } => create::check_text("message", message),
            Self::Resume
            | Self::Retry { .. }
            | Self::Queue {
                change: QueueChange::Remove { .. } | QueueChange::Reorder { .. },
                ..
            }
            | Self::Stop(_)
            | Self::SetNotify { .. }
            | Self::Order { .. }
            | Self::Hook { .. } => Ok(()),
        }
    }
}

/// A change of the messages that wait.
#[derive(Debug)]
pub(crate) enum QueueChange {
    /// Add a message at the end. Gets [`Reply::Queued`].
    Add {
        /// The message's id.
        id: MessageId,
        /// The message.
        message: String,
    },
    /// Remove a message. Gets [`Reply::Queue`].
    Remove {
        /// The message's id.
        id: MessageId,
    },
    /// Put the messages into this order, and continue after a halt. Gets [`Reply::Queue`].
    Reorder {
        /// Exactly those that wait.
        order: Vec<MessageId>,
    },
}

/// What the caller of a successful request gets. It serialises as the API shows it.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// The request is carried out, and there is nothing to show.
    Done,
    /// The run as the request left it.
    Run(Arc<Run>),
    /// The run after its files were replaced.
    Replaced {
        /// The run.
        run: Arc<Run>,
        /// Paths that the checkpoint taken before does not hold.
        left_out: Vec<LeftOutView>,
    },
    /// All messages that wait.
    Queue(Vec<Queued>),
    /// A message that waits.
    Queued {
        /// The message.
        message: Queued,
        /// The message at position 1 goes out first.
        position: usize,
    },
    /// A commit for each repo with changes, or why there is none.
    Committed(Vec<CommittedAt>),
    /// The push of each repo.
    Pushed(Vec<PushedAt>),
    /// The pull request of each repo.
    PullRequests(Vec<PullRequestAt>),
}

impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Done => to.serialize_unit(),
            Self::Run(run) => RunView::of(run).serialize(to),
            Self::Replaced { run, left_out } => ReplacedView::of(run, left_out).serialize(to),
            Self::Queue(queue) => QueuedView::all(queue).serialize(to),
            Self::Queued { message, position } => QueuedView::of(message, *position).serialize(to),
            Self::Committed(repos) => to.collect_seq(repos.iter().map(CommittedView::from)),
            Self::Pushed(repos) => to.collect_seq(repos.iter().map(PushedView::from)),
            Self::PullRequests(repos) => to.collect_seq(repos.iter().map(PullRequestView::from)),
        }
    }
}

/// What a request came to.
pub(crate) type Outcome = Result<Reply, AskError>;

/// Why a request failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AskError {
    /// No such run.
    #[error("no run has this id")]
    UnknownRun,
    /// Too many commands of this run are under way.
    #[error("{limit} commands of this run are already in progress; try again later")]
    Busy {
        /// The bound.
        limit: usize,
    },
    /// Too many runs are live.
    #[error("the limit of {limit} live runs is reached; cancel one or wait for one to end")]
    TooManyRuns {
        /// The bound.
        limit: usize,
    },
    /// The run's state forbids it.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// A hook without an event name.
    #[error("the hook payload has no event name")]
    NoEventName,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run's processes were ended, and the log could not record it yet.
    #[error(
        "{0}; the run's processes were ended, which is recorded as soon as the log can be written"
    )]
    Unrecorded(StoreError),
    /// An order was not carried out.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// A job failed by an error of ours, or of the operating system.
    #[error("{0}")]
    JobFailed(String),
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

/// A key under which the reply of a request is remembered, so that its repetition gets it again.
#[derive(Debug, Clone)]
pub(crate) struct Idempotency {
    /// Method and path.
    pub scope: String,
    /// The client's key.
    pub key: String,
    /// SHA-256 of the body.
    pub fingerprint: Vec<u8>,
    /// HTTP status of a successful reply.
    pub status: u16,
}

impl Idempotency {
    /// As the log has it.
    #[must_use]
    pub(crate) fn request(&self) -> RequestKey {
        RequestKey {
            scope: self.scope.clone(),
            key: self.key.clone(),
            fingerprint: HEXLOWER.encode(&self.fingerprint),
            status: self.status,
        }
    }

    /// As the log has it; a fingerprint that is no hex is that of no request.
    #[must_use]
    pub(crate) fn of(request: &RequestKey) -> Self {
        Self {
            scope: request.scope.clone(),
            key: request.key.clone(),
            fingerprint: HEXLOWER
                .decode(request.fingerprint.as_bytes())
                .unwrap_or_default(),
            status: request.status,
        }
    }

    /// The record that is stored: the key with its reply.
    ///
    /// # Errors
    /// When the reply cannot be encoded.
    pub(crate) fn with_reply(&self, reply: &impl Serialize) -> Result<Idempotent, StoreError> {
        Ok(Idempotent {
            scope: self.scope.clone(),
            key: self.key.clone(),
            fingerprint: self.fingerprint.clone(),
            status: self.status,
            answer: store::encode_reply(reply)?,
        })
    }
}
