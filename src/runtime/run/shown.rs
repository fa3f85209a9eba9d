//! What a caller is shown of a run.

use crate::domain::{
    MessageId,
    run::{Run, view},
};

/// What a caller is shown of the run.
#[derive(Debug, Clone, Default)]
pub enum Shown {
    /// All of it.
    #[default]
    Run,
    /// The messages that wait.
    Queue,
    /// One of them.
    Queued(MessageId),
    /// All of it, and the paths that the checkpoint before a change of its files does not hold.
    LeftOut(Vec<view::LeftOutView>),
}

impl Shown {
    /// The JSON of what is shown; nothing for the run as it is.
    pub fn of(&self, run: &Run) -> Option<String> {
        match self {
            Self::Run => None,
            Self::Queue => Some(view::Documents::of(run).queue()),
            Self::Queued(id) => view::queued(run, *id),
            Self::LeftOut(paths) => Some(view::with_left_out(run, paths)),
        }
    }
}
