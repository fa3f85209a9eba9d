//! The handle that the rest of the program asks through.

use super::{
    messages::{AskError, Key, Outcome, ReplySender, Request},
    registry::{Count, Counts, Drain, Registry},
    run::mailbox::Ask,
    services::{notifier::Notifier, watch::Watch},
    shared::Shared,
    stream::broadcaster::{Broadcaster, Close, Joined, Subscribe},
};
use crate::{
    config::Config,
    domain::{EventId, RunId},
    store::{Batch, Reader, StoreError, Writer},
};
use actix::Addr;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The running actors.
#[derive(Clone)]
pub(crate) struct Runtime {
    /// What they share.
    pub shared: Arc<Shared>,
    pub(super) registry: Addr<Registry>,
    broadcaster: Addr<Broadcaster>,
    /// The log's head when the server started.
    floor: EventId,
}

impl Runtime {
    /// Starts the actors on the present thread's arbiter. `batches` is fed by the writer.
    ///
    /// # Errors
    /// When the log's head cannot be read.
    pub(crate) fn start(
        config: Config,
        writer: Writer,
        reader: Reader,
        batches: mpsc::Receiver<Batch>,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let floor = reader.head()?;
        let notifier = Notifier::start(reader.clone(), writer.clone());
        let broadcaster = Broadcaster::start(floor, batches, Arc::clone(&notifier));
        let (watch, changed) = Watch::start();
        let shared = Arc::new(Shared::new(config, writer, reader, notifier, watch)?);
        let registry = Registry::start(Arc::clone(&shared), changed);
        Ok(Self {
            shared,
            registry,
            broadcaster,
            floor,
        })
    }

    /// Asks a run. The request is carried out also when the caller goes away meanwhile. The answer is
    /// remembered under the key, in one commit with what the request changes.
    ///
    /// # Errors
    /// See [`AskError`].
    pub(crate) async fn ask(&self, run_id: RunId, request: Request, key: Key) -> Outcome {
        // Neither a place among the live runs nor an actor is needed to refuse these.
        request.check()?;
        let (caller, outcome) = ReplySender::new(key);
        let ask = Ask {
            run_id,
            request,
            caller,
        };
        // A request that was sent is carried out, whoever waits for its reply.
        if self.registry.try_send(ask).is_err() {
            return Err(AskError::ShuttingDown);
        }
        outcome.await.unwrap_or(Err(AskError::ActorEnded))
    }

    /// Joins the live stream after a place.
    pub(crate) async fn subscribe(&self, run_id: Option<RunId>, after: EventId) -> Joined {
        self.broadcaster
            .send(Subscribe { run_id, after })
            .await
            .unwrap_or(Joined::Closed)
    }

    /// What the registry holds; nothing when it is gone.
    pub(crate) async fn counts(&self) -> Option<Counts> {
        self.registry.send(Count).await.ok()
    }

    /// Events committed since the server started.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) fn events_appended(&self) -> Result<u64, StoreError> {
        let head = self.shared.reader.head()?;
        Ok(u64::try_from(head - self.floor).unwrap_or(0))
    }

    /// Ends all event streams.
    pub(crate) async fn close_streams(&self) {
        // A broadcaster that is gone has ended them.
        self.broadcaster.send(Close).await.ok();
    }

    /// Waits until no request is under way, and takes no more.
    pub(crate) async fn drain(&self) {
        // A registry that is gone is drained.
        self.registry.send(Drain).await.ok();
    }
}
