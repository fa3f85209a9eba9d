//! An agent: how a CLI is started, and the rules of its fields.

mod fields;

pub(crate) use fields::AgentFields;

use super::{AgentId, ProjectId, Time, run::prompt::is_blank, secrets, time};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{fmt, time::Duration};
use utoipa::ToSchema;

/// Default of `cli_name`.
pub(crate) const CLI_NAME_DEFAULT: &str = "claude-code";
/// Default of `allowed_tools`.
pub(crate) const ALLOWED_TOOLS_DEFAULT: &str = "Read,Edit,Write,Bash,Glob,Grep";
/// Default of `max_turns`.
pub(crate) const MAX_TURNS_DEFAULT: u32 = 100;
/// Default of `role`.
pub(crate) const ROLE_DEFAULT: &str = "builder";
/// Largest `max_turns`.
pub(crate) const MAX_TURNS_MAX: u32 = 10_000;
/// Longest `model`, in characters.
pub(crate) const MODEL_CHARS_MAX: usize = 200;
/// Longest `instructions`, in bytes.
pub(crate) const INSTRUCTIONS_BYTES_MAX: usize = 256 * 1024;
/// Longest `role`, in characters.
pub(crate) const ROLE_CHARS_MAX: usize = 64;

/// Default of `provider_config.approval_minutes`.
const APPROVAL_MINUTES_DEFAULT: f64 = 10.0;
/// Largest `provider_config.approval_minutes`: a week.
const APPROVAL_MINUTES_MAX: f64 = 7.0 * 24.0 * 60.0;

/// A configuration of a CLI, copied whole into each run it starts.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AgentView)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// The name shown to people.
    pub name: String,
    /// The adapter: `claude-code`, `codex`, `gemini`, `qwen`, `opencode`, `command`, `demo`.
    pub cli_name: String,
    /// Model given to the CLI; its own default when null.
    #[schema(required)]
    pub model: Option<String>,
    /// Added to the CLI's system prompt.
    pub instructions: String,
    /// Comma-separated tools the CLI may use without asking.
    pub allowed_tools: String,
    /// Maximum number of turns of a run.
    pub max_turns: u32,
    /// Keys that the adapter gives meaning to. Values of `env` are shown as `***`; a value sent
    /// back as `***` is kept.
    #[schema(value_type = Object)]
    pub provider_config: Map<String, Value>,
    /// `builder` and `reviewer` have meaning; other texts are labels.
    pub role: String,
    /// Time of creation.
    #[serde(with = "time")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    /// Time of the last change.
    #[serde(with = "time")]
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Time,
}

/// Shows the agent's identity without its configuration, which may contain secrets.
impl fmt::Debug for Agent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Agent")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("cli_name", &self.cli_name)
            .finish_non_exhaustive()
    }
}

/// How a CLI is run in its PTY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentMode {
    /// The CLI's own full-screen interface.
    Interactive,
    /// The CLI's print mode with streaming JSON.
    Headless,
}

impl Agent {
    /// The agent with the values of its environment masked.
    #[must_use]
    pub fn masked(mut self) -> Self {
        secrets::mask(&mut self.provider_config);
        self
    }

    /// The mode in `provider_config`; interactive by default.
    #[must_use]
    pub fn mode(&self) -> AgentMode {
        match self.provider_config.get("mode").and_then(Value::as_str) {
            Some("headless") => AgentMode::Headless,
            _ => AgentMode::Interactive,
        }
    }

    /// True when the server counts its turns, from prompt to end: for every interactive CLI. A
    /// headless CLI has one turn per process; turns of other programs are unknown.
    #[must_use]
    pub fn counts_turns(&self) -> bool {
        !self.works_at_once() && self.mode() == AgentMode::Interactive
    }

    /// True when no hooks can be expected: the CLI counts as working as soon as its process runs.
    #[must_use]
    pub fn works_at_once(&self) -> bool {
        self.cli_name == "command"
    }

    /// True when a person may answer its questions from outside the terminal.
    #[must_use]
    pub fn asks_remotely(&self) -> bool {
        self.provider_config
            .get("approvals")
            .and_then(Value::as_str)
            == Some("remote")
    }

    /// How long an approval stays open.
    #[must_use]
    pub fn approval_time(&self) -> Duration {
        let minutes = self.provider_config.get("approval_minutes");
        let minutes = minutes
            .and_then(Value::as_f64)
            .unwrap_or(APPROVAL_MINUTES_DEFAULT);
        // An agent that was stored before this key had a meaning may hold any number.
        let minutes = if (0.0..=APPROVAL_MINUTES_MAX).contains(&minutes) {
            minutes
        } else {
            APPROVAL_MINUTES_DEFAULT
        };
        Duration::from_secs_f64(minutes * 60.0)
    }

