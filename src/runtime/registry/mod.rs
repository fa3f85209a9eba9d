//! Routes requests and news to run actors, and owns their only strong addresses.
//!
//! It admits (64 commands under way a run, 256 live runs), builds an actor when its run is spoken
//! to, builds it again when it ended by a failure or a panic, and puts idle ones to sleep: an
//! ended run costs no memory but its row.

pub(super) mod revive;
pub(super) mod slots;

use super::{
    jobs::{Tell, Told},
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
pub struct Registry {
    shared: Arc<Shared>,
    slots: Slots<Addr<RunActor>>,
    draining: bool,
}

impl Address for Addr<RunActor> {
    fn is_connected(&self) -> bool {
        self.connected()
    }
}

/// Takes no more requests; answers when none is under way.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Drain;

/// Asks how many runs it holds.
#[derive(Message)]
#[rtype(result = "Counts")]
pub struct Count;

/// What the registry holds, and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, actix::MessageResponse)]
pub struct Counts {
    /// Runs with a process, or about to have one.
    pub live: usize,
    /// Runs whose actor is awake.
    pub awake: usize,
    /// Runs folded from their log since the start.
    pub folded: u64,
}

impl Registry {
    /// Starts it; runs whose files changed come from `changed`.
    #[must_use]
    pub fn start(shared: Arc<Shared>, mut changed: mpsc::Receiver<RunId>) -> Addr<Self> {
        let (commands_max, live_runs_max) =
            (shared.config.commands_max, shared.config.live_runs_max);
        let registry = Self {
            shared,
            slots: Slots::new(commands_max, live_runs_max),
            draining: false,
        };
        let address = Actor::start(registry);
        let look = address.clone();
        actix::spawn(async move {
            while let Some(run_id) = changed.recv().await {
                let tell = Tell {
                    run_id,
                    told: Told::Update(Update::FilesChanged),
                };
                if let Err(error) = look.send(tell).await {
                    log::debug!("Changes are no longer looked at: {error}.");
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
        tell: registry.clone().recipient(),
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

impl Handler<Tell> for Registry {
    type Result = ResponseFuture<Result<(), AskError>>;

    fn handle(&mut self, tell: Tell, context: &mut Self::Context) -> Self::Result {
        let Some(slot) = self.slot(tell.run_id, context) else {
            return Box::pin(std::future::ready(Err(AskError::UnknownRun)));
        };
        let awake = Arc::clone(&slot.telling);
        let sent = slot.actor.send(tell);
        Box::pin(async move {
            let answer = sent.await.unwrap_or(Err(AskError::ActorEnded));
            drop(awake);
            answer
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
        // Building the actor is enough: it looks after itself as it starts.
        self.slot(recover.run_id, context);
    }
}

impl Handler<Passivate> for Registry {
    type Result = MessageResult<Passivate>;

    fn handle(&mut self, passivate: Passivate, context: &mut Self::Context) -> Self::Result {
        let asleep = self.slots.put_to_sleep(passivate.run_id);
        let idle = asleep.is_some();
        if let Some(actor) = asleep {
            let rest = actor.send(Passivated);
            context.spawn(rest.into_actor(self).map(|_, _, _| ()));
        }
        MessageResult(idle)
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
