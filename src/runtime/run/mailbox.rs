//! What the registry and a run's actor send each other.

use crate::{
    domain::RunId,
    runtime::{jobs::UpdateRun, messages::Request, reply::ReplySender},
};
use actix::{Message, Recipient};

/// A request to a run, by way of the registry.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Ask {
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
pub(crate) struct Recover {
    /// The run.
    pub run_id: RunId,
}

/// An actor with nothing to do asks to be passivated.
#[derive(Message)]
#[rtype(result = "bool")]
pub(crate) struct Passivate {
    /// Its run.
    pub run_id: RunId,
}

/// The registry has removed the slot of this actor, which ends.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Passivated;

/// How an actor reaches the registry.
#[derive(Clone)]
pub(crate) struct Registry {
    /// For updates of its jobs.
    pub update: Recipient<UpdateRun>,
    /// To be passivated.
    pub passivate: Recipient<Passivate>,
    /// To be built again after a failure.
    pub recover: Recipient<Recover>,
}
