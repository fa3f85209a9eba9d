//! Hook payloads, one a line, as the door takes them and a run hears them.

use super::run::Told;
use abbado::{
    cli::{self, CliError},
    domain::run::{
        Command,
        command::{Hook, Signal},
    },
    http::wire::json,
};
use serde_json::{Map, Value};

/// Most payloads of one input.
const LINES_MAX: usize = 32;

/// Payloads of Claude Code.
pub fn hook_claude(data: &[u8]) {
    heard("claude-code", data);
}

/// Payloads of Codex.
pub fn hook_codex(data: &[u8]) {
    heard("codex", data);
}

/// Payloads of every other CLI.
pub fn hook_others(data: &[u8]) {
    for name in ["gemini", "qwen", "opencode", "command", "demo"] {
        heard(name, data);
    }
}

fn heard(cli_name: &str, data: &[u8]) {
    let mut told = Told::new();
    for line in data.split(|byte| *byte == b'\n').take(LINES_MAX) {
        let Ok(object) = json::parse::<Map<String, Value>>(line) else {
            continue;
        };
        let Some(hook) = translated(cli_name, Value::Object(object)) else {
            continue;
        };
        let ends = matches!(
            hook.signal,
            Signal::TurnEnded {
                background: false,
                ..
            } | Signal::TurnFailed { .. }
        );
        let again = Command::Hook {
            hook: hook.clone(),
            observed: Vec::new(),
        };
        told.tell(again.clone());
        let before = told.run.status;
        if ends {
            told.tell(again);
            assert_eq!(told.run.status, before, "an end told twice is one end");
        }
    }
    told.read_again();
}

/// The hook; nothing for a payload without a name, and for no other.
fn translated(cli_name: &str, payload: Value) -> Option<Hook> {
    let keys = ["hook_event_name", "event_name", "hookEventName"];
    let named = keys.iter().find_map(|key| payload.get(*key));
    let named = named
        .and_then(Value::as_str)
        .is_some_and(|name| !name.is_empty());
    let adapter = cli::adapter(cli_name).expect("an adapter of this build");
    match adapter.hook(payload.clone()) {
        Ok(hook) => {
            assert!(named, "{hook:?} has a name that was not told");
            assert_eq!(hook.payload, payload, "a payload rides along whole");
            Some(hook)
        }
        Err(CliError::NoEventName) => {
            assert!(!named, "{payload} has a name");
            None
        }
        Err(other) => panic!("{other}"),
    }
}
