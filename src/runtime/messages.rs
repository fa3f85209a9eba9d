//! What a run can be asked, what the caller gets, and why a request may fail.

use super::{
    order::{Order, OrderError},
    threads::Failed,
};
use crate::{
    domain::{
        MessageId,
        run::{
            Rejection, Run, admission,
            approval::Decision,
            callers::Callers,
            command::NewRun,
            create,
            event::{CommittedAt, PullRequestAt, PushedAt, StopBy},
            outbox::Queued,
            view::{
                CommittedView, LeftOutView, PullRequestView, PushedView, QueuedView, ReplacedView,
                RunView,
            },
        },
    },
    store::{Idempotent, StoreError, Stored},
};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use uuid::Uuid;

/// A request to one run, from outside.
#[derive(Debug)]
pub(crate) enum Request {
    /// Create the run. Gets [`Reply::Run`].
    Create(Box<NewRun>),
    /// Continue with a message, which has an id for when it is typed. Gets [`Reply::Run`]; of a message
    /// that is typed, once the CLI took it.
    Continue { id: MessageId, message: String },
    /// Continue a stopped CLI (SIGCONT) without a message. Gets [`Reply::Run`].
    Resume,
    /// Start a run again that failed before its CLI started. Gets [`Reply::Run`].
    Retry,
    /// Change the queue. Gets what [`QueueChange`] says.
    Queue(QueueChange),
    /// Stop the run. Gets what [`Stop`] says, once it has stopped.
    Stop(Stop),
    /// Turn notifications of the run on or off. Gets [`Reply::Run`].
    SetNotify { notify: bool },
    /// Decide an approval. Gets [`Reply::Done`].
    Decide(Decision),
    /// Change the run's work. Gets what [`Order`] says, once it is done and recorded.
    Order(Order),
    /// Record a hook of the run's CLI. Gets [`Reply::Done`].
    Hook(Delivery),
}

/// One sending of a hook.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// What the hook program draws for each; none when the CLI sent the hook itself.
    pub id: Option<Uuid>,
    /// The payload, an object.
    pub payload: Value,
    /// Who called the hook program, when it says so.
    pub callers: Callers,
    /// The hook program waits for the decision on what the hook asks, and tries again without one.
    pub waits: bool,
}

/// How a run is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The run is over. Gets [`Reply::Run`].
    Cancel,
    /// The run can be continued. Gets [`Reply::Run`].
    Pause,
    /// The run is deleted; by force even when some of its work cannot be kept. Gets [`Reply::Done`].
    Delete { force: bool },
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
            Self::Create(new) => create::check(new),
            Self::Continue { message, .. } | Self::Queue(QueueChange::Add { message, .. }) => {
                create::check_text("message", message)
            }
            Self::Order(Order::Commit { message }) => admission::check_commit_message(message),
            Self::Queue(QueueChange::Remove { .. } | QueueChange::Reorder { .. })
            | Self::Resume
            | Self::Retry
            | Self::Stop(_)
            | Self::SetNotify { .. }
            | Self::Decide(_)
            | Self::Order(_)
            | Self::Hook(_) => Ok(()),
        }
    }
}

/// A change of the messages that wait.
#[derive(Debug)]
pub(crate) enum QueueChange {
    /// Add a message at the end. Gets [`Reply::Queued`].
    Add { id: MessageId, message: String },
    /// Remove a message. Gets [`Reply::Queue`].
    Remove { id: MessageId },
    /// Put exactly the messages that wait into this order, and continue after a halt. Gets
    /// [`Reply::Queue`].
    Reorder { order: Vec<MessageId> },
}

