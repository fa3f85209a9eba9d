//! The aggregate: one run.
//!
//! [`command::Command`] comes in, [`decide::decide`] chooses events or refuses, [`state::Run::apply`]
//! folds them, [`effect::after`] says what is wanted of the world once they are stored.

pub mod activity;
pub mod admission;
mod caller;
pub mod callers;
pub mod command;
mod cost;
pub mod create;
pub mod decide;
pub mod effect;
pub mod event;
mod hooks;
pub mod notice;
pub mod outbox;
pub mod prompt;
mod queue;
pub mod rejection;
pub mod state;
mod status;
pub mod tasks;
mod usage;
pub mod view;
pub mod work;

mod apply;

#[cfg(test)]
mod tests;

pub use command::Command;
pub use effect::Effect;
pub use event::Event;
pub use rejection::Rejection;
pub use state::{Run, Status};
