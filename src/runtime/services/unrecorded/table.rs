//! Stops that are carried out and not in the log.

use crate::{
    domain::{
        RunId,
        run::{Run, event::StopBy},
    },
    pty::ExitReport,
    runtime::messages::{Answer, AskError, Request},
};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

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
    pub const fn word(self) -> &'static str {
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

    /// As the run is asked.
    pub const fn request(self) -> Request {
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
    pub fn request(&self, run_id: RunId) -> Option<Request> {
        self.stops().get(&run_id).map(|wish| wish.request())
    }

    pub fn stops(&self) -> MutexGuard<'_, HashMap<RunId, Wish>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Unrecorded {
    /// Takes a stop over that an earlier server carried out and could not record, by what the holder says
    /// of it. True when it is to be made again.
    pub fn take_over(&self, run: &Run, report: &ExitReport) -> bool {
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

    /// The stop that was made again got this answer: only a log that takes nothing leaves it to be
    /// made once more.
    pub fn answered(&self, run_id: RunId, answer: Option<&Answer>) {
        match answer {
            None | Some(Err(AskError::Store(_) | AskError::ActorEnded)) => {}
            Some(_) => drop(self.stops().remove(&run_id)),
        }
    }
}
