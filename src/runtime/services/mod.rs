//! What the server does beside the runs.

pub(crate) mod kept_hooks;
pub(super) mod moved;
pub(crate) mod notifier;
pub(super) mod programs;
pub(super) mod prune;
pub(crate) mod spares;
pub(super) mod trusted_filters;
pub(super) mod unrecorded;
pub(super) mod watch;
