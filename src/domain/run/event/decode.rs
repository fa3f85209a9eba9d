//! How a stored payload is read.

use serde::de::DeserializeOwned;

/// Version written with each event; a changed payload that old readers cannot read raises it.
pub const EVENT_VERSION: u32 = 1;

/// Why stored bytes are no event.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// No event of that name in this program.
    #[error("'{0}' is no event type of this program")]
    UnknownType(String),
    /// The payload does not fit the type.
    #[error("payload of {event_type} does not decode")]
    Payload {
        /// The event's name.
        event_type: &'static str,
        /// What serde found.
        #[source]
        source: serde_json::Error,
    },
}

/// Reads a payload at whatever depth it was stored. A hook may be 128 deep and lies one deeper in
/// its event, where serde_json's own limit would make the log unreadable.
pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.disable_recursion_limit();
    let value = T::deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}
