//! Stopping needs no disk: what could not be recorded is done, and recorded when there is room.
//!
//! A stop is a request in the log and an outcome. When the log takes no request, the processes of
//! the run are ended all the same, and the request is kept in memory: the run's actor, which is
//! built again every two seconds until its events are stored, makes it before it looks at anything
//! else, and one that is there already before it records the end. The run's holder is told as well, and
//! says it with the exit: so a server that was killed meanwhile is no matter. Only where the holder is of an
//! earlier version, or gone, is it forgotten then; the run ended by a signal.

use crate::runtime::{
    jobs::holder::GRACE,
    messages::{Answer, AskError, Request},
    shared::{Runtime, Shared},
    threads,
};
use crate::{
    domain::{
        RunId,
        run::{Run, event::StopBy},
    },
    pty::{self, ExitReport, Probe},
    store::StoreError,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::oneshot;

/// Longest time for telling a holder; its processes are ended all the same.
const TOLD: Duration = Duration::from_secs(2);

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
    /// As the holder keeps it.
    const fn word(self) -> &'static str {
        match self {
            Self::Stop(StopBy::Cancel) => "cancel",
            Self::Stop(StopBy::Pause) => "pause",
            Self::Stop(StopBy::Idle) => "idle",
            Self::Stop(StopBy::Delete) | Self::Delete { force: false } => "delete",
            Self::Delete { force: true } => "delete by force",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        let all = [
            Self::Stop(StopBy::Cancel),
            Self::Stop(StopBy::Pause),
            Self::Stop(StopBy::Idle),
            Self::Delete { force: false },
            Self::Delete { force: true },
        ];
        all.into_iter().find(|wish| wish.word() == word)
    }

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
        self.tell_holder(run_id, wish).await;
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

impl Runtime {
    /// Has the holder say with the exit why it came.
    async fn tell_holder(&self, run_id: RunId, wish: Wish) {
        let run_dir = self.shared.run_dir(run_id);
        let told = async {
            if let Probe::Live(session) = pty::probe(&run_dir, run_id.0).await? {
                let because = Some(wish.word().to_owned());
                session.handle().stop_because(GRACE, because).await?;
            }
            Ok::<_, pty::PtyError>(())
        };
        match tokio::time::timeout(TOLD, told).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                log::warn!(run_id:%; "The holder of run {run_id} was not told: {error}.");
            }
            Err(_) => log::warn!(run_id:%; "The holder of run {run_id} does not listen."),
        }
    }
}

impl Unrecorded {
    /// Takes a stop over that an earlier server carried out and could not record, by what the holder says
    /// of it. True when it is to be made again.
    pub(in crate::runtime) fn take_over(&self, run: &Run, report: &ExitReport) -> bool {
        let word = report.because.as_deref();
        let wish = word.and_then(Wish::of_word);
        let wish = wish.filter(|_| run.stop.is_none() && run.attempt == report.attempt);
        let Some(wish) = wish else { return false };
        let earlier = self.stops().insert(run.id, wish);
        if earlier.is_none() {
            log::warn!(run_id:% = run.id; "Run {} was stopped by a server that could not record it.", run.id);
        }
        earlier.is_none()
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
