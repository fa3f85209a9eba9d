//! What follows the commit of a run's events.

use crate::{
    domain::run::{Effect, Run},
    runtime::{
        messages::Outcome,
        reply::{PendingReply, ReplySender},
    },
};
use std::{path::PathBuf, sync::Arc};
use uuid::Uuid;

/// What follows a commit.
pub(crate) struct AfterCommit {
    pub effects: Vec<Effect>,
    /// The run as it is without a stop under way: the reply to those who asked for the stop.
    pub stopped: Option<Arc<Run>>,
    /// The caller whose message was typed, or given up, by these events.
    pub settled: Option<(ReplySender, Outcome)>,
    pub reply: PendingReply,
    /// A spool file to remove.
    pub spooled: Option<PathBuf>,
    pub delivery: Option<Uuid>,
}
