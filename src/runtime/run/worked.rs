//! What came of an order on a run's work.

use super::shown::Shown;
use crate::{
    domain::run::{command::Checkpoint, view, work::Work},
    runtime::{messages::Idempotency, order::WorkFault, reply::Reply},
};

/// What came of an order.
pub struct Worked {
    /// Taken before it.
    pub checkpoint: Option<Checkpoint>,
    /// To be recorded.
    pub work: Vec<Work>,
    /// JSON for the caller; without one, what is shown of the run as it is then.
    pub answer: Result<Option<String>, WorkFault>,
    /// What is shown.
    pub shown: Shown,
    /// Who ordered it.
    pub reply: Option<Reply>,
    /// The answer to remember.
    pub idempotent: Option<Box<Idempotency>>,
}

impl Worked {
    pub fn new(work: Vec<Work>, answer: Result<Option<String>, WorkFault>) -> Self {
        Self {
            checkpoint: None,
            work,
            answer,
            shown: Shown::Run,
            reply: None,
            idempotent: None,
        }
    }

    pub fn failed(fault: WorkFault) -> Self {
        Self::new(Vec::new(), Err(fault))
    }

    /// Files were replaced, or were to be; `before` is the checkpoint that was taken first.
    pub fn replaced(before: Checkpoint, outcome: Result<Work, WorkFault>) -> Self {
        let mut done = match outcome {
            Ok(work) => Self::new(vec![work], Ok(None)),
            Err(fault) => Self::failed(fault),
        };
        done.shown = Shown::LeftOut(view::left_out_of_all(&before.repos));
        done.checkpoint = Some(before);
        done
    }
}
