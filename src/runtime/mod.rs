//! The actors, and what they ask of the side rooms. In the order in which a request meets them:
//!
//! - [`messages`] and [`order`]: what callers may ask, and the replies and errors they get;
//! - [`registry`]: finds or builds the run's actor, within bounds, and puts idle ones to sleep;
//! - [`run`]: one run. `core` decides, without IO; `actor` feeds it and carries out what it says;
//! - [`jobs`]: what takes a while (git, scripts, launches), and tells its outcome to the core;
//! - [`stream`]: feeds readers with what the store's writer committed;
//! - [`services`]: what goes on beside the runs, such as the notifier;
//! - [`operations`]: what callers have done that no run's actor decides alone, such as a merge.
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
pub(crate) mod reply;
mod run;
pub(crate) mod services;
pub(crate) mod shared;
pub mod stream;
#[cfg(test)]
mod tests;
pub mod threads;

pub(crate) use handle::Runtime;
pub(crate) use messages::{AskError, QueueChange, Reply, Request, Stop};
