//! What goes on beside the runs.

pub mod kept_hooks;
pub(super) mod moved;
pub mod notifier;
pub(super) mod programs;
pub(super) mod prune;
pub mod spares;
pub(super) mod trusted_filters;
pub(super) mod unrecorded;
pub(super) mod watch;
