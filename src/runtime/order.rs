//! What people may want done with a run's work, and why it may come to nothing.

use crate::{
    domain::run::{event::PullRequestAt, work::WorkKind},
    git::{ErrorKind, GitError},
};

/// What somebody wants done.
#[derive(Debug, Clone)]
pub enum Order {
    /// Commit everything in the worktrees.
    Commit {
        /// The message; not blank.
        message: String,
    },
    /// Push the run branch.
    Push,
    /// Push it, and record that the work was accepted.
    Accept,
    /// Record pull requests that were opened, after the push; the answer is given along.
    PullRequests {
        /// The title.
        title: String,
        /// One a repo.
        repos: Vec<PullRequestAt>,
        /// What the caller is told.
        answer: String,
    },
    /// Give the run branch another name.
    Rename {
        /// The name.
        name: String,
    },
    /// Take branch and files back to the base commits.
    Revert,
    /// Bring back the contents of a checkpoint.
    Restore {
        /// Its number.
        number: u32,
    },
}

impl Order {
    pub(super) const fn kind(&self) -> WorkKind {
        match self {
            Self::Commit { .. } => WorkKind::Commit,
            Self::Push | Self::Accept | Self::PullRequests { .. } => WorkKind::Ship,
            Self::Rename { .. } => WorkKind::Rename,
            Self::Revert | Self::Restore { .. } => WorkKind::Replace,
        }
    }

    /// Whether nothing else may touch the worktrees meanwhile.
    pub(super) const fn alone(&self) -> bool {
        matches!(self.kind(), WorkKind::Rename | WorkKind::Replace)
    }
}

/// Why an order came to nothing, as the caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkFault {
    /// What was asked for makes no sense.
    Invalid(String),
    /// It is not there.
    Missing(String),
    /// The present state of a repository forbids it.
    Conflict(String),
    /// Somebody else's server refused or failed.
    Remote(String),
    /// Ours.
    Fault(String),
}

impl WorkFault {
    pub(super) fn of(name: &str, error: &GitError) -> Self {
        let why = format!("Repo '{name}': {error}.");
        match error.kind() {
            ErrorKind::Invalid => Self::Invalid(why),
            ErrorKind::Unknown
            | ErrorKind::Unusable
            | ErrorKind::Conflict
            | ErrorKind::TimedOut => Self::Conflict(why),
            ErrorKind::Fault => Self::Fault(why),
        }
    }
}
