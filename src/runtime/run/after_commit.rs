//! What follows the commit of a run's events.

use crate::{
    domain::run::Effect,
    runtime::{
        messages::{Answer, AskError},
        reply::{PendingReply, Reply},
    },
};
use std::path::PathBuf;
use uuid::Uuid;

/// What follows a commit.
pub struct AfterCommit {
    pub effects: Vec<Effect>,
    /// No stop is outstanding any more.
    pub stopped: bool,
    pub settled: Option<Settled>,
    pub view: String,
    pub answered: Answer,
    pub reply: PendingReply,
    pub spooled: Option<PathBuf>,
    pub delivery: Option<Uuid>,
}

/// What the caller is told once the events that decide it are stored.
pub struct Settled {
    pub reply: Reply,
    /// None when the message was delivered: then the answer is the run.
    pub refusal: Option<AskError>,
}

impl Settled {
    pub fn told(self, view: &str) -> (Reply, Answer) {
        let told = self.refusal.map_or_else(|| Ok(view.to_owned()), Err);
        (self.reply, told)
    }
}
