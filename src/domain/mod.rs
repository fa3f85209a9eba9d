//! The domain: values and rules, independent of storage and HTTP.
//!
//! Everything here is pure: no clock, no id generator, no IO, no actor. Times and ids are passed
//! in. `decide` may refuse; `apply` cannot fail. All other modules use this one; it uses none of
//! them.

pub(crate) mod agent;
pub(crate) mod environment;
pub(crate) mod ids;
pub(crate) mod project;
pub mod run;
pub(crate) mod secrets;
pub mod settings;

/// Environment variable by which the processes of a run are found.
pub const RUN_ID_VARIABLE: &str = "ABBADO_RUN_ID";

pub use agent::{Agent, AgentMode};
pub use ids::{AgentId, ApprovalId, EventId, MessageId, ProjectId, RepoId, RunId};
pub use project::{Project, Repo, TrustedFilter};
pub use secrets::Secrets;

/// Changes a field when a value is given.
fn set<T>(field: &mut T, given: Option<T>) {
    if let Some(value) = given {
        *field = value;
    }
}

/// A moment in UTC. Its JSON form is RFC 3339 with milliseconds and `Z`, through [`time`].
pub type Time = chrono::DateTime<chrono::Utc>;

/// Serde form of [`Time`]: RFC 3339, UTC, milliseconds, `Z`, as the API promises.
pub mod time {
    use super::Time;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Formats a time for the wire.
    #[must_use]
    pub fn format(time: &Time) -> String {
        time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    }

    /// Parses what [`format()`] wrote.
    ///
    /// # Errors
    /// When the text is not an RFC 3339 time.
    pub fn parse(text: &str) -> Result<Time, chrono::ParseError> {
        Ok(chrono::DateTime::parse_from_rfc3339(text)?.to_utc())
    }

    /// Serialises as text.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format(time))
    }

    /// Deserialises from text.
    ///
    /// # Errors
    /// When the text is not an RFC 3339 time.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).map_err(D::Error::custom)
    }
}
