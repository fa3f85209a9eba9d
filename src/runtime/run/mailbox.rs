//! What the registry and a run's actor send each other.

use super::input::Update;
use crate::{
    domain::{RunId, run::Run},
    pty::HolderConnection,
    runtime::messages::{AskError, ReplySender, Request},
};
use actix::{Message, Recipient};
use std::sync::{Arc, atomic::AtomicBool};

/// What an actor is built of: its run (none when it is about to be created), and the flag by which the
/// actor says that the run is live.
pub(crate) struct Seed {
    pub run_id: RunId,
    pub run: Option<Run>,
    pub live: Arc<AtomicBool>,
}

/// A request to a run, by way of the registry.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Ask {
    pub run_id: RunId,
    pub request: Request,
    pub caller: ReplySender,
}

/// A report of a job or a watcher to a run, by way of the registry.
#[derive(Message)]
#[rtype(result = "Result<(), AskError>")]
pub(crate) struct UpdateRun {
    pub run_id: RunId,
    pub update: Update,
    /// With [`Update::Attached`]: our end of the connection.
    pub session: Option<Box<HolderConnection>>,
}

/// Builds the actor of a run that has something outstanding.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Recover {
    pub run_id: RunId,
}

/// An actor with nothing to do asks to be passivated. True when the registry has removed its slot: it is
/// to end.
#[derive(Message)]
#[rtype(result = "bool")]
pub(crate) struct Passivate {
    pub run_id: RunId,
}

/// How an actor reaches the registry.
#[derive(Clone)]
pub(crate) struct Registry {
    /// For updates of its jobs.
    pub update: Recipient<UpdateRun>,
    pub passivate: Recipient<Passivate>,
    /// To be built again after a failure.
    pub recover: Recipient<Recover>,
}
