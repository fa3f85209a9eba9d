//! Messages of people on their way to the CLI: the one being typed, and the queue.
//!
//! A message is typed once and confirmed by the CLI's own prompt hook, or it is *not taken*: then
//! nothing of the queue is sent until somebody acts. One message a turn.

use super::{
    event::{MessageNotTaken, MessageQueued, MessageTyping, RequestKey},
    prompt::same_prompt,
};
use crate::domain::{MessageId, Time};

/// Most messages in the queue of a run.
pub(crate) const QUEUE_LEN_MAX: usize = 64;

/// A message that waits for the end of the turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Queued {
    /// Its id.
    pub id: MessageId,
    /// As it will be delivered.
    pub text: String,
    /// When it was queued.
    pub created_at: Time,
}

/// A message that was typed or is about to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typing {
    /// Its id.
    pub id: MessageId,
    /// As it is typed.
    pub text: String,
    /// The request that carried it, if it has an `Idempotency-Key`.
    pub request: Option<RequestKey>,
    /// The caller no longer waits. It is remembered because the CLI may confirm it late.
    pub given_up: bool,
}

/// Messages of people on their way to the CLI.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outbox {
    /// The queue, in the order in which messages are sent.
    pub queue: Vec<Queued>,
    /// Why the queue is halted until somebody acts.
    pub halted: Option<String>,
    /// The halt ends once the prompt is free.
    pub until_free: bool,
    /// The last typed message that is not confirmed.
    pub typing: Option<Typing>,
    /// The agent finished its turn, and nothing has happened since.
    pub turn_over: bool,
}

impl Outbox {
    /// The message that is being typed.
    #[must_use]
    pub fn under_way(&self) -> Option<&Typing> {
        self.typing.as_ref().filter(|typing| !typing.given_up)
    }

    /// A message that waits, with its position; the message at position 1 goes out first.
    #[must_use]
    pub fn waiting(&self, id: MessageId) -> Option<(&Queued, usize)> {
        let mut placed = self.queue.iter().zip(1..);
        placed.find(|(queued, _)| queued.id == id)
    }

    /// The unconfirmed message that this prompt matches.
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

    /// Drops the typed message: it does not outlive its process.
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
