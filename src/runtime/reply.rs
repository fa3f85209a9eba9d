//! The way back to a caller who waits for a reply.

use super::{
    messages::{Outcome, Reply},
    order::OrderError,
};
use crate::{
    domain::{
        MessageId,
        run::{Rejection, Run, view::LeftOutView},
    },
    store::Stored,
};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// Where a caller waits for what a request came to. A sender that is dropped unused tells the caller
/// that the actor ended.
#[derive(Debug)]
pub(crate) struct ReplySender {
    caller: oneshot::Sender<Outcome>,
    /// An admitted request is under way until it has its reply.
    permit: Option<OwnedSemaphorePermit>,
}

impl ReplySender {
    /// A sender, and where its reply comes out.
    #[must_use]
    pub(crate) fn new() -> (Self, oneshot::Receiver<Outcome>) {
        let (caller, receiver) = oneshot::channel();
        let permit = None;
        (Self { caller, permit }, receiver)
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
                let message = message.clone();
                Reply::Queued { message, position }
            }
            Self::Replaced(left_out) => {
                let run = Arc::clone(run);
                Reply::Replaced { run, left_out }
            }
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
