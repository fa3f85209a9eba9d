//! What a forge's API can do. Each forge is one implementation in a file of its own.

use super::{
    config::ForgeConfig, error::ForgeError, head::Head, remote::Remote, session::Session,
    status::PrStatus,
};
use async_trait::async_trait;
use std::fmt;

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

/// The API of one kind of forge. Its futures stay on the thread they were made on (actix).
#[async_trait(?Send)]
pub(super) trait Api: fmt::Debug + Send + Sync {
    /// Whether a host speaks it.
    fn is_spoken_by(&self, host: &str, config: &ForgeConfig) -> bool;

    /// Base URL of the REST API of a remote's host, when none is configured.
    fn own_url(&self, remote: &Remote) -> String;

    /// Base URL of the REST API of every host of this kind, when one is configured.
    fn configured_url<'c>(&self, config: &'c ForgeConfig) -> Option<&'c str>;

    /// The last part of the base URL that GraphQL, which lies beside REST, does not have.
    fn version(&self) -> &'static str;

    /// The budget that a kind of request is paid from.
    fn budget<'r>(&self, resource: &'r str) -> &'r str;

    /// Variables whose token is for this host, and no other.
    fn token_variables(&self, host: &str, config: &ForgeConfig) -> &'static [&'static str];

    /// The command that prints the user's token for a host.
    fn token_command<'h>(&self, host: &'h str) -> Vec<&'h str>;

    /// Says nothing when the repository has the branch, else [`ForgeError::Refused`] with 404.
    async fn branch(&self, session: &Session<'_>, branch: &str) -> Result<(), ForgeError>;

    /// The branch that a new pull request goes into when none is named.
    async fn default_branch(&self, session: &Session<'_>) -> Result<String, ForgeError>;

    /// The open pull request of a branch.
    async fn find_open(
        &self,
        session: &Session<'_>,
        head: Head<'_>,
    ) -> Result<Option<PullRequest>, ForgeError>;

    /// Opens one.
    async fn create(
        &self,
        session: &Session<'_>,
        new: &NewPullRequest<'_>,
    ) -> Result<PullRequest, ForgeError>;

    /// The text of a pull request.
    async fn body(&self, session: &Session<'_>, number: u64) -> Result<String, ForgeError>;

    /// Replaces it.
    async fn set_body(
        &self,
        session: &Session<'_>,
        number: u64,
        body: &str,
    ) -> Result<(), ForgeError>;

    /// Pull requests of all `branches`, in one request; from new to old for each.
    async fn statuses(
        &self,
        session: &Session<'_>,
        fork: Option<&Remote>,
        branches: &[&String],
    ) -> Result<Vec<PrStatus>, ForgeError>;
}
