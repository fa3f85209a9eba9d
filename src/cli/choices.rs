//! Keys of `provider_config` that adapters support, and their values.

use serde_json::{Map, Value};

/// Keys that every adapter knows.
const COMMON: [&str; 4] = ["bin", "args", "env", "mode"];

/// Values of `state`, the default first: the user's folder, or a private one of the run.
pub(super) const STATES: [&str; 2] = ["shared", PRIVATE];
pub(super) const PRIVATE: &str = "private";

/// Refuses a key that is neither common to all adapters nor in `own`.
///
/// # Errors
/// A sentence with the key and the supported ones.
pub(super) fn known(config: &Map<String, Value>, cli: &str, own: &[&str]) -> Result<(), String> {
    let keys = || COMMON.iter().chain(own);
    match config
        .keys()
        .find(|key| !keys().any(|one| one == &key.as_str()))
    {
        Some(key) => Err(format!(
            "provider_config.{key} is not supported by the adapter '{cli}'; use {}",
            keys().copied().collect::<Vec<_>>().join(", ")
        )),
        None => Ok(()),
    }
}

/// One of `choices`; the first when the agent sets none.
///
/// # Errors
/// A sentence that names the choices.
pub(super) fn choice<'a>(
    config: &'a Map<String, Value>,
    key: &str,
    choices: &[&'static str],
) -> Result<&'a str, String> {
    let default = choices.first().copied().unwrap_or_default();
    let chosen = match config.get(key) {
        None | Some(Value::Null) => return Ok(default),
        Some(value) => value.as_str().unwrap_or_default(),
    };
    if choices.contains(&chosen) {
        return Ok(chosen);
    }
    let choices = choices.join("\", \"");
    Err(format!(
        "provider_config.{key} must be one of \"{choices}\""
    ))
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