    /// Program to run instead of the adapter's default.
    #[must_use]
    pub fn bin(&self) -> Option<&str> {
        self.provider_config.get("bin").and_then(Value::as_str)
    }

    /// Extra arguments, in order.
    #[must_use]
    pub fn args(&self) -> Vec<String> {
        strings(self.provider_config.get("args"))
    }

    /// The argument vector of the adapter `command`.
    #[must_use]
    pub fn command(&self) -> Vec<String> {
        strings(self.provider_config.get("command"))
    }

    /// Environment added for the CLI. The server's own variables cannot be set from here.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        let env = self.provider_config.get("env").and_then(Value::as_object);
        let foreign = |(key, _): &(&String, _)| !key.starts_with("ABBADO_");
        env.into_iter()
            .flatten()
            .filter(foreign)
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect()
    }

    /// Returns the first rule that the agent's values break, as a sentence that starts with the
    /// field. `cli_names` are the adapters of this build.
    #[must_use]
    pub fn validate(&self, cli_names: &[&str]) -> Option<String> {
        let too_long = |text: &str, max: usize| text.chars().count() > max;
        if is_blank(&self.name) || too_long(&self.name, 200) {
            return Some("name must have 1 to 200 characters and must not be blank".into());
        }
        if !cli_names.contains(&self.cli_name.as_str()) {
            return Some(format!(
                "cli_name '{}' is not supported; use one of {}",
                self.cli_name,
                cli_names.join(", ")
            ));
        }
        let model = self.model.as_deref().unwrap_or_default();
        if too_long(model, MODEL_CHARS_MAX) {
            return Some("model must have at most 200 characters".into());
        }
        if model.starts_with('-') {
            return Some("model must not start with '-'".into());
        }
        if self.instructions.len() > INSTRUCTIONS_BYTES_MAX {
            return Some("instructions must be at most 256 KiB".into());
        }
        if self.max_turns == 0 || self.max_turns > MAX_TURNS_MAX {
            return Some("max_turns must be 1 to 10000".into());
        }
        if self.role.trim().is_empty() || too_long(&self.role, ROLE_CHARS_MAX) {
            return Some("role must have 1 to 64 characters".into());
        }
        for (field, text) in [
            ("model", model),
            ("instructions", &self.instructions),
            ("allowed_tools", &self.allowed_tools),
        ] {
            if text.contains('\0') {
                return Some(format!("{field} {NO_NUL}"));
            }
        }
        self.validate_provider_config()
    }

    fn validate_provider_config(&self) -> Option<String> {
        let config = &self.provider_config;
        for key in ["bin", "mode", "approvals"] {
            let given = config.get(key).filter(|value| !value.is_null());
            if let Some(why) = given.and_then(validate_string) {
                return Some(format!("provider_config.{key} {why}"));
            }
        }
        if let Some(mode) = config.get("mode").and_then(Value::as_str)
            && !matches!(mode, "interactive" | "headless")
        {
            return Some("provider_config.mode must be \"interactive\" or \"headless\"".into());
        }
        if let Some(approvals) = config.get("approvals").and_then(Value::as_str)
            && !matches!(approvals, "terminal" | "remote")
        {
            return Some("provider_config.approvals must be \"terminal\" or \"remote\"".into());
        }
        if let Some(minutes) = config.get("approval_minutes").filter(|it| !it.is_null()) {
            let within = |minutes: f64| minutes > 0.0 && minutes <= APPROVAL_MINUTES_MAX;
            if !minutes.as_f64().is_some_and(within) {
                return Some(
                    "provider_config.approval_minutes must be a number above 0, and 10080 (a week) \
                     at most"
                        .into(),
                );
            }
        }
        for key in ["args", "command"] {
            let Some(value) = config.get(key) else {
                continue;
            };
            let Some(items) = value.as_array() else {
                return Some(format!("provider_config.{key} must be a list of strings"));
            };
            for (at, item) in items.iter().enumerate() {
                if let Some(why) = validate_string(item) {
                    return Some(format!("provider_config.{key}[{at}] {why}"));
                }
            }
        }
        if let Some(env) = config.get("env") {
            let Some(env) = env.as_object() else {
                return Some("provider_config.env must be an object of strings".into());
            };
            for (key, value) in env {
                if key.is_empty() || key.contains(['=', '\0']) {
                    let why = "must not have a name that is empty or contains '=' or NUL";
                    return Some(format!("provider_config.env {why}"));
                }
                if let Some(why) = validate_string(value) {
                    return Some(format!("provider_config.env.{key} {why}"));
                }
            }
        }
        let needs_command = self.cli_name == "command";
        (needs_command && self.command().first().is_none_or(String::is_empty)).then(|| {
            "provider_config.command must be a non-empty array for the adapter 'command'".into()
        })
    }
}

