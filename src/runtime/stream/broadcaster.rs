//! Feeds readers of the event stream.
//!
//! The store's writer hands over each committed batch in id order. Each event is encoded once and
//! shared; the newest frames stay in a [ring](super::ring) for readers that are just joining.
//!
//! Holds: a reader's queue is bounded; one that cannot keep up is disconnected, never skipped.

pub use super::ring::{Joined, READER_BYTES_MAX, Subscribe, Subscription, write_frame};
use crate::runtime::{
    services::notifier::Notifier,
    stream::ring::{BOUNDS, Ring},
};
use crate::{
    domain::{EventId, run::notice::TELLING},
    store::Batch,
};
use actix::{Actor, Context, Handler, Message, MessageResult, StreamHandler};
use std::sync::Arc;
use tokio::sync::mpsc;

/// The actor.
pub struct Broadcaster {
    ring: Ring,
    notifier: Arc<Notifier>,
}

/// Ends all streams.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Close;

impl Broadcaster {
    /// Starts on a thread of its own. `floor` is the head of the log before anything was written.
    #[must_use]
    pub fn start(
        floor: EventId,
        batches: mpsc::Receiver<Batch>,
        notifier: Arc<Notifier>,
    ) -> actix::Addr<Self> {
        let arbiter = actix::Arbiter::new();
        Self::start_in_arbiter(&arbiter.handle(), move |context| {
            let stream = futures_util::stream::unfold(batches, |mut batches| async move {
                batches.recv().await.map(|batch| (batch, batches))
            });
            Self::add_stream(stream, context);
            let ring = Ring::new(floor, BOUNDS);
            Self { ring, notifier }
        })
    }
}

impl Actor for Broadcaster {
    type Context = Context<Self>;
}

impl StreamHandler<Batch> for Broadcaster {
    fn handle(&mut self, batch: Batch, _: &mut Self::Context) {
        crate::fault::point("publish.before");
        let types = batch.iter().map(|event| event.event_type.as_str());
        if types.into_iter().any(|name| TELLING.contains(&name)) {
            self.notifier.log_grew();
        }
        self.ring.publish(&batch);
        crate::fault::point("publish.after");
    }

    /// The writer is gone: shutdown.
    fn finished(&mut self, _: &mut Self::Context) {
        self.ring.close();
    }
}

impl Handler<Subscribe> for Broadcaster {
    type Result = MessageResult<Subscribe>;

    fn handle(&mut self, ask: Subscribe, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.ring.join(&ask))
    }
}

impl Handler<Close> for Broadcaster {
    type Result = ();

    fn handle(&mut self, _: Close, _: &mut Self::Context) {
        self.ring.close();
    }
}
