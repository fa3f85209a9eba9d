//! The interface to a forge's API. Each forge implements it in a file of its own.

use super::{
    config::ForgeConfig, error::ForgeError, head::Head, remote::Remote, session::Session,
    status::PrStatus,
};
use async_trait::async_trait;
use awc::http::Method;
use std::fmt;

/// A pull request, or GitLab's merge request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number; GitLab's `iid`.
    pub number: u64,
    /// Its page.
    pub url: String,
    /// It was open already.
    pub existed: bool,
}

/// A new pull request.
pub(super) struct NewPullRequest<'a> {
    pub head: Head<'a>,
    pub base: &'a str,
    pub title: &'a str,
    pub body: &'a str,
    pub draft: bool,
}

/// A list of a GraphQL answer.
#[derive(serde::Deserialize)]
pub(super) struct Nodes<T> {
    pub nodes: Vec<Option<T>>,
}

/// The API of one kind of forge. Its futures stay on the thread they were made on (actix).
#[async_trait(?Send)]
pub(super) trait Api: fmt::Debug + Send + Sync {
    /// Whether a host has this API.
    fn is_spoken_by(&self, host: &str, config: &ForgeConfig) -> bool;

    /// Base URL of the REST API of a remote's host, when none is configured.
    fn own_url(&self, remote: &Remote) -> String;

    /// Base URL of the REST API of every host of this kind, when one is configured.
    fn configured_url<'c>(&self, config: &'c ForgeConfig) -> Option<&'c str>;

    /// The last part of the REST base URL that the URL of GraphQL does not have.
    fn version(&self) -> &'static str;

    /// The budgets that GraphQL and all other requests are paid from.
    fn budgets(&self) -> [&'static str; 2];

    /// Variables whose token is for this host, and no other.
    fn token_variables(&self, host: &str, config: &ForgeConfig) -> &'static [&'static str];

    /// The command that prints the user's token for a host.
    fn token_command<'h>(&self, host: &'h str) -> Vec<&'h str>;

    /// Path of a repository below the base URL.
    fn repository(&self, remote: &Remote) -> String;

    /// Path of a branch below its repository's.
    fn branch(&self, branch: &str) -> String;

    /// Path of a pull request below its repository's.
    fn pull_request(&self, number: u64) -> String;

    /// The method that changes a pull request, and the field that holds its text.
    fn text(&self) -> (Method, &'static str);

    /// The open pull request of a branch.
    async fn find_open(
        &self,
        session: &Session<'_>,
        head: Head<'_>,
    ) -> Result<Option<PullRequest>, ForgeError>;

    /// Opens a pull request.
    async fn create(
        &self,
        session: &Session<'_>,
        new: &NewPullRequest<'_>,
    ) -> Result<PullRequest, ForgeError>;

    /// Pull requests of all `branches`, in one request; from new to old for each.
    async fn statuses(
        &self,
        session: &Session<'_>,
        fork: Option<&Remote>,
        branches: &[&String],
    ) -> Result<Vec<PrStatus>, ForgeError>;
}
