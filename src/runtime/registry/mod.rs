//! Routes requests and updates to the actors of runs, and owns the only strong addresses of those.
//!
//! It admits requests (64 of one run at a time, 256 live runs), builds the actor of a run at its first
//! message, builds it again after a failure or a panic, and passivates idle actors: an ended run costs
//! no memory but its row.

pub(super) mod revive;

use super::{
    messages::{AskError, Request},
    run::{
        actor::RunActor,
        input::Update,
        mailbox::{Ask, Passivate, Recover, Registry as Link, Seed, UpdateRun},
    },
    shared::Shared,
};
use crate::{
    domain::{RunId, run::Run},
    store::Reader,
};
use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, ResponseFuture, dev::SendError};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Requests that may stand before it: more than there can be connections.
const WAITING_MAX: usize = 65_536;

/// The actor.
pub(crate) struct Registry {
    shared: Arc<Shared>,
    slots: Slots<Addr<RunActor>>,
    draining: bool,
}

impl Address for Addr<RunActor> {
    fn is_connected(&self) -> bool {
        self.connected()
    }
}

/// Refuses further requests; returns when none is under way.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Drain;

/// Asks for [`Counts`].
#[derive(Message)]
#[rtype(result = "Counts")]
pub(crate) struct Count;

/// What the registry holds, and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, actix::MessageResponse)]
pub(crate) struct Counts {
    /// Runs with a process, or about to have one.
    pub live: usize,
    /// Runs whose actor is awake.
    pub awake: usize,
    /// Runs folded from their log since the start.
    pub folded: u64,
}

impl Registry {
    /// Starts the registry; `changed` yields the runs whose files changed.
    #[must_use]
    pub(crate) fn start(shared: Arc<Shared>, mut changed: mpsc::Receiver<RunId>) -> Addr<Self> {
        let (commands_max, live_runs_max) =
            (shared.config.commands_max, shared.config.live_runs_max);
        let actor = Self {
            shared,
            slots: Slots::new(commands_max, live_runs_max),
            draining: false,
        };
        let address = Actor::start(actor);
        let registry = address.clone();
        actix::spawn(async move {
            while let Some(run_id) = changed.recv().await {
                let changed = UpdateRun {
                    run_id,
                    update: Update::FilesChanged,
                    session: None,
                };
                if let Err(error) = registry.send(changed).await {
                    log::debug!("Changes of files are no longer reported: {error}.");
                    break;
                }
            }
        });
        address
    }

    /// The run's slot, built when it is not there or its actor has ended.
    fn slot(&mut self, run_id: RunId, context: &Context<Self>) -> Option<&Slot<Addr<RunActor>>> {
        let build = builder(&self.shared, context.address());
        self.slots.slot(run_id, &self.shared.reader, build)
    }
}

fn builder(
    shared: &Arc<Shared>,
    registry: Addr<Registry>,
) -> impl FnOnce(Seed) -> Addr<RunActor> + use<> {
    let shared = Arc::clone(shared);
    let link = Link {
        update: registry.clone().recipient(),
        passivate: registry.clone().recipient(),
        recover: registry.recipient(),
    };
    |seed| RunActor::new(seed, shared, link).start()
}

impl Actor for Registry {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(WAITING_MAX);
    }
}

impl Handler<Ask> for Registry {
    type Result = ();

    fn handle(&mut self, mut ask: Ask, context: &mut Self::Context) -> Self::Result {
        if self.draining {
            return ask.caller.send(Err(AskError::ShuttingDown));
        }
        let build = builder(&self.shared, context.address());
        let reader = &self.shared.reader;
        match self.slots.admit(ask.run_id, &ask.request, reader, build) {
            Err(error) => ask.caller.send(Err(error)),
            Ok((actor, permit)) => {
                ask.caller.admit(permit);
                // Sent here and now, so that requests keep their order.
                match actor.try_send(ask) {
                    Ok(()) => {}
                    Err(SendError::Full(ask)) => {
                        let limit = self.shared.config.commands_max;
                        ask.caller.send(Err(AskError::Busy { limit }));
                    }
                    Err(SendError::Closed(ask)) => {
                        ask.caller.send(Err(AskError::ActorEnded));
                    }
                }
            }
        }
    }
}

impl Handler<UpdateRun> for Registry {
    type Result = ResponseFuture<Result<(), AskError>>;

    fn handle(&mut self, update: UpdateRun, context: &mut Self::Context) -> Self::Result {
        let Some(slot) = self.slot(update.run_id, context) else {
            return Box::pin(std::future::ready(Err(AskError::UnknownRun)));
        };
        let awake = Arc::clone(&slot.updates);
        let sent = slot.actor.send(update);
        Box::pin(async move {
            let taken = sent.await.unwrap_or(Err(AskError::ActorEnded));
            drop(awake);
            taken
        })
    }
}

impl Handler<Count> for Registry {
    type Result = Counts;

    fn handle(&mut self, _: Count, _: &mut Self::Context) -> Self::Result {
        Counts {
            live: self.slots.live_count(),
            awake: self.slots.len(),
            folded: self.slots.folded,
        }
    }
}

impl Handler<Recover> for Registry {
    type Result = ();

    fn handle(&mut self, recover: Recover, context: &mut Self::Context) {
        // Building the actor is enough: it recovers as it starts.
        self.slot(recover.run_id, context);
    }
}

impl Handler<Passivate> for Registry {
    type Result = bool;

    fn handle(&mut self, passivate: Passivate, _: &mut Self::Context) -> bool {
        self.slots.passivate(passivate.run_id).is_some()
    }
}

impl Handler<Drain> for Registry {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, _: &mut Self::Context) -> Self::Result {
        self.draining = true;
        let permits = u32::try_from(self.shared.config.commands_max).unwrap_or(u32::MAX);
        let waits: Vec<_> = self
            .slots
            .iter()
            .map(|slot| Arc::clone(&slot.admission))
            .collect();
        Box::pin(async move {
            for admission in waits {
                // All permits back means that nothing is under way.
                drop(admission.acquire_many_owned(permits).await);
            }
        })
    }
}

/// Where a run's actor takes messages.
pub(in crate::runtime) trait Address: Clone {
    /// False once the actor has ended.
    fn is_connected(&self) -> bool;
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
            Request::Create(_) | Request::Continue { .. } | Request::Retry
        );
        if starts && self.live_count() >= limit {
            return Err(AskError::TooManyRuns { limit });
        }
        let slot = if let Request::Create(_) = request {
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
