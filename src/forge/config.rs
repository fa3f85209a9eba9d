//! Settings of the forges.

use super::{command, remote::host_name};
use crate::domain::Time;
use std::{fmt, sync::Arc, time::Duration};

/// Longest time from asking to the last byte of the answer.
pub(super) const REQUEST_LIMIT: Duration = Duration::from_secs(20);
/// Longest time for a program that gives a token.
pub(super) const PROGRAM_LIMIT: Duration = Duration::from_secs(5);

/// Settings of the forges.
#[derive(Clone)]
pub struct ForgeConfig {
    /// Base URL of the API of every GitHub host, instead of the host's own.
    pub github_api: Option<String>,
    /// Base URL of the API of every GitLab host, instead of the host's own.
    pub gitlab_api: Option<String>,
    /// The server's environment: tokens, `GH_HOST`, `GITLAB_HOST`, `PATH`.
    pub environment: Vec<(String, String)>,
    /// Longest time of one request.
    pub request_limit: Duration,
    /// Longest time of a program that gives a token.
    pub program_limit: Duration,
    /// The wall clock.
    pub clock: Arc<dyn Fn() -> Time + Send + Sync>,
}

impl ForgeConfig {
    /// The usual limits.
    pub fn new(
        environment: Vec<(String, String)>,
        clock: impl Fn() -> Time + Send + Sync + 'static,
    ) -> Self {
        Self {
            github_api: None,
            gitlab_api: None,
            environment,
            request_limit: REQUEST_LIMIT,
            program_limit: PROGRAM_LIMIT,
            clock: Arc::new(clock),
        }
    }

    /// Hosts in a variable, comma-separated, as names or URLs.
    pub(super) fn hosts(&self, variable: &str) -> Vec<String> {
        let list = command::variable(&self.environment, variable).unwrap_or_default();
        let list = list.split(',');
        list.filter_map(|entry| {
            let entry = entry.trim();
            let entry = entry.split_once("://").map_or(entry, |(_, rest)| rest);
            let entry = entry.split(['/', ':']).next()?;
            host_name(entry)
        })
        .collect()
    }
}

impl fmt::Debug for ForgeConfig {
    /// Without the environment, which holds secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ForgeConfig")
            .field("github_api", &self.github_api)
            .field("gitlab_api", &self.gitlab_api)
            .finish_non_exhaustive()
    }
}
