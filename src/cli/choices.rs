//! Keys of `provider_config` that adapters support, and their values; the items of `allowed_tools`.

use super::{CliError, LaunchContext, hook_files};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// Keys that every adapter knows.
const COMMON: [&str; 6] = [
    "bin",
    "args",
    "env",
    "mode",
    "approvals",
    "approval_minutes",
];

/// A key of `provider_config` whose value is one of several words.
pub struct Choice {
    pub(super) key: &'static str,
    /// The default first.
    pub(super) words: &'static [&'static str],
}

/// Where the CLI keeps its state: in the user's folder, or in a private one of the run.
pub(super) const STATE: Choice = Choice {
    key: "state",
    words: &["shared", PRIVATE],
};
const PRIVATE: &str = "private";

/// Refuses a key that is neither common to all adapters nor one of `choices`, and an unknown word.
///
/// # Errors
/// A sentence with the key and what is supported.
pub(super) fn check(
    config: &Map<String, Value>,
    cli: &str,
    choices: &[Choice],
) -> Result<(), String> {
    let own = choices.iter().map(|choice| choice.key);
    let keys: Vec<&str> = COMMON.into_iter().chain(own).collect();
    if let Some(key) = config.keys().find(|key| !keys.contains(&key.as_str())) {
        return Err(format!(
            "provider_config.{key} is not supported by the adapter '{cli}'; use {}",
            keys.join(", ")
        ));
    }
    choices
        .iter()
        .try_for_each(|choice| choice.of(config).map(drop))
}

impl Choice {
    /// The agent's word, else the default.
    fn of<'a>(&self, config: &'a Map<String, Value>) -> Result<&'a str, String> {
        let Self { key, words } = self;
        let chosen = match config.get(*key) {
            None | Some(Value::Null) => return Ok(words[0]),
            Some(value) => value.as_str().unwrap_or_default(),
        };
        if words.contains(&chosen) {
            return Ok(chosen);
        }
        let words = words.join("\", \"");
        Err(format!("provider_config.{key} must be one of \"{words}\""))
    }
}

impl LaunchContext<'_> {
    /// The agent's word, else the default.
    ///
    /// # Errors
    /// When the agent has another word.
    pub(super) fn choice(&self, choice: &Choice) -> Result<&str, CliError> {
        let config = &self.agent.provider_config;
        choice.of(config).map_err(CliError::Config)
    }

    /// The private folder of the CLI's state, created; none for an agent that shares the user's.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(super) fn private_state(&self, name: &'static str) -> Result<Option<PathBuf>, CliError> {
        let private = self.choice(&STATE)? == PRIVATE;
        let folder = private.then(|| hook_files::folder(self.run_dir, name));
        folder.transpose()
    }
}

/// The items of `allowed_tools`, trimmed. Commas inside a rule's parentheses do not split.
pub(super) fn tools(list: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let items = list.split(|c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    items
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .collect()
}

/// A tool of `allowed_tools` and what it is limited to: `Bash(git *)` is `Bash` and `git *`.
pub(super) fn limited(tool: &str) -> (&str, Option<&str>) {
    match tool.strip_suffix(')').and_then(|it| it.split_once('(')) {
        Some((name, limit)) => (name.trim(), Some(limit.trim())),
        None => (tool, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_cut_at_their_commas_and_limits() {
        let list = tools(" Read , Bash(git log:*, git diff) ,,");
        assert_eq!(list, ["Read", "Bash(git log:*, git diff)"]);
        assert_eq!(limited(list[0]), ("Read", None));
        assert_eq!(limited(list[1]), ("Bash", Some("git log:*, git diff")));
    }
}
