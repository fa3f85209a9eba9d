//! Stored bytes and the wire form of an event. The only place that knows either.

use super::{StoreError, secrets};
use crate::cli::hooks::stored_signal;
use crate::domain::{
    EventId, RunId, Time,
    run::{Event, event::EVENT_VERSION},
    time,
};
use serde_json::Value;
use std::fmt::Write;

/// Longest string kept in a payload, in bytes (256 KiB); a longer one is cut.
pub(super) const STRING_BYTES_MAX: usize = 256 * 1024;

/// An event ready to be stored.
#[derive(Debug, Clone)]
pub struct Payload {
    /// Its name.
    pub event_type: &'static str,
    /// Its payload as JSON text.
    pub json: String,
}

/// An event of the log; `Text` is how its name and payload are held.
#[derive(Debug, Clone, Copy)]
pub struct LoggedEvent<Text> {
    /// Position in the whole log.
    pub id: EventId,
    /// The run.
    pub run_id: RunId,
    /// Position in its run, from 1.
    pub sequence: u64,
    /// Its name.
    pub event_type: Text,
    /// Its payload as JSON text.
    pub payload: Text,
    /// When it was written.
    pub created_at: Time,
}

/// An event with its own text.
pub type StoredEvent = LoggedEvent<String>;
/// An event that borrows from the row or value it was read from.
pub type EventRow<'a> = LoggedEvent<&'a str>;

/// What an event has around its payload and its type, in bytes, at most.
const WIRE_OVERHEAD: usize = 192;

impl EventRow<'_> {
    /// The event with its own text.
    #[must_use]
    pub fn stored(&self) -> StoredEvent {
        StoredEvent {
            id: self.id,
            run_id: self.run_id,
            sequence: self.sequence,
            event_type: self.event_type.to_owned(),
            payload: self.payload.to_owned(),
            created_at: self.created_at,
        }
    }

    /// Room for the event as the API shows it, in bytes.
    #[must_use]
    pub const fn wire_len(&self) -> usize {
        WIRE_OVERHEAD + self.event_type.len() + self.payload.len()
    }

    /// Writes the event as the API shows it: one line of JSON.
    pub fn write_wire(&self, out: &mut String) {
        // The payload is JSON text already: parsing it to print it again would be the only cost
        // of a replay. The other fields need no escaping.
        let masked = (self.event_type == "run.created").then(|| secrets::masked(self.payload));
        let masked = masked.flatten();
        out.reserve(self.wire_len());
        let written = write!(
            out,
            r#"{{"id":{},"run_id":"{}","sequence":{},"event_type":"{}","payload":"#,
            self.id, self.run_id, self.sequence, self.event_type,
        );
        out.push_str(masked.as_deref().unwrap_or(self.payload));
        let at = time::format(&self.created_at);
        // A string takes whatever is written into it.
        written
            .and_then(|()| write!(out, r#","created_at":"{at}"}}"#))
            .unwrap_or(());
    }
}

impl StoredEvent {
    /// The event, borrowed.
    #[must_use]
    pub fn row(&self) -> EventRow<'_> {
        EventRow {
            id: self.id,
            run_id: self.run_id,
            sequence: self.sequence,
            event_type: &self.event_type,
            payload: &self.payload,
            created_at: self.created_at,
        }
    }

    /// The event as the API shows it: one line of JSON.
    #[must_use]
    pub fn wire(&self) -> String {
        let mut out = String::new();
        self.row().write_wire(&mut out);
        out
    }

    /// Decodes the event. A hook that was stored without its signal gets it from its name.
    ///
    /// # Errors
    /// When the stored bytes do not decode.
    pub fn event(&self) -> Result<Event, StoreError> {
        let mut event = Event::decode(&self.event_type, &self.payload)
            .map_err(|error| StoreError::Corrupt(format!("event {}: {error}", self.id)))?;
        if let Event::HookReceived(hook) = &mut event
            && hook.signal.is_none()
            && !hook.nested
        {
            hook.signal = stored_signal(&hook.hook_event_name);
        }
        Ok(event)
    }
}

/// Version written beside each payload.
pub(super) const VERSION: u32 = EVENT_VERSION;

/// Encodes an event for the log. Strings over [`STRING_BYTES_MAX`] are cut, with the number of
/// bytes cut beside them; the event comes back as it will be read, so that the state applied now
/// equals the state folded later.
///
/// # Errors
/// When serde cannot write the payload (never, for our types).
pub fn encode(event: Event) -> Result<(Event, Payload), StoreError> {
    let corrupt = |error: &dyn std::fmt::Display| StoreError::Corrupt(error.to_string());
    let event_type = event.event_type();
    let json = event.encode().map_err(|error| corrupt(&error))?;
    if json.len() <= STRING_BYTES_MAX {
        return Ok((event, Payload { event_type, json }));
    }
    let mut value: Value = serde_json::from_str(&json).map_err(|error| corrupt(&error))?;
    cut(&mut value);
    let json = value.to_string();
    let event = Event::decode(event_type, &json).map_err(|error| corrupt(&error))?;
    Ok((event, Payload { event_type, json }))
}

