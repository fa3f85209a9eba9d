//! Decides about the queue, and about the message that is being typed.

use super::{
    event::{
        DeliveredBy, Event, MessageBy, MessageNotTaken, MessageQueued, MessageTyping,
        MessageUnqueued, QueueReordered, RunStarted, StartedBy, UserMessage,
    },
    outbox::QUEUE_LEN_MAX,
    rejection::Rejection,
    state::{Process, Run, Status},
};
use crate::domain::{AgentMode, MessageId};

pub(super) fn enqueue(run: &Run, id: MessageId, text: String) -> Result<Vec<Event>, Rejection> {
    let limit = QUEUE_LEN_MAX;
    if run.outbox.queue.len() >= limit {
        return Err(Rejection::QueueFull(limit));
    }
    let message_id = id;
    Ok(vec![MessageQueued { message_id, text }.into()])
}

pub(super) fn unqueue(run: &Run, id: MessageId) -> Result<Vec<Event>, Rejection> {
    if run.outbox.waiting(id).is_none() {
        return Err(Rejection::NotQueued);
    }
    if run.outbox.under_way().is_some_and(|typing| typing.id == id) {
        return Err(Rejection::Typing);
    }
    Ok(vec![MessageUnqueued { message_id: id }.into()])
}

pub(super) fn reorder(run: &Run, order: Vec<MessageId>) -> Result<Vec<Event>, Rejection> {
    let now: Vec<MessageId> = run.outbox.queue.iter().map(|queued| queued.id).collect();
    let sorted = |ids: &[MessageId]| {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids
    };
    if sorted(&order) != sorted(&now) {
        return Err(Rejection::OtherOrder);
    }
    if run.outbox.under_way().is_some() {
        return Err(Rejection::Typing);
    }
    if order == now && run.outbox.halted.is_none() {
        return Ok(Vec::new());
    }
    Ok(vec![QueueReordered { order }.into()])
}

/// Delivers a message: it is typed, or passed to the next launch.
pub(super) fn deliver(run: &Run, id: MessageId, text: String) -> Vec<Event> {
    if run.takes_typing() {
        let typing = MessageTyping {
            message_id: id,
            text,
            request: None,
        };
        return vec![typing.into()];
    }
    let message = UserMessage {
        text,
        by: MessageBy::Api,
        delivered_by: Some(DeliveredBy::Resume),
        turn_id: None,
        message_id: Some(id),
    };
    let started = RunStarted::by(StartedBy::Continue, None);
    vec![message.into(), started.into()]
}

/// Gives up the message that is being typed, when it is this one.
pub(super) fn not_taken(
    run: &Run,
    id: MessageId,
    reason: String,
    until_free: bool,
) -> Option<Event> {
    let typing = run.outbox.under_way().filter(|typing| typing.id == id)?;
    let missed = MessageNotTaken {
        message_id: typing.id,
        reason,
        until_free,
    };
    Some(missed.into())
}

/// The prompt is free: a queue that waited for it continues.
pub(super) fn prompt_free(run: &Run) -> Option<Event> {
    let order = run.outbox.queue.iter().map(|queued| queued.id).collect();
    let waits = run.outbox.waits_for_prompt() && run.outbox.under_way().is_none();
    waits.then(|| QueueReordered { order }.into())
}

/// What sends the head of the queue on its way, when `events` leave the CLI at rest after a turn.
///
/// A headless CLI rests by ending: its turn is over when it left well.
pub(super) fn next(run: &Run, events: &[Event]) -> Vec<Event> {
    let waits = |event: &Event| matches!(event, Event::MessageQueued(_));
    if run.outbox.queue.is_empty() && !events.iter().any(waits) {
        return Vec::new();
    }
    let then = run.with(events);
    let outbox = &then.outbox;
    let free = outbox.halted.is_none() && outbox.under_way().is_none() && then.stop.is_none();
    let Some(head) = outbox.queue.first().filter(|_| free) else {
        return Vec::new();
    };
    let at_prompt = then.status == Status::Paused
        && outbox.turn_over
        && then.takes_typing()
        && then.stopped.is_none()
        && !then.asks_a_person();
    let exits = |event: &Event| matches!(event, Event::ProcessExited(_));
    let left = events.iter().any(exits);
    let left_well = then.created.agent.mode() == AgentMode::Headless
        && then.status == Status::Completed
        && then.session.is_some()
        && matches!(then.process, Process::Exited { code: Some(0), .. });
    if at_prompt || (left && left_well) {
        deliver(&then, head.id, head.text.clone())
    } else {
        Vec::new()
    }
}
