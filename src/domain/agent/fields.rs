//! The fields of a new or changed agent.

use super::{ALLOWED_TOOLS_DEFAULT, Agent, CLI_NAME_DEFAULT, MAX_TURNS_DEFAULT, ROLE_DEFAULT};
use crate::domain::{AgentId, ProjectId, Time};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Fields of a new or changed agent. An absent field is left alone; null restores the default.
#[derive(Deserialize, Default, ToSchema)]
pub(crate) struct AgentFields {
    /// Only for a new agent.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub project_id: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    cli_name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 200)]
    model: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    instructions: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    allowed_tools: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 10_000)]
    max_turns: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Object>)]
    provider_config: Option<Option<Map<String, Value>>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    role: Option<Option<String>>,
}

/// Tells a null apart from an absent field.
#[expect(
    clippy::option_option,
    reason = "absent, null and a value are three things here"
)]
fn given<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

impl AgentFields {
    /// Changes the fields that are given.
    pub(crate) fn apply(self, agent: &mut Agent) {
        fn set<T>(field: &mut T, given: Option<Option<T>>, default: impl FnOnce() -> T) {
            if let Some(value) = given {
                *field = value.unwrap_or_else(default);
            }
        }
        // A name has no default: null is as wrong as an empty one.
        set(&mut agent.name, self.name, String::new);
        set(&mut agent.cli_name, self.cli_name, || {
            CLI_NAME_DEFAULT.into()
        });
        set(&mut agent.model, self.model.map(Some), || None);
        set(&mut agent.instructions, self.instructions, String::new);
        set(&mut agent.allowed_tools, self.allowed_tools, || {
            ALLOWED_TOOLS_DEFAULT.into()
        });
        set(&mut agent.max_turns, self.max_turns, || MAX_TURNS_DEFAULT);
        set(&mut agent.provider_config, self.provider_config, Map::new);
        set(&mut agent.role, self.role, || ROLE_DEFAULT.into());
    }
}

impl Agent {
    /// An agent of all defaults, which has no name yet.
    #[must_use]
    pub fn unnamed(id: AgentId, project_id: ProjectId, now: Time) -> Self {
        Self {
            id,
            project_id,
            name: String::new(),
            cli_name: CLI_NAME_DEFAULT.into(),
            model: None,
            instructions: String::new(),
            allowed_tools: ALLOWED_TOOLS_DEFAULT.into(),
            max_turns: MAX_TURNS_DEFAULT,
            provider_config: Map::new(),
            role: ROLE_DEFAULT.into(),
            created_at: now,
            updated_at: now,
        }
    }
}
