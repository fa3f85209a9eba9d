//! Where tokens come from.
//!
//! A hostile repository may name any host in its remote. So a token of the environment is given
//! only to the host that it is for, by the rules of `gh` (a token of github.com never goes to an
//! Enterprise host) and of `GITLAB_HOST`; every other host gets only what `gh` or `glab` keeps
//! for just that host. Both programs would answer with their own variables for any host, so
//! they do not see them.

use super::{
    command::{self, variable},
    config::ForgeConfig,
    error::ForgeError,
};
use std::fmt;

/// Longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 4096;
/// Variables that `gh` and `glab` would answer with, whatever the host.
const HIDDEN: &[&str] = &[
    "GITHUB_TOKEN",
    "GH_TOKEN",
    "GITHUB_ENTERPRISE_TOKEN",
    "GH_ENTERPRISE_TOKEN",
    "GITLAB_TOKEN",
    "GITLAB_ACCESS_TOKEN",
    "OAUTH_TOKEN",
    "CI_JOB_TOKEN",
];

/// A secret that appears nowhere but in a request.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(***)")
    }
}

impl Token {
    /// Accepts what looks like a token: one word of visible ASCII, as a header needs it.
    fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let fine = text.len() <= TOKEN_BYTES_MAX && text.bytes().all(|b| b.is_ascii_graphic());
        (fine && !text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The secret itself.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

/// Looks into the variables that hold a token for just this host, then asks `gh` or `glab`.
///
/// # Errors
/// [`ForgeError::NoToken`], which says where it was looked for.
pub(super) async fn find(
    host: &str,
    variables: &[&str],
    command: &[&str],
    config: &ForgeConfig,
) -> Result<Token, ForgeError> {
    let mut looked_for = Vec::new();
    for name in variables {
        match variable(&config.environment, name).filter(|value| !value.is_empty()) {
            None => looked_for.push((*name).to_owned()),
            Some(value) => match Token::new(value) {
                Some(token) => return Ok(token),
                None => looked_for.push(format!("{name} (is set, but holds no token)")),
            },
        }
    }
    if variables.is_empty() {
        looked_for.push(format!(
            "GITLAB_TOKEN (goes to '{host}' only when GITLAB_HOST names it)"
        ));
    }
    ask(command, config).await.map_err(|why| {
        looked_for.push(format!("'{}' ({why})", command.join(" ")));
        let host = host.to_owned();
        ForgeError::NoToken { host, looked_for }
    })
}

async fn ask(command: &[&str], config: &ForgeConfig) -> Result<Token, String> {
    let theirs = config.environment.iter();
    let theirs = theirs.filter(|(key, _)| !HIDDEN.contains(&key.as_str()));
    let mut environment: Vec<(String, String)> = theirs.cloned().collect();
    for name in ["GH_PROMPT_DISABLED", "NO_PROMPT", "NO_COLOR"] {
        environment.push((name.to_owned(), "1".to_owned()));
    }
    let bytes_max = TOKEN_BYTES_MAX as u64 * 2;
    let said = command::output_of(command, &environment, config.program_limit, bytes_max).await?;
    Token::new(&String::from_utf8_lossy(&said)).ok_or("printed none".to_owned())
}
