//! Which forge is behind a remote, and what a forge can do.

use super::{
    budget::Budgets,
    config::{ForgeConfig, Kind},
    error::ForgeError,
    github, gitlab,
    head::Head,
    http::Http,
    related::with_cross_reference,
    remote::Remote,
    session::{Kept, Session},
    ssh,
    status::{BRANCHES_A_REQUEST_MAX, BRANCHES_MAX, Known, PrStatus, PrStatuses, Statuses, choose},
    token::{Search, Token},
};
use crate::{domain::Time, tls};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

/// How long a token that `gh` or `glab` gave is used without asking again, seconds.
const TOKEN_SECS: i64 = 300;
/// Letters of a branch name that are sent to a forge; git allows no longer ones either.
const BRANCH_BYTES_MAX: usize = 1024;

/// What all calls share.
#[derive(Debug)]
pub(super) struct Shared {
    config: ForgeConfig,
    pub budgets: Budgets,
    pub kept: Kept,
    statuses: Statuses,
    /// By host, with the time each was found.
    tokens: Mutex<HashMap<String, (Time, Token)>>,
    tls: tokio::sync::OnceCell<Arc<rustls::ClientConfig>>,
}

impl Shared {
    pub(super) fn now(&self) -> Time {
        (self.config.clock)()
    }

    pub(super) fn forget_token(&self, host: &str) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.remove(host);
    }

    fn kept_token(&self, host: &str) -> Option<Token> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let (found_at, token) = tokens.get(host)?;
        let age = (self.now() - found_at).num_seconds();
        (0..TOKEN_SECS).contains(&age).then(|| token.clone())
    }

    async fn token(&self, kind: Kind, host: &str) -> Result<Token, ForgeError> {
        if let Some(token) = self.kept_token(host) {
            return Ok(token);
        }
        let search = Search {
            kind,
            host,
            variables: self.config.variables(kind, host),
            environment: &self.config.environment,
            limit: self.config.program_limit,
        };
        let token = search.run().await?;
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.insert(host.to_owned(), (self.now(), token.clone()));
        Ok(token)
    }

    async fn tls(&self, host: &str) -> Result<Arc<rustls::ClientConfig>, ForgeError> {
        let unreachable = |reason| ForgeError::Unreachable {
            host: host.to_owned(),
            reason,
        };
        let made = self.tls.get_or_try_init(|| async {
            let made = tokio::task::spawn_blocking(tls::client).await;
            made.unwrap_or_else(|_| Err("reading root certificates failed".to_owned()))
        });
        made.await.cloned().map_err(unreachable)
    }
}

/// The forges behind all remotes. Clones share caches and budgets.
#[derive(Debug, Clone)]
pub struct Forges(Arc<Shared>);

