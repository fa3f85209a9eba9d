//! Who waits for an answer.

use crate::{runtime::messages::Answer, store::Stored};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// Somebody who waits for an answer. Dropped without one, they hear that the actor ended.
#[derive(Debug)]
pub struct Reply {
    caller: oneshot::Sender<Answer>,
    /// An admitted request is under way until it is answered.
    permit: Option<OwnedSemaphorePermit>,
}

impl Reply {
    /// One, and where its answer comes out.
    #[must_use]
    pub fn new() -> (Self, oneshot::Receiver<Answer>) {
        let (caller, answer) = oneshot::channel();
        let permit = None;
        (Self { caller, permit }, answer)
    }

    /// The request is admitted.
    pub(in crate::runtime) fn admit(&mut self, permit: OwnedSemaphorePermit) {
        self.permit = Some(permit);
    }

    /// Answers; a caller that went away wants no answer.
    pub(in crate::runtime) fn answer(self, with: Answer) {
        drop(self.permit);
        drop(self.caller.send(with));
    }
}

/// A reply that the writer gives with the commit, or else the actor.
#[derive(Clone)]
pub struct PendingReply(Arc<Mutex<Option<Reply>>>);

impl PendingReply {
    /// One for whoever is the first to give it.
    pub fn new(reply: Option<Reply>) -> Self {
        Self(Arc::new(Mutex::new(reply)))
    }

    /// Answers right behind the commit, from the writer's thread.
    pub fn when_stored(&self, with: Answer) -> Stored {
        let pending = self.clone();
        Stored::new(move || {
            if let Some(reply) = pending.take() {
                reply.answer(with);
            }
        })
    }

    /// The reply, for the first who takes it.
    pub fn take(&self) -> Option<Reply> {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pending.take()
    }
}
