//! Stopping needs no disk: what could not be recorded is done, and recorded when there is room.
//!
//! A stop is a request in the log and an outcome. When the log takes no request, the processes of
//! the run are ended all the same, and the request is kept in memory: the run's actor, which is
//! built again every two seconds until its events are stored, makes it before it looks at anything
//! else, and one that is there already before it records the end. A server that is killed meanwhile forgets it; the run then ended by a signal.

use crate::runtime::{
    messages::{Answer, AskError, Request},
    shared::{Runtime, Shared},
    threads,
};
use crate::{
    domain::{RunId, run::event::StopBy},
    pty,
    store::StoreError,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// How a run is to be stopped.
#[derive(Debug, Clone, Copy)]
pub enum Wish {
    /// It stays, with what it did.
    Stop(StopBy),
    /// It goes; with `force` also what cannot be kept.
    Delete {
        /// Says so.
        force: bool,
    },
}

impl Wish {
    const fn request(self) -> Request {
        match self {
            Self::Stop(by) => Request::Stop { by },
            Self::Delete { force } => Request::Delete { force },
        }
    }
}

/// Stops that are carried out and not in the log.
#[derive(Default)]
pub struct Unrecorded(Mutex<HashMap<RunId, Wish>>);

impl Unrecorded {
    /// What is to be asked again of a run that was stopped and whose log does not say so.
    pub(in crate::runtime) fn request(&self, run_id: RunId) -> Option<Request> {
        self.stops().get(&run_id).map(|wish| wish.request())
    }

    fn stops(&self) -> MutexGuard<'_, HashMap<RunId, Wish>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runtime {
    /// Cancels, pauses or deletes a run. When the log takes nothing, its processes are ended first.
    ///
    /// # Errors
    /// Those of [`Runtime::ask`]; `Unrecorded` when it is done and not in the log.
    pub async fn stop(&self, run_id: RunId, wish: Wish) -> Answer {
        match self.ask(run_id, wish.request()).await {
            Err(AskError::Store(cause @ (StoreError::Full | StoreError::Unwritable(_)))) => {
                Err(self.end_unrecorded(run_id, wish, cause).await)
            }
            answer => answer,
        }
    }

    async fn end_unrecorded(&self, run_id: RunId, wish: Wish, cause: StoreError) -> AskError {
        // Known before anything ends: the end of the CLI is not to be taken for its own.
        let earlier = self.shared.unrecorded.stops().insert(run_id, wish);
        let ended = threads::run(move || pty::end_leftovers(run_id.0)).await;
        match ended {
            // A stop is refused without a process: one that is not there any more was ended by the
            // request, whose outcome found no room.
            Ok(Ok(0)) if earlier.is_none() && matches!(wish, Wish::Delete { .. }) => {
                self.shared.unrecorded.stops().remove(&run_id);
                AskError::Store(cause)
            }
            Ok(Ok(count)) => {
                log::warn!(run_id:%, count; "Run {run_id} was stopped while nothing can be recorded ({cause}): {count} processes were ended.");
                AskError::Unrecorded(cause)
            }
            Ok(Err(error)) => AskError::World(format!("processes of the run stay: {error}")),
            Err(error) => AskError::World(error.to_string()),
        }
    }
}

/// Waits for the answer to a stop that was made again, and forgets the stop when the log has it.
pub(in crate::runtime) async fn recorded(
    shared: Arc<Shared>,
    run_id: RunId,
    answer: oneshot::Receiver<Answer>,
) {
    // Only a log that takes nothing leaves it to be made once more.
    match answer.await {
        Err(_) | Ok(Err(AskError::Store(_) | AskError::ActorEnded)) => {}
        Ok(_) => drop(shared.unrecorded.stops().remove(&run_id)),
    }
}
