//! Finds the forge behind a remote, and what callers can do with it.

use super::{
    api::{Api, NewPullRequest, PullRequest},
    config::ForgeConfig,
    error::ForgeError,
    github::GitHub,
    gitlab::GitLab,
    head::Head,
    http::Http,
    related::with_cross_reference,
    remote::Remote,
    session::Session,
    shared::Shared,
    ssh,
    status::{BRANCHES_A_REQUEST_MAX, BRANCHES_MAX, Known, PrStatus, PrStatuses, choose},
    token::Token,
};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, sync::Arc};

/// Each is asked in turn whether a host is its own.
const KINDS: [&dyn Api; 2] = [&GitHub, &GitLab];

/// Letters of a branch name that are sent to a forge; git allows no longer ones either.
const BRANCH_BYTES_MAX: usize = 1024;

/// The forges behind all remotes. Clones share caches and budgets.
#[derive(Debug, Clone)]
pub struct Forges(Arc<Shared>);

impl Forges {
    /// Sends no request.
    #[must_use]
    pub fn new(config: ForgeConfig) -> Self {
        Self(Arc::new(Shared::new(config)))
    }

    /// The forge behind a remote: github.com, `*.ghe.com`, a host of `GH_HOST`, a host that
    /// starts with `gitlab.` or one of `GITLAB_HOST`. Asks nobody.
    ///
    /// # Errors
    /// [`ForgeError::UnknownForge`].
    pub fn for_remote(&self, remote: &Remote) -> Result<Forge, ForgeError> {
        let unknown = || ForgeError::UnknownForge {
            host: remote.host.clone(),
        };
        let config = &self.0.config;
        let speaks = |api: &&&dyn Api| api.is_spoken_by(&remote.host, config);
        let api = *KINDS.iter().find(speaks).ok_or_else(unknown)?;
        let url = api.configured_url(config).map(str::to_owned);
        let url = url.unwrap_or_else(|| api.own_url(remote));
        Ok(Forge {
            shared: self.0.clone(),
            api,
            host: remote.host.clone(),
            url: url.trim_end_matches('/').to_owned(),
        })
    }

    /// The first of some URLs of one remote that leads to a forge, hosts as they are written before
    /// those that they are aliases of. `ssh_command` is the user's own for git.
    ///
    /// # Errors
    /// [`ForgeError::UnknownForge`]; nothing when no URL is one of a repository on a host.
    pub async fn find(
        &self,
        urls: &[String],
        ssh_command: Option<&str>,
    ) -> Result<(Remote, Forge), Option<ForgeError>> {
        let mut unknown = None;
        for remote in urls.iter().filter_map(|url| Remote::parse(url)) {
            match self.for_remote(&remote) {
                Ok(forge) => return Ok((remote, forge)),
                Err(error) => unknown = unknown.or(Some(error)),
            }
        }
        let config = &self.0.config;
        for url in urls {
            let (Some(remote), Some(alias)) = (Remote::parse(url), Remote::ssh_host(url)) else {
                continue;
            };
            let (environment, limit) = (&config.environment, config.program_limit);
            let Some(host) = ssh::real_host(&alias, ssh_command, environment, limit).await else {
                continue;
            };
            let remote = Remote { host, ..remote };
            if let Ok(forge) = self.for_remote(&remote) {
                return Ok((remote, forge));
            }
        }
        Err(unknown)
    }
}

/// The forge of one host. Its futures stay on the thread they were made on (actix).
#[derive(Debug, Clone)]
pub struct Forge {
    shared: Arc<Shared>,
    api: &'static dyn Api,
    host: String,
    /// Base URL of the REST API, without `/` at its end.
    url: String,
}

impl Forge {
    /// Checks that there is a token, as every other function does first: to be called before a push.
    ///
    /// # Errors
    /// [`ForgeError::NoToken`].
    pub async fn check_token(&self) -> Result<(), ForgeError> {
        self.token().await.map(drop)
    }

