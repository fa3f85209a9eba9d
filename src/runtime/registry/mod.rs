//! Routes requests and updates to the actors of runs, and owns the only strong addresses of those.
//!
//! It admits requests (64 of one run at a time, 256 live runs), builds the actor of a run at its first
//! message, builds it again after a failure or a panic, and passivates idle actors: an ended run costs
//! no memory but its row.

pub(super) mod revive;
pub(super) mod slots;

use super::{
    jobs::UpdateRun,
    messages::AskError,
    run::{
        actor::RunActor,
        input::Update,
        mailbox::{Ask, Passivate, Passivated, Recover, Registry as Link},
    },
    shared::Shared,
};
use crate::domain::RunId;
use actix::{
    Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, MessageResult,
    ResponseFuture, WrapFuture, dev::SendError,
};
use slots::{Address, Seed, Slot, Slots};
use std::sync::Arc;
use tokio::sync::mpsc;

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
                    update: Update::FilesChanged.into(),
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
    type Result = MessageResult<Passivate>;

    fn handle(&mut self, passivate: Passivate, context: &mut Self::Context) -> Self::Result {
        let idle = self.slots.passivate(passivate.run_id);
        let passivated = idle.is_some();
        if let Some(actor) = idle {
            let ended = actor.send(Passivated);
            context.spawn(ended.into_actor(self).map(|_, _, _| ()));
        }
        MessageResult(passivated)
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
