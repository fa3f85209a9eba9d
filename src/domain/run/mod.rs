//! The aggregate: one run.
//!
//! [`command::Command`] comes in, [`decide::decide`] chooses events or refuses, [`state::Run::apply`]
//! folds them, [`effect::after`] says what is wanted of the world once they are stored.

pub(crate) mod activity;
pub(crate) mod admission;
mod answers;
mod apply;
pub mod approval;
mod caller;
pub mod callers;
pub mod command;
pub mod create;
pub mod decide;
pub mod effect;
pub mod event;
mod hooks;
pub(crate) mod notice;
pub(crate) mod outbox;
pub mod prompt;
mod queue;
pub(crate) mod rejection;
pub(crate) mod state;
mod status;
pub(crate) mod tasks;
mod usage;
pub mod view;

#[cfg(test)]
mod tests;

pub use command::Command;
pub use effect::Effect;
pub use event::Event;
pub use rejection::Rejection;
pub use state::{Run, Status};

/// Adds an item, and drops the oldest one beyond `len_max`.
fn push_bounded<T>(list: &mut Vec<T>, item: T, len_max: usize) {
    list.push(item);
    if list.len() > len_max {
        list.remove(0);
    }
}