/// Cuts long strings, everywhere in the value.
fn cut(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(cut),
        Value::Object(map) => {
            let mut notes = Vec::new();
            for (key, item) in map.iter_mut() {
                if let Value::String(text) = item
                    && text.len() > STRING_BYTES_MAX
                {
                    let kept = floor_char_boundary(text, STRING_BYTES_MAX);
                    notes.push((format!("{key}_truncated_bytes"), text.len() - kept));
                    text.truncate(kept);
                } else {
                    cut(item);
                }
            }
            let notes = notes.into_iter();
            map.extend(notes.map(|(key, bytes)| (key, Value::from(bytes))));
        }
        Value::String(text) => text.truncate(floor_char_boundary(text, STRING_BYTES_MAX)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;
    use crate::domain::run::callers::Callers;
    use crate::domain::run::event::{AgentMessage, HookReceived, HookSignal};
    use serde_json::json;
    use uuid::Uuid;

    fn stored_hook(payload: &Value) -> Option<HookSignal> {
        let stored = StoredEvent {
            id: 1,
            run_id: RunId(Uuid::from_u128(1)),
            sequence: 2,
            event_type: "hook.received".to_owned(),
            payload: payload.to_string(),
            created_at: chrono::Utc::now(),
        };
        let Event::HookReceived(hook) = stored.event().unwrap() else {
            panic!("a hook")
        };
        hook.signal
    }

    #[test]
    fn a_hook_stored_by_its_name_alone_has_its_signal() {
        let stop = json!({"hook_event_name": "Stop", "payload": {}});
        assert_eq!(stored_hook(&stop), Some(HookSignal::TurnEnded));
        let nested = json!({"hook_event_name": "Stop", "payload": {}, "nested": true});
        assert_eq!(stored_hook(&nested), None);
        let other = json!({"hook_event_name": "Setup", "payload": {}});
        assert_eq!(stored_hook(&other), None);
        let own = json!({"hook_event_name": "BeforeAgent", "signal": "prompt", "payload": {}});
        assert_eq!(stored_hook(&own), Some(HookSignal::Prompt));
    }

    /// With its signal or, from abbado 0.1.0, by its name alone: a hook means what it meant when it
    /// came, and one without a signal never gets one.
    #[test]
    fn a_hook_means_the_same_when_it_is_read_as_when_it_came() {
        let names = [
            "SessionStart",
            "SessionEnd",
            "UserPromptSubmit",
            "PreToolUse",
            "PostToolUse",
            "PostToolUseFailure",
            "Notification",
            "PermissionRequest",
            "SubagentStart",
            "SubagentStop",
            "Stop",
            "StopFailure",
            "PreCompact",
            "PostCompact",
            "MessageDisplay",
            "Interrupt",
            "BeforeAgent",
            "AfterAgent",
            "BeforeTool",
            "AfterTool",
            "BeforeModel",
            "AfterModel",
            "PreCompress",
            "Setup",
        ];
        let fields = [
            json!({}),
            json!({"agent_id": "a"}),
            json!({"notification_type": "idle_prompt"}),
            json!({"tool_response": {"llmContent": "Command was cancelled by user"}}),
            json!({"tool_response": {"error": {"message": "no"}}}),
        ];
        for cli in cli::NAMES {
            let adapter = cli::adapter(cli).unwrap();
            for (name, mut payload) in names.iter().flat_map(|name| {
                let fields = fields.iter();
                fields.map(move |fields| (*name, fields.clone()))
            }) {
                payload["hook_event_name"] = name.into();
                let live = adapter.hook(payload.clone()).unwrap().signal.stored();
                let mut stored = json!({"hook_event_name": name, "payload": payload});
                assert_eq!(stored_hook(&stored), live, "{cli}: {name} by its name");
                if let Some(signal) = live {
                    stored["signal"] = json!(signal);
                    assert_eq!(stored_hook(&stored), live, "{cli}: {name}");
                }
            }
        }
    }

    #[test]
    fn a_long_string_is_cut_on_a_character_and_the_cut_is_told() {
        let text = "é".repeat(STRING_BYTES_MAX);
        let event = AgentMessage {
            text: text.clone(),
            message_id: None,
        }
        .into();
        let (event, payload) = encode(event).unwrap();
        let Event::AgentMessage(message) = event else {
            panic!("a message")
        };
        assert_eq!(message.text, "é".repeat(STRING_BYTES_MAX / 2));
        let value: Value = serde_json::from_str(&payload.json).unwrap();
        assert_eq!(value["text_truncated_bytes"], text.len() - STRING_BYTES_MAX);
    }

    #[test]
    fn cuts_reach_every_depth_and_leave_short_strings_alone() {
        let long = "x".repeat(STRING_BYTES_MAX + 5);
        let payload = json!({"a": {"b": [{"c": long}]}, "d": "short"});
        let hook_event_name = "X".to_owned();
        let event = HookReceived {
            hook_event_name,
            signal: None,
            payload,
            turn_id: None,
            ignored: false,
            nested: false,
            callers: Callers::default(),
        }
        .into();
        let (_, stored) = encode(event).unwrap();
        let value: Value = serde_json::from_str(&stored.json).unwrap();
        assert_eq!(value["payload"]["a"]["b"][0]["c_truncated_bytes"], 5);
        assert_eq!(value["payload"]["d"], "short");
    }
}
