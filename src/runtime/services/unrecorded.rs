//! Stopping needs no disk: what could not be recorded is done, and recorded when there is room.
//!
//! A stop is a request in the log and an outcome. When the log takes no request, the processes of
//! the run are ended all the same (see `operations::runs`), and the request is kept in memory: the run's
//! actor, which is built again every two seconds until its events are stored, makes it before it looks at
//! anything else, and one that is there already before it records the end. The run's holder is told as well,
//! and says it with the exit: so a server that was killed meanwhile is no matter. Only where the holder is of
//! an earlier version, or gone, is it forgotten then; the run ended by a signal.

use crate::{
    domain::{RunId, run::Run},
    pty::ExitReport,
    runtime::messages::{AskError, Outcome, Request, Stop},
};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// As the holder keeps it.
pub(crate) const fn word(stop: Stop) -> &'static str {
    match stop {
        Stop::Cancel => "cancel",
        Stop::Pause => "pause",
        Stop::Delete { force: false } => "delete",
        Stop::Delete { force: true } => "delete by force",
    }
}

fn stop_of(known: &str) -> Option<Stop> {
    let all = [
        Stop::Cancel,
        Stop::Pause,
        Stop::Delete { force: false },
        Stop::Delete { force: true },
    ];
    all.into_iter().find(|stop| word(*stop) == known)
}

/// Stops that are carried out and not in the log.
#[derive(Default)]
pub(crate) struct Unrecorded(Mutex<HashMap<RunId, Stop>>);

impl Unrecorded {
    /// What is to be asked again of a run that was stopped and whose log does not say so.
    pub(crate) fn request(&self, run_id: RunId) -> Option<Request> {
        self.stops().get(&run_id).copied().map(Request::Stop)
    }

    pub(crate) fn stops(&self) -> MutexGuard<'_, HashMap<RunId, Stop>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a stop over that an earlier server carried out and could not record, by what the holder says
    /// of it. True when it is to be made again.
    pub(crate) fn take_over(&self, run: &Run, report: &ExitReport) -> bool {
        let stop = report.because.as_deref().and_then(stop_of);
        let stop = stop.filter(|_| run.stop.is_none() && run.attempt == report.attempt);
        let Some(stop) = stop else { return false };
        let earlier = self.stops().insert(run.id, stop);
        if earlier.is_none() {
            log::warn!(run_id:% = run.id; "Run {} was stopped by a server that could not record it.", run.id);
        }
        earlier.is_none()
    }

    /// The stop was asked for again, and came to this: only a log that takes nothing leaves it to be
    /// asked for once more.
    pub(crate) fn asked_again(&self, run_id: RunId, outcome: &Outcome) {
        match outcome {
            Err(AskError::Store(_) | AskError::ActorEnded) => {}
            Ok(_) | Err(_) => drop(self.stops().remove(&run_id)),
        }
    }
}
