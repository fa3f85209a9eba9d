//! What the forges need to know from outside, and which host speaks which API.

use super::{
    http::REQUEST_LIMIT,
    remote::{Remote, host_name},
    token::PROGRAM_LIMIT,
};
use crate::domain::Time;
use std::{fmt, sync::Arc, time::Duration};

/// Which API a host speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    GitHub,
    GitLab,
}

/// What the forges need to know from outside.
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
        let found = self.environment.iter().find(|(key, _)| key == variable);
        let list = found.map_or("", |(_, list)| list).split(',');
        list.filter_map(|entry| {
            let entry = entry.trim();
            let entry = entry.split_once("://").map_or(entry, |(_, rest)| rest);
            let entry = entry.split(['/', ':']).next()?;
            host_name(entry)
        })
        .collect()
    }

    pub(super) fn kind(&self, host: &str) -> Option<Kind> {
        let names = |variable: &str| self.hosts(variable).iter().any(|name| name == host);
        if host == "github.com" || host.ends_with(".ghe.com") || names("GH_HOST") {
            Some(Kind::GitHub)
        } else if host.starts_with("gitlab.") || names("GITLAB_HOST") {
            Some(Kind::GitLab)
        } else {
            None
        }
    }

    pub(super) fn api(&self, kind: Kind, remote: &Remote) -> String {
        let authority = remote.web_authority();
        let (given, own) = match (kind, remote.host.as_str()) {
            (Kind::GitHub, "github.com") => (&self.github_api, "https://api.github.com".to_owned()),
            (Kind::GitHub, host) if host.ends_with(".ghe.com") => {
                (&self.github_api, format!("https://api.{host}"))
            }
            (Kind::GitHub, _) => (&self.github_api, format!("https://{authority}/api/v3")),
            (Kind::GitLab, _) => (&self.gitlab_api, format!("https://{authority}/api/v4")),
        };
        let api = given.clone().unwrap_or(own);
        api.trim_end_matches('/').to_owned()
    }

    /// Variables whose token is for this host, and no other.
    pub(super) fn variables(&self, kind: Kind, host: &str) -> &'static [&'static str] {
        let gitlab_hosts = self.hosts("GITLAB_HOST");
        let mine = if gitlab_hosts.is_empty() {
            host == "gitlab.com"
        } else {
            gitlab_hosts.iter().any(|name| name == host)
        };
        match kind {
            Kind::GitHub if host == "github.com" || host.ends_with(".ghe.com") => {
                &["GITHUB_TOKEN", "GH_TOKEN"]
            }
            Kind::GitHub => &["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"],
            // Who set the URL chose where the token goes.
            Kind::GitLab if mine || self.gitlab_api.is_some() => &["GITLAB_TOKEN"],
            Kind::GitLab => &[],
        }
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
