//! Messages of people: events and commands.

use crate::domain::{
    MessageId,
    run::{Command, Event, event::*},
};
use uuid::Uuid;

pub fn message(number: u128) -> MessageId {
    MessageId(Uuid::from_u128(number))
}

pub fn said(text: &str, delivered_by: DeliveredBy) -> Event {
    UserMessage {
        text: text.into(),
        by: MessageBy::Api,
        delivered_by: Some(delivered_by),
        turn_id: None,
        message_id: Some(message(1)),
    }
    .into()
}

/// A message is on its way into the terminal.
pub fn typing(number: u128, text: &str) -> Event {
    MessageTyping {
        message_id: message(number),
        text: text.into(),
        request: None,
    }
    .into()
}

pub fn missed(number: u128, reason: &str) -> Event {
    MessageNotTaken {
        message_id: message(number),
        reason: reason.into(),
        until_free: false,
    }
    .into()
}

pub fn queued_up(number: u128, text: &str) -> Event {
    MessageQueued {
        message_id: message(number),
        text: text.into(),
    }
    .into()
}

/// The CLI's prompt hook showed that it took the message.
pub fn taken(number: u128, text: &str, turn: &str) -> Vec<Event> {
    let message = UserMessage {
        text: text.into(),
        by: MessageBy::Api,
        delivered_by: Some(DeliveredBy::Typed),
        turn_id: Some(turn.into()),
        message_id: Some(message(number)),
    };
    let started = RunStarted {
        by: StartedBy::Continue,
        turn_id: Some(turn.into()),
        own_prompt: false,
    };
    vec![message.into(), started.into()]
}

pub fn typed_there(text: &str, turn: Option<&str>) -> Event {
    UserMessage {
        text: text.into(),
        by: MessageBy::Terminal,
        delivered_by: None,
        turn_id: turn.map(str::to_owned),
        message_id: None,
    }
    .into()
}

pub fn go_on(text: &str) -> Command {
    Command::Continue {
        id: message(1),
        message: text.into(),
    }
}

pub fn enqueue(number: u128, text: &str) -> Command {
    Command::Enqueue {
        id: message(number),
        message: text.into(),
    }
}

pub fn not_taken(number: u128) -> Command {
    Command::NotTaken {
        id: message(number),
        reason: "no answer".into(),
        until_free: false,
    }
}
