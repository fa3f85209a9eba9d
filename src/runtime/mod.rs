//! The actors, and what they use of the other modules. In the order in which a request meets them:
//!
//! - [`messages`] and [`order`]: what callers may ask, and the replies and errors they get;
//! - [`registry`]: finds or builds the run's actor, within bounds, and passivates idle ones;
//! - [`run`]: one run. `core` decides, without IO; `actor` feeds it and carries out its outputs;
//! - [`jobs`]: work that takes time (git, scripts, launches), and reports its outcome to the core;
//! - [`stream`]: feeds readers with what the store's writer committed;
//! - [`services`]: what runs beside the runs, such as the notifier;
//! - [`operations`]: what callers request and no run's actor decides alone, such as a merge.
//!
//! Invariants, as absences: nothing is visible before its commit; no run has two actors; no queue
//! is without a bound; nobody but a run's own actor decides for it.

pub(crate) mod clock;
mod handle;
pub(crate) mod ids;
mod jobs;
pub(crate) mod messages;
pub(crate) mod operations;
pub(crate) mod order;
pub(crate) mod reads;
mod recover;
pub(crate) mod registry;
mod run;
pub(crate) mod services;
pub(crate) mod shared;
pub mod stream;
#[cfg(test)]
mod tests;
pub mod threads;

pub(crate) use handle::Runtime;
pub(crate) use messages::{AskError, QueueChange, Reply, Request, Stop};
