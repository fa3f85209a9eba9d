//! Keys of `provider_config`: which an adapter knows, and what may stand in them.

use serde_json::{Map, Value};

/// Keys that every adapter knows.
const COMMON: [&str; 4] = ["bin", "args", "env", "mode"];

/// Values of `state`, the default first: the user's own folder, or one of the run's own.
pub(super) const STATES: [&str; 2] = ["shared", PRIVATE];
pub(super) const PRIVATE: &str = "private";

/// Refuses a key that is neither one of all adapters' nor one of `own`.
///
/// # Errors
/// The sentence that says so.
pub(super) fn known(config: &Map<String, Value>, cli: &str, own: &[&str]) -> Result<(), String> {
    let keys = || COMMON.iter().chain(own);
    match config
        .keys()
        .find(|key| !keys().any(|one| one == &key.as_str()))
    {
        Some(key) => Err(format!(
            "provider_config.{key} is no key of the adapter '{cli}', which knows {}",
            keys().copied().collect::<Vec<_>>().join(", ")
        )),
        None => Ok(()),
    }
}

/// One of `choices`; the first when the agent says nothing.
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

/// The items of `allowed_tools` without blanks around them. Commas inside a rule's parentheses
/// stay.
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
