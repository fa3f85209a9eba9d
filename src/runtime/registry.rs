//! Routes requests and news to run actors, and owns their only strong addresses.
//!
//! It admits (64 commands under way a run, 256 live runs), builds an actor when its run is spoken
//! to, builds it again when it ended by a failure or a panic, and puts idle ones to sleep: an
//! ended run costs no memory but its row.

use super::{
    messages::{Answer, Ask, AskError, News, Request, Tell},
    run_actor::{Rest, RunActor},
    shared::Shared,
};
use crate::domain::RunId;
use actix::{
    Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, MessageResult,
    ResponseFuture, WrapFuture,
};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::{Semaphore, mpsc};

/// The actor.
pub struct Registry {
    shared: Arc<Shared>,
    slots: HashMap<RunId, Slot>,
    /// Runs folded from their log since the start.
    folded: u64,
    draining: bool,
}

struct Slot {
    actor: Addr<RunActor>,
    /// Requests under way; its permits are the bound.
    admission: Arc<Semaphore>,
    /// News under way keeps it awake too.
    telling: Arc<()>,
    /// Set by the actor: a process is alive or wanted.
    live: Arc<AtomicBool>,
}

/// Builds the actor of a run that needs looking after.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Recover {
    /// The run.
    pub run_id: RunId,
}

/// An actor with nothing to do asks to be put to sleep.
#[derive(Message)]
#[rtype(result = "bool")]
pub(super) struct Passivate {
    pub run_id: RunId,
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
        let registry = Self {
            shared,
            slots: HashMap::new(),
            folded: 0,
            draining: false,
        };
        let address = Actor::start(registry);
        let look = address.clone();
        actix::spawn(async move {
            while let Some(run_id) = changed.recv().await {
                let tell = Tell {
                    run_id,
                    news: News::Look,
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
    fn slot(&mut self, run_id: RunId, context: &Context<Self>) -> Option<&Slot> {
        let ended = self
            .slots
            .get(&run_id)
            .is_some_and(|slot| !slot.actor.connected());
        if ended {
            log::warn!(run_id:%; "The actor of run {run_id} had ended and is built again.");
            self.slots.remove(&run_id);
        }
        if !self.slots.contains_key(&run_id) {
            let run = match self.shared.reader.fold_run(run_id) {
                Ok(run) => run?,
                Err(error) => {
                    log::error!(run_id:%; "Run {run_id} cannot be read from the log: {error}.");
                    return None;
                }
            };
            self.folded += 1;
            let live = Arc::new(AtomicBool::new(run.is_live()));
            let shared = Arc::clone(&self.shared);
            let actor = RunActor::rebuilt(run, shared, context.address(), Arc::clone(&live));
            self.insert(run_id, actor.start(), live);
        }
        self.slots.get(&run_id)
    }

    fn insert(&mut self, run_id: RunId, actor: Addr<RunActor>, live: Arc<AtomicBool>) {
        let admission = Arc::new(Semaphore::new(self.shared.config.commands_max));
        self.slots.insert(
            run_id,
            Slot {
                actor,
                admission,
                telling: Arc::new(()),
                live,
            },
        );
    }

    fn live_count(&self) -> usize {
        self.slots
            .values()
            .filter(|slot| slot.live.load(Ordering::Relaxed))
            .count()
    }

    /// Routes a request, or says at once why not.
    fn admit(
        &mut self,
        ask: &Ask,
        context: &Context<Self>,
    ) -> Result<(Addr<RunActor>, tokio::sync::OwnedSemaphorePermit), AskError> {
        if self.draining {
            return Err(AskError::ShuttingDown);
        }
        let limit = self.shared.config.live_runs_max;
        let starts = matches!(
            ask.request,
            Request::Create { .. } | Request::Continue { .. }
        );
        if starts && self.live_count() >= limit {
            return Err(AskError::TooManyRuns { limit });
        }
        if let Request::Create { .. } = &ask.request {
            let live = Arc::new(AtomicBool::new(true));
            let shared = Arc::clone(&self.shared);
            let actor = RunActor::new(ask.run_id, shared, context.address(), Arc::clone(&live));
            self.insert(ask.run_id, actor.start(), live);
        }
        let limit = self.shared.config.commands_max;
        let slot = self.slot(ask.run_id, context).ok_or(AskError::UnknownRun)?;
        let permit = Arc::clone(&slot.admission)
            .try_acquire_owned()
            .map_err(|_| AskError::Busy { limit })?;
        Ok((slot.actor.clone(), permit))
    }
}

impl Actor for Registry {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(1024);
    }
}

impl Handler<Ask> for Registry {
    type Result = ResponseFuture<Answer>;

    fn handle(&mut self, ask: Ask, context: &mut Self::Context) -> Self::Result {
        match self.admit(&ask, context) {
            Err(error) => Box::pin(std::future::ready(Err(error))),
            Ok((actor, permit)) => {
                // Sent here and now, so that requests keep their order.
                let sent = actor.send(ask);
                Box::pin(async move {
                    let answer = sent.await.unwrap_or(Err(AskError::ActorEnded));
                    drop(permit);
                    answer
                })
            }
        }
    }
}

impl Handler<Tell> for Registry {
    type Result = ResponseFuture<Answer>;

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
            live: self.live_count(),
            awake: self.slots.len(),
            folded: self.folded,
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
        let idle = self.slots.get(&passivate.run_id).is_some_and(|slot| {
            slot.admission.available_permits() == self.shared.config.commands_max
                && Arc::strong_count(&slot.telling) == 1
        });
        if idle && let Some(slot) = self.slots.remove(&passivate.run_id) {
            // Nothing can reach it any more but this.
            let rest = slot.actor.send(Rest);
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
            .values()
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
