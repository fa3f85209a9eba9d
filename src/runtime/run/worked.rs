//! What came of an order on a run's work.

use crate::{
    domain::run::{command::Checkpoint, view, work::Work},
    runtime::{
        messages::Idempotency,
        order::OrderError,
        reply::{ReplySender, ReplyWith},
    },
};

/// What came of an order.
pub(crate) struct Worked {
    /// Taken before it.
    pub checkpoint: Option<Checkpoint>,
    /// To be recorded.
    pub work: Vec<Work>,
    /// What the caller gets once that is recorded.
    pub reply: ReplyWith,
    /// Who ordered it.
    pub caller: Option<ReplySender>,
    /// The key under which the reply is remembered.
    pub idempotent: Option<Box<Idempotency>>,
}

impl Worked {
    pub(crate) fn new(work: Vec<Work>, reply: impl Into<ReplyWith>) -> Self {
        Self {
            checkpoint: None,
            work,
            reply: reply.into(),
            caller: None,
            idempotent: None,
        }
    }

    pub(crate) fn failed(error: OrderError) -> Self {
        Self::new(Vec::new(), error)
    }

    /// Files were replaced, or were to be; `before` is the checkpoint that was taken first.
    pub(crate) fn replaced(before: Checkpoint, outcome: Result<Work, OrderError>) -> Self {
        let left_out = view::left_out_of_all(&before.repos);
        let mut done = match outcome {
            Ok(work) => Self::new(vec![work], ReplyWith::Replaced(left_out)),
            Err(error) => Self::failed(error),
        };
        done.checkpoint = Some(before);
        done
    }
}
