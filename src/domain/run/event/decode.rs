//! Decodes stored payloads.

use serde::de::DeserializeOwned;

/// Version written with each event; a changed payload that old readers cannot read raises it.
pub const EVENT_VERSION: u32 = 1;

/// Why stored bytes could not be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// This build has no event of that name.
    #[error("this build does not know the event type '{0}'")]
    UnknownType(String),
    /// The payload does not fit the type.
    #[error("payload of {event_type} does not decode")]
    Payload {
        /// The event's name.
        event_type: &'static str,
        /// The error of serde.
        #[source]
        source: serde_json::Error,
    },
}

/// Decodes a payload of any depth. A hook may be 128 levels deep and is one level deeper in its
/// event, which serde_json's limit would refuse.
pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.disable_recursion_limit();
    let value = T::deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}