    /// Whether a repository has a branch of that name.
    ///
    /// # Errors
    /// Every kind but [`ForgeError::UnknownForge`].
    pub async fn has_branch(&self, remote: &Remote, branch: &str) -> Result<bool, ForgeError> {
        let session = self.session(remote).await?;
        let path = session.repository.clone() + &self.api.branch(branch);
        match session.get::<IgnoredAny>(&path, &[]).await {
            Ok(_) => Ok(true),
            Err(ForgeError::Refused { status: 404, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Opens a pull request from the pushed branch `head` into `base`, or into the default
    /// branch. When one of that head is open already, it is returned as it is.
    ///
    /// # Errors
    /// Every kind but [`ForgeError::UnknownForge`].
    pub async fn open_pull_request<'h>(
        &self,
        remote: &Remote,
        head: impl Into<Head<'h>>,
        base: Option<&str>,
        title: &str,
        body: &str,
        draft: bool,
    ) -> Result<PullRequest, ForgeError> {
        let head = head.into();
        let session = self.session(remote).await?;
        if let Some(open) = self.api.find_open(&session, head).await? {
            return Ok(open);
        }
        let default;
        let base = match base {
            Some(base) => base,
            None => {
                default = default_branch(&session).await?;
                &default
            }
        };
        let new = NewPullRequest {
            head,
            base,
            title,
            body,
            draft,
        };
        let created = self.api.create(&session, &new).await;
        // Somebody may have opened one meanwhile: GitHub answers 422, GitLab 409.
        if let Err(ForgeError::Refused {
            status: 409 | 422, ..
        }) = &created
            && let Ok(Some(open)) = self.api.find_open(&session, head).await
        {
            return Ok(open);
        }
        created
    }

    /// Puts the block of [`super::cross_reference`] into the text that the pull request has now,
    /// in place of an older block. Writes only if that changes the text.
    ///
    /// # Errors
    /// Every kind but [`ForgeError::UnknownForge`].
    pub async fn add_cross_reference(
        &self,
        remote: &Remote,
        number: u64,
        block: &str,
    ) -> Result<(), ForgeError> {
        let session = self.session(remote).await?;
        let path = session.repository.clone() + &self.api.pull_request(number);
        let (method, field) = self.api.text();
        let pull: Map<String, Value> = session.get(&path, &[]).await?;
        let body = pull.get(field).and_then(Value::as_str).unwrap_or_default();
        // A text that was edited on the forge's page has the line ends of forms.
        let body = body.replace("\r\n", "\n");
        let wanted = with_cross_reference(&body, block);
        if wanted != body {
            let body = json!({field: wanted});
            session.send::<IgnoredAny>(method, &path, &body).await?;
        }
        Ok(())
    }

    /// Pull requests of `branches`, which `fork` has if it is given: the open one or else the newest
    /// of each. One request for each `BRANCHES_A_REQUEST_MAX` branches, kept for `FRESH_SECS`. When
    /// the forge must not be asked now, what was known before is given again, and says so.
    ///
    /// # Errors
    /// Every kind but [`ForgeError::UnknownForge`]; [`ForgeError::RateLimited`] only when nothing
    /// was known before.
    pub async fn pull_request_status(
        &self,
        remote: &Remote,
        fork: Option<&Remote>,
        branches: &[String],
    ) -> Result<PrStatuses, ForgeError> {
        let head = Head {
            branch: "",
            at: fork,
        };
        let fork = head.fork(remote);
        let named = branches
            .iter()
            .filter(|name| name.len() <= BRANCH_BYTES_MAX);
        let wanted: BTreeSet<String> = named.take(BRANCHES_MAX).cloned().collect();
        let slot = self.shared.statuses.slot(remote, fork);
        let mut known = slot.lock().await;
        let now = self.shared.now();
        let mut asked = wanted.clone();
        if let Some(known) = known.as_ref().filter(|known| known.is_fresh(now)) {
            if wanted.is_subset(&known.branches) {
                return Ok(known.answer(&wanted, None));
            }
            // Two readers with different branches do not take turns in forgetting each other's.
            let others = known.branches.iter().take(BRANCHES_MAX - wanted.len());
            asked.extend(others.cloned());
        }
        match self.ask_statuses(remote, fork, &asked).await {
            Ok(statuses) => {
                let fresh = Known {
                    as_of: now,
                    branches: asked,
                    statuses,
                };
                Ok(known.insert(fresh).answer(&wanted, None))
            }
            Err(error) => Known::instead(known.as_ref(), &wanted, error),
        }
    }

    async fn ask_statuses(
        &self,
        remote: &Remote,
        fork: Option<&Remote>,
        branches: &BTreeSet<String>,
    ) -> Result<Vec<PrStatus>, ForgeError> {
        if branches.is_empty() {
            return Ok(Vec::new());
        }
        let session = self.session(remote).await?;
        let branches: Vec<&String> = branches.iter().collect();
        let mut found = Vec::new();
        for part in branches.chunks(BRANCHES_A_REQUEST_MAX) {
            found.extend(self.api.statuses(&session, fork, part).await?);
        }
        Ok(choose(found))
    }

    async fn token(&self) -> Result<Token, ForgeError> {
        let variables = self.api.token_variables(&self.host, &self.shared.config);
        let command = self.api.token_command(&self.host);
        self.shared.token(&self.host, variables, &command).await
    }

    async fn session<'a>(&'a self, remote: &'a Remote) -> Result<Session<'a>, ForgeError> {
        let token = self.token().await?;
        let tls = match self.url.starts_with("http://") {
            true => None,
            false => Some(self.shared.tls(&self.host).await?),
        };
        let limit = self.shared.config.request_limit;
        Ok(Session {
            shared: &self.shared,
            remote,
            host: &self.host,
            api: &self.url,
            version: self.api.version(),
            budgets: self.api.budgets(),
            repository: self.api.repository(remote),
            http: Http::new(&self.host, token, limit, tls),
        })
    }
}

/// The branch that a new pull request goes into when none is named.
async fn default_branch(session: &Session<'_>) -> Result<String, ForgeError> {
    #[derive(Deserialize)]
    struct Repository {
        /// Null in an empty repository of GitLab.
        default_branch: Option<String>,
    }
    let repository: Repository = session.get(&session.repository, &[]).await?;
    let empty = || session.refused(404, "the project has no default branch".to_owned());
    repository.default_branch.ok_or_else(empty)
}

#[cfg(test)]
mod tests;