const NO_NUL: &str = "must not contain NUL, which no program can be given";

fn validate_string(value: &Value) -> Option<&'static str> {
    match value.as_str() {
        None => Some("must be a string"),
        Some(text) => text.contains('\0').then_some(NO_NUL),
    }
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    let texts = items.filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use uuid::Uuid;

    fn agent(change: impl FnOnce(&mut Agent)) -> Option<String> {
        let at = Time::from_timestamp_millis(0).expect("the epoch is a time");
        let mut agent = Agent::unnamed(AgentId(Uuid::nil()), ProjectId(Uuid::nil()), at);
        agent.name = "a".into();
        change(&mut agent);
        agent.validate(&["claude-code", "command"])
    }

    fn with_config(config: Value) -> Option<String> {
        agent(|a| a.provider_config = config.as_object().expect("an object").clone())
    }

    #[test]
    fn defaults_are_valid_and_each_bound_names_its_field() {
        assert_eq!(agent(|_| ()), None);
        let faults = [
            (agent(|a| a.name = " ".into()), "name"),
            (agent(|a| a.cli_name = "vim".into()), "cli_name"),
            (agent(|a| a.model = Some("m".repeat(201))), "model"),
            (agent(|a| a.model = Some("--yolo".into())), "model"),
            (
                agent(|a| a.instructions = "x".repeat(256 * 1024 + 1)),
                "instructions",
            ),
            (agent(|a| a.max_turns = 0), "max_turns"),
            (agent(|a| a.max_turns = 10_001), "max_turns"),
            (agent(|a| a.role = String::new()), "role"),
            (
                agent(|a| a.cli_name = "command".into()),
                "provider_config.command",
            ),
            (with_config(json!({"mode": "x"})), "provider_config.mode"),
            (
                with_config(json!({"approvals": "x"})),
                "provider_config.approvals",
            ),
            (
                with_config(json!({"approval_minutes": -1})),
                "provider_config.approval_minutes",
            ),
            (
                with_config(json!({"approval_minutes": "1"})),
                "provider_config.approval_minutes",
            ),
            (
                with_config(json!({"approval_minutes": 20_000})),
                "provider_config.approval_minutes",
            ),
            (with_config(json!({"args": "x"})), "provider_config.args"),
            (
                with_config(json!({"env": {"B": "b", "A": 1}})),
                "provider_config.env.A must",
            ),
            (
                with_config(json!({"env": {"A=B": "b"}})),
                "provider_config.env must",
            ),
            (with_config(json!({"env": []})), "provider_config.env must"),
            (
                with_config(json!({"args": ["a", 1]})),
                "provider_config.args[1] must",
            ),
            (with_config(json!({"bin": 1})), "provider_config.bin"),
            (agent(|a| a.model = Some("a\0".into())), "model must not"),
            (
                agent(|a| a.instructions = "\0".into()),
                "instructions must not",
            ),
            (
                with_config(json!({"env": {"A": "\0"}})),
                "provider_config.env.A must not",
            ),
            (
                with_config(json!({"args": ["a", "\0"]})),
                "provider_config.args[1] must not",
            ),
        ];
        for (fault, field) in faults {
            assert!(
                fault.as_deref().is_some_and(|f| f.starts_with(field)),
                "{field}: {fault:?}"
            );
        }
    }

    #[test]
    fn an_approval_is_open_for_ten_minutes_or_as_long_as_the_agent_says() {
        let time = |config: Value| {
            let mut seen = Duration::ZERO;
            agent(|a| {
                a.provider_config = config.as_object().expect("an object").clone();
                seen = a.approval_time();
            });
            seen
        };
        for (config, seconds) in [
            (json!({}), 600.0),
            (json!({"approval_minutes": 0.05}), 3.0),
            (json!({"approval_minutes": -1}), 600.0),
            (json!({"approval_minutes": 1e300}), 600.0),
        ] {
            assert_eq!(
                time(config.clone()),
                Duration::from_secs_f64(seconds),
                "{config}"
            );
        }
    }

    #[test]
    fn the_servers_own_variables_cannot_be_set() {
        let config = json!({"env": {"ABBADO_TOKEN": "x", "A": "b"}});
        let Value::Object(map) = config else {
            panic!("an object")
        };
        let mut seen = Vec::new();
        agent(|a| {
            a.provider_config = map;
            seen = a.env();
        });
        assert_eq!(seen, [("A".to_owned(), "b".to_owned())]);
    }
}
