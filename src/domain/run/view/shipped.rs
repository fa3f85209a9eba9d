//! What became of a run's work, repo by repo.

use crate::domain::run::event::{CommittedAt, PullRequestAt, PushedAt};
use serde::Serialize;
use utoipa::ToSchema;

/// A commit, or why there is none.
#[derive(Serialize, ToSchema)]
pub struct CommittedView<'a> {
    repo_name: &'a str,
    /// The branch that has the commit: the run's, or one made during the run.
    branch: &'a str,
    #[schema(required)]
    commit: Option<&'a str>,
    /// What that branch points at now.
    #[schema(required)]
    head: Option<&'a str>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl<'a> From<&'a CommittedAt> for CommittedView<'a> {
    fn from(at: &'a CommittedAt) -> Self {
        Self {
            repo_name: &at.repo_name,
            branch: &at.branch,
            commit: at.commit.as_deref(),
            head: at.commit.as_deref(),
            error: at.error.as_deref(),
        }
    }
}

/// A branch that was pushed, or why it was not.
#[derive(Serialize, ToSchema)]
pub struct PushedView<'a> {
    repo_name: &'a str,
    /// The run's branch, or one made during the run that its worktree is on.
    branch: &'a str,
    /// What that branch points at here.
    #[schema(required)]
    head: Option<&'a str>,
    #[schema(required)]
    remote_url: Option<&'a str>,
    /// The remote's name, or its URL when it has none.
    #[schema(required)]
    remote: Option<&'a str>,
    /// The branch on the remote.
    #[schema(required)]
    remote_branch: Option<&'a str>,
    pushed: bool,
    #[schema(required)]
    error: Option<&'a str>,
}

impl<'a> From<&'a PushedAt> for PushedView<'a> {
    fn from(at: &'a PushedAt) -> Self {
        Self {
            repo_name: &at.repo_name,
            branch: &at.branch,
            head: at.head.as_deref(),
            remote_url: at.remote_url.as_deref(),
            remote: at.remote.as_deref(),
            remote_branch: at.remote_branch.as_deref(),
            pushed: at.pushed,
            error: at.error.as_deref(),
        }
    }
}

/// A pull request, or why there is none.
#[derive(Serialize, ToSchema)]
pub struct PullRequestView<'a> {
    repo_name: &'a str,
    #[schema(required)]
    number: Option<u64>,
    #[schema(required)]
    url: Option<&'a str>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl<'a> From<&'a PullRequestAt> for PullRequestView<'a> {
    fn from(at: &'a PullRequestAt) -> Self {
        Self {
            repo_name: &at.repo_name,
            number: at.number,
            url: at.url.as_deref(),
            error: at.error.as_deref(),
        }
    }
}
