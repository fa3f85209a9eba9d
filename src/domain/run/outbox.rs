//! Messages of people on their way to the CLI: the one that is being typed, and those that wait.
//!
//! A message is typed once and confirmed by the CLI's own prompt hook, or it is *not taken*: then
//! nothing of the queue goes out until somebody acts. One message a turn.

use super::{
    event::{
        DeliveredBy, Event, MessageBy, MessageNotTaken, MessageQueued, MessageTyping,
        MessageUnqueued, QueueReordered, RequestKey, RunStarted, StartedBy, UserMessage,
    },
    prompt::same_prompt,
    rejection::Rejection,
    state::{Process, Run, Status},
};
use crate::domain::{AgentMode, MessageId, Time};

/// Most messages that wait for one run.
pub const QUEUE_LEN_MAX: usize = 64;

/// A message that waits for the end of the turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Queued {
    /// Its id.
    pub id: MessageId,
    /// As it will be delivered.
    pub text: String,
    /// When it was put there.
    pub created_at: Time,
}

/// A message that was, or is about to be, typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typing {
    /// Its id.
    pub id: MessageId,
    /// As it is typed.
    pub text: String,
    /// The request that brought it, when it may come again.
    pub request: Option<RequestKey>,
    /// Nobody waits for it any more. It is remembered: the CLI may take it late.
    pub given_up: bool,
}

/// Messages of people on their way to the CLI.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outbox {
    /// Those that wait, in the order in which they go out.
    pub queue: Vec<Queued>,
    /// Why none of them goes out until somebody acts.
    pub halted: Option<String>,
    /// The halt ends by itself: something stands at the prompt.
    pub until_free: bool,
    /// The last one that was typed and is not confirmed.
    pub typing: Option<Typing>,
    /// The agent finished its turn, and nothing happened since.
    pub turn_over: bool,
}

impl Outbox {
    /// The message that is being typed just now.
    #[must_use]
    pub fn under_way(&self) -> Option<&Typing> {
        self.typing.as_ref().filter(|typing| !typing.given_up)
    }

    /// The unconfirmed message that this prompt is.
    pub(super) fn confirmed_by(&self, prompt: &str) -> Option<&Typing> {
        let typing = self.typing.as_ref();
        typing.filter(|typing| same_prompt(&typing.text, prompt))
    }

    pub(super) fn typing_began(&mut self, typing: &MessageTyping) {
        self.typing = Some(Typing {
            id: typing.message_id,
            text: typing.text.clone(),
            request: typing.request.clone(),
            given_up: false,
        });
    }

    pub(super) fn not_taken(&mut self, missed: &MessageNotTaken) {
        if let Some(typing) = &mut self.typing {
            typing.given_up = true;
        }
        self.halted = Some(missed.reason.clone());
        self.until_free = missed.until_free;
    }

    pub(super) fn delivered(&mut self, id: MessageId) {
        self.queue.retain(|queued| queued.id != id);
        self.typing = None;
        self.halted = None;
    }

    pub(super) fn queued(&mut self, queued: &MessageQueued, at: Time) {
        self.queue.push(Queued {
            id: queued.message_id,
            text: queued.text.clone(),
            created_at: at,
        });
    }

    pub(super) fn unqueued(&mut self, id: MessageId) {
        self.queue.retain(|queued| queued.id != id);
        self.halted = None;
    }

    pub(super) fn reordered(&mut self, order: &[MessageId]) {
        let place = |queued: &Queued| order.iter().position(|id| *id == queued.id);
        self.queue.sort_by_key(place);
        self.halted = None;
    }

    /// Nothing that was typed into a process outlives it.
    pub(super) fn process_ended(&mut self) {
        self.typing = None;
        if self.waits_for_prompt() {
            self.halted = None;
        }
    }

    /// True when the queue is halted until the prompt is free.
    #[must_use]
    pub const fn waits_for_prompt(&self) -> bool {
        self.halted.is_some() && self.until_free
    }
}

pub(super) fn enqueue(run: &Run, id: MessageId, text: String) -> Result<Vec<Event>, Rejection> {
    if run.outbox.queue.len() >= QUEUE_LEN_MAX {
        let limit = QUEUE_LEN_MAX;
        return Err(Rejection::QueueFull { limit });
    }
    let message_id = id;
    Ok(vec![MessageQueued { message_id, text }.into()])
}

pub(super) fn unqueue(run: &Run, id: MessageId) -> Result<Vec<Event>, Rejection> {
    if !run.outbox.queue.iter().any(|queued| queued.id == id) {
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

/// A message is typed, or it goes with the next launch.
pub(super) fn deliver(run: &Run, id: MessageId, text: String) -> Vec<Event> {
    if run.takes_typing() {
        let message_id = id;
        let request = None;
        return vec![
            MessageTyping {
                message_id,
                text,
                request,
            }
            .into(),
        ];
    }
    let message = UserMessage {
        text,
        by: MessageBy::Api,
        delivered_by: Some(DeliveredBy::Resume),
        turn_id: None,
        message_id: Some(id),
    };
    let started = RunStarted {
        by: StartedBy::Continue,
        turn_id: None,
        own_prompt: false,
    };
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

/// The prompt is free: the queue that waited for that goes on, in the order that it has.
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
    let left = events
        .iter()
        .any(|event| matches!(event, Event::ProcessExited(_)));
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