/// What the caller of a successful request gets. It serialises as the API shows it.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// The request is carried out, and there is nothing to show.
    Done,
    /// The run as the request left it.
    Run(Arc<Run>),
    /// The run after its files were replaced, and the paths that the checkpoint taken before lacks.
    Replaced(Arc<Run>, Vec<LeftOutView>),
    /// All messages that wait.
    Queue(Vec<Queued>),
    /// A message that waits, and its position: the one at 1 goes out first.
    Queued(Queued, usize),
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
            Self::Replaced(run, left_out) => ReplacedView::of(run, left_out).serialize(to),
            Self::Queue(queue) => QueuedView::all(queue).serialize(to),
            Self::Queued(message, position) => QueuedView::of(message, *position).serialize(to),
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
        /// How many may be.
        limit: usize,
    },
    /// Too many runs are live.
    #[error("the limit of {limit} live runs is reached; cancel one or wait for one to end")]
    TooManyRuns {
        /// How many may be.
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

impl From<Failed> for AskError {
    fn from(error: Failed) -> Self {
        Self::JobFailed(error.to_string())
    }
}

/// The Idempotency-Key of a request, when the caller sent one.
pub(crate) type Key = Option<Box<Idempotent>>;

/// Where a caller waits for what a request came to. A sender that is dropped unused tells the caller
/// that the actor ended.
#[derive(Debug)]
pub(crate) struct ReplySender {
    caller: oneshot::Sender<Outcome>,
    /// The key under which the reply is remembered.
    pub key: Key,
    /// An admitted request is under way until it has its reply.
    permit: Option<OwnedSemaphorePermit>,
}

impl ReplySender {
    /// A sender, and where its reply comes out.
    #[must_use]
    pub(crate) fn new(key: Key) -> (Self, oneshot::Receiver<Outcome>) {
        let (caller, receiver) = oneshot::channel();
        let permit = None;
        let sender = Self {
            caller,
            key,
            permit,
        };
        (sender, receiver)
    }

    /// The request is admitted.
    pub(in crate::runtime) fn admit(&mut self, permit: OwnedSemaphorePermit) {
        self.permit = Some(permit);
    }

    /// Sends what the request came to; a caller that went away needs nothing.
    pub(in crate::runtime) fn send(self, outcome: Outcome) {
        drop(self.permit);
        drop(self.caller.send(outcome));
    }
}

/// Which reply the caller gets once the events of its request are stored.
#[derive(Debug, Clone, Default)]
pub(crate) enum ReplyWith {
    /// The run.
    #[default]
    Run,
    /// The messages that wait.
    Queue,
    /// One of the messages that wait.
    Queued(MessageId),
    /// The run, and the paths that the checkpoint taken before does not hold.
    Replaced(Vec<LeftOutView>),
    /// An outcome that is known already.
    Known(Outcome),
}

impl From<Reply> for ReplyWith {
    fn from(reply: Reply) -> Self {
        Self::Known(Ok(reply))
    }
}

impl From<OrderError> for ReplyWith {
    fn from(error: OrderError) -> Self {
        Self::Known(Err(error.into()))
    }
}

impl ReplyWith {
    /// The outcome, when the run is as the request left it.
    pub(in crate::runtime) fn of(self, run: &Arc<Run>) -> Outcome {
        Ok(match self {
            Self::Run => Reply::Run(Arc::clone(run)),
            Self::Queue => Reply::Queue(run.outbox.queue.clone()),
            Self::Queued(id) => {
                let (message, position) = run.outbox.waiting(id).ok_or(Rejection::NotQueued)?;
                Reply::Queued(message.clone(), position)
            }
            Self::Replaced(left_out) => Reply::Replaced(Arc::clone(run), left_out),
            Self::Known(outcome) => return outcome,
        })
    }
}

/// A reply that the writer sends with the commit, or else the actor.
#[derive(Clone)]
pub(crate) struct PendingReply(Arc<Mutex<Option<(ReplySender, Outcome)>>>);

impl PendingReply {
    /// A reply for whoever takes it first; none for what nobody waits for.
    pub(crate) fn new(reply: Option<(ReplySender, Outcome)>) -> Self {
        Self(Arc::new(Mutex::new(reply)))
    }

    /// Sends the reply as soon as the commit returned, from the writer's thread.
    pub(crate) fn when_stored(&self) -> Stored {
        let pending = self.clone();
        Stored::new(move || {
            if let Some((caller, outcome)) = pending.take() {
                caller.send(outcome);
            }
        })
    }

    /// The reply, for the first who takes it.
    pub(crate) fn take(&self) -> Option<(ReplySender, Outcome)> {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pending.take()
    }
}