impl Forges {
    /// Asks nobody yet.
    #[must_use]
    pub fn new(config: ForgeConfig) -> Self {
        Self(Arc::new(Shared {
            config,
            budgets: Budgets::default(),
            kept: Kept::default(),
            statuses: Statuses::default(),
            tokens: Mutex::default(),
            tls: tokio::sync::OnceCell::new(),
        }))
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
        let kind = self.0.config.kind(&remote.host).ok_or_else(unknown)?;
        Ok(Forge {
            shared: self.0.clone(),
            kind,
            host: remote.host.clone(),
            api: self.0.config.api(kind, remote),
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

/// A pull request, or GitLab's merge request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number; GitLab's `iid`.
    pub number: u64,
    /// Its page.
    pub url: String,
    /// It was open before.
    pub existed: bool,
}

/// What a new pull request is made of.
pub(super) struct NewPullRequest<'a> {
    pub head: Head<'a>,
    pub base: &'a str,
    pub title: &'a str,
    pub body: &'a str,
    pub draft: bool,
}

/// The forge of one host. Its futures stay on the thread they were made on (actix).
#[derive(Debug, Clone)]
pub struct Forge {
    shared: Arc<Shared>,
    kind: Kind,
    host: String,
    api: String,
}

impl Forge {
    /// Looks for a token, as every other function does first: to be called before a push.
    ///
    /// # Errors
    /// [`ForgeError::NoToken`].
    pub async fn check_token(&self) -> Result<(), ForgeError> {
        self.shared.token(self.kind, &self.host).await.map(drop)
    }

    /// Whether a repository has a branch of that name.
    ///
    /// # Errors
    /// Every kind but [`ForgeError::UnknownForge`].
    pub async fn has_branch(&self, remote: &Remote, branch: &str) -> Result<bool, ForgeError> {
        let session = self.session().await?;
        let found = match self.kind {
            Kind::GitHub => github::branch(&session, remote, branch).await,
            Kind::GitLab => gitlab::branch(&session, remote, branch).await,
        };
        match found {
            Ok(()) => Ok(true),
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
        let session = self.session().await?;
        if let Some(open) = self.find_open(&session, remote, head).await? {
            return Ok(open);
        }
        let default;
        let base = match (base, self.kind) {
            (Some(base), _) => base,
            (None, Kind::GitHub) => {
                default = github::default_branch(&session, remote).await?;
                &default
            }
            (None, Kind::GitLab) => {
                default = gitlab::default_branch(&session, remote).await?;
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
        let created = match self.kind {
            Kind::GitHub => github::create(&session, remote, &new).await,
            Kind::GitLab => gitlab::create(&session, remote, &new).await,
        };
        // Somebody may have opened one meanwhile: GitHub answers 422, GitLab 409.
        if let Err(ForgeError::Refused {
            status: 409 | 422, ..
        }) = &created
            && let Ok(Some(open)) = self.find_open(&session, remote, head).await
        {
            return Ok(open);
        }
        created
    }

    /// Replaces the text of a pull request.
    ///
    /// # Errors
    /// Every kind but [`ForgeError::UnknownForge`].
    pub async fn update_body(
        &self,
        remote: &Remote,
        number: u64,
        body: &str,
    ) -> Result<(), ForgeError> {
        let session = self.session().await?;
        match self.kind {
            Kind::GitHub => github::set_body(&session, remote, number, body).await,
            Kind::GitLab => gitlab::set_body(&session, remote, number, body).await,
        }
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
        let session = self.session().await?;
        let body = match self.kind {
            Kind::GitHub => github::body(&session, remote, number).await?,
            Kind::GitLab => gitlab::body(&session, remote, number).await?,
        };
        // A text that was edited on the forge's page has the line ends of forms.
        let body = body.replace("\r\n", "\n");
        let wanted = with_cross_reference(&body, block);
        if wanted == body {
            return Ok(());
        }
        match self.kind {
            Kind::GitHub => github::set_body(&session, remote, number, &wanted).await,
            Kind::GitLab => gitlab::set_body(&session, remote, number, &wanted).await,
        }
    }

    /// Pull requests of `branches`, the open one or else the newest of each: one request for
    /// each [`BRANCHES_A_REQUEST_MAX`] branches, kept for [`super::FRESH_SECS`]. When the forge
    /// must not be asked now, what was known before is given again, and says so.
    ///
    /// # Errors
    /// Every kind but [`ForgeError::UnknownForge`]; [`ForgeError::RateLimited`] only when nothing
    /// was known before.
    pub async fn pull_request_status(
        &self,
        remote: &Remote,
        branches: &[String],
    ) -> Result<PrStatuses, ForgeError> {
        self.pull_request_status_of(remote, None, branches).await
    }

    /// The same for branches that `fork` has.
    ///
    /// # Errors
    /// As [`Self::pull_request_status`].
    pub async fn pull_request_status_of(
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
        let session = self.session().await?;
        let branches: Vec<&String> = branches.iter().collect();
        let mut found = Vec::new();
        for part in branches.chunks(BRANCHES_A_REQUEST_MAX) {
            found.extend(match self.kind {
                Kind::GitHub => github::statuses(&session, remote, fork, part).await?,
                Kind::GitLab => gitlab::statuses(&session, remote, fork, part).await?,
            });
        }
        Ok(choose(found))
    }

    async fn find_open(
        &self,
        session: &Session<'_>,
        remote: &Remote,
        head: Head<'_>,
    ) -> Result<Option<PullRequest>, ForgeError> {
        match self.kind {
            Kind::GitHub => github::find_open(session, remote, head).await,
            Kind::GitLab => gitlab::find_open(session, remote, head).await,
        }
    }

    async fn session(&self) -> Result<Session<'_>, ForgeError> {
        let token = self.shared.token(self.kind, &self.host).await?;
        let tls = if self.api.starts_with("http://") {
            None
        } else {
            Some(self.shared.tls(&self.host).await?)
        };
        let limit = self.shared.config.request_limit;
        Ok(Session {
            shared: &self.shared,
            kind: self.kind,
            host: &self.host,
            api: &self.api,
            http: Http::new(&self.host, token.clone(), limit, tls),
            token,
        })
    }
}

#[cfg(test)]
mod tests;
