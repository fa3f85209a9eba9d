//! What the registry and a run's actor send each other.

use crate::{
    domain::RunId,
    runtime::{jobs::Tell, messages::Request, reply::ReplySender},
};
use actix::{Message, Recipient};

/// A request with its run; what the registry takes.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Ask {
    /// The run.
    pub run_id: RunId,
    /// The request.
    pub request: Request,
    /// Who asks.
    pub caller: ReplySender,
}

/// Builds the actor of a run that has something outstanding.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Recover {
    /// The run.
    pub run_id: RunId,
}

/// An actor with nothing to do asks to be put to sleep.
#[derive(Message)]
#[rtype(result = "bool")]
pub struct Passivate {
    /// Its run.
    pub run_id: RunId,
}

/// The registry has forgotten this actor.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Passivated;

/// Where an actor reaches the registry.
#[derive(Clone)]
pub struct Registry {
    /// For what jobs tell.
    pub tell: Recipient<Tell>,
    /// For its own sleep.
    pub passivate: Recipient<Passivate>,
    /// For another actor after it.
    pub recover: Recipient<Recover>,
}
