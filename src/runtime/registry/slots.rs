//! The routing table of the registry, and the bounds within which it admits requests.

use crate::{
    domain::{RunId, run::Run},
    runtime::messages::{AskError, Request},
    store::Reader,
};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Where a run's actor takes messages.
pub(in crate::runtime) trait Address: Clone {
    /// False once the actor has ended.
    fn is_connected(&self) -> bool;
}

/// What an actor is built of: its run (none when it is about to be created), and the flag by which the
/// actor says that the run is live.
pub(in crate::runtime) struct Seed {
    pub run_id: RunId,
    pub run: Option<Run>,
    pub live: Arc<AtomicBool>,
}

/// The actors of runs, by run.
pub(in crate::runtime) struct Slots<A> {
    slots: HashMap<RunId, Slot<A>>,
    /// Requests of one run that may be under way.
    commands_max: usize,
    live_runs_max: usize,
    /// Runs folded from their log since the start.
    pub folded: u64,
}

/// The actor of a run.
pub(in crate::runtime) struct Slot<A> {
    pub actor: A,
    /// A permit for each request that may be under way at a time.
    pub admission: Arc<Semaphore>,
    /// Cloned for each update under way, which keeps the actor awake too.
    pub updates: Arc<()>,
    /// Set by the actor: a process is alive or wanted.
    live: Arc<AtomicBool>,
}

impl<A: Address> Slots<A> {
    pub(crate) fn new(commands_max: usize, live_runs_max: usize) -> Self {
        Self {
            slots: HashMap::new(),
            commands_max,
            live_runs_max,
            folded: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot<A>> {
        self.slots.values()
    }

    pub(crate) fn live_count(&self) -> usize {
        let live = |slot: &&Slot<A>| slot.live.load(Ordering::Relaxed);
        self.slots.values().filter(live).count()
    }

    /// The run's slot, with an actor that is built when there is none or it has ended; none for an unknown
    /// run.
    pub(crate) fn slot(
        &mut self,
        run_id: RunId,
        reader: &Reader,
        build: impl FnOnce(Seed) -> A,
    ) -> Option<&Slot<A>> {
        let slot = self.slots.get(&run_id);
        if slot.is_some_and(|slot| !slot.actor.is_connected()) {
            log::warn!(run_id:%; "The actor of run {run_id} had ended; rebuilding it.");
            self.slots.remove(&run_id);
        }
        if !self.slots.contains_key(&run_id) {
            let run = match reader.fold_run(run_id) {
                Ok(run) => run?,
                Err(error) => {
                    log::error!(run_id:%; "Could not load run {run_id} from the log: {error}.");
                    return None;
                }
            };
            self.folded += 1;
            self.insert(run_id, Some(run), build);
        }
        self.slots.get(&run_id)
    }

    fn insert(&mut self, run_id: RunId, run: Option<Run>, build: impl FnOnce(Seed) -> A) {
        let live = Arc::new(AtomicBool::new(run.as_ref().is_none_or(Run::is_live)));
        let actor = build(Seed {
            run_id,
            run,
            live: Arc::clone(&live),
        });
        self.slots.insert(
            run_id,
            Slot {
                actor,
                admission: Arc::new(Semaphore::new(self.commands_max)),
                updates: Arc::new(()),
                live,
            },
        );
    }

    /// The actor for a request, and the permit that the request holds while it is under way.
    ///
    /// # Errors
    /// A bound is reached, or there is no such run.
    pub(crate) fn admit(
        &mut self,
        run_id: RunId,
        request: &Request,
        reader: &Reader,
        build: impl FnOnce(Seed) -> A,
    ) -> Result<(A, OwnedSemaphorePermit), AskError> {
        let (limit, commands_max) = (self.live_runs_max, self.commands_max);
        let starts = matches!(
            request,
            Request::Create { .. } | Request::Continue { .. } | Request::Retry { .. }
        );
        if starts && self.live_count() >= limit {
            return Err(AskError::TooManyRuns { limit });
        }
        let slot = if let Request::Create { .. } = request {
            self.insert(run_id, None, build);
            self.slots.get(&run_id)
        } else {
            self.slot(run_id, reader, build)
        };
        let slot = slot.ok_or(AskError::UnknownRun)?;
        let permit = Arc::clone(&slot.admission).try_acquire_owned();
        let permit = permit.map_err(|_| AskError::Busy {
            limit: commands_max,
        })?;
        Ok((slot.actor.clone(), permit))
    }

    /// Removes the slot of an actor that has nothing to do, unless a request or an update is under way
    /// to it. Only the caller can reach the actor from then on.
    pub(crate) fn passivate(&mut self, run_id: RunId) -> Option<A> {
        let slot = self.slots.get(&run_id)?;
        let idle = slot.admission.available_permits() == self.commands_max
            && Arc::strong_count(&slot.updates) == 1;
        if !idle {
            return None;
        }
        self.slots.remove(&run_id).map(|slot| slot.actor)
    }
}
