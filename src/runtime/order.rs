//! What people may want done with a run's work, and why it may come to nothing.

use crate::{
    domain::run::{
        event::{LeftOut, PullRequestAt},
        work::{Work, WorkKind},
    },
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
    /// Record what was done to the run from elsewhere; the answer is given along.
    Record {
        /// What.
        work: Box<Work>,
        /// What the caller is told.
        answer: String,
    },
    /// Give the run branch another name.
    Rename {
        /// The name.
        name: String,
    },
    /// Take branch and files back to the base commits.
    Revert {
        /// Also when the checkpoint before it cannot hold all.
        force: bool,
    },
    /// Bring back the contents of a checkpoint.
    Restore {
        /// Its number.
        number: u32,
        /// Also when the checkpoint before it cannot hold all.
        force: bool,
    },
}

impl Order {
    pub(super) const fn kind(&self) -> WorkKind {
        match self {
            Self::Commit { .. } => WorkKind::Commit,
            Self::Push | Self::Accept | Self::PullRequests { .. } | Self::Record { .. } => {
                WorkKind::Ship
            }
            Self::Rename { .. } => WorkKind::Rename,
            Self::Revert { .. } | Self::Restore { .. } => WorkKind::Replace,
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

/// Paths named in a refusal.
const PATHS_SHOWN: usize = 10;

/// Refuses what would drop files that no checkpoint holds; `left_out` has repos and paths.
#[must_use]
pub fn not_whole(left_out: &[(&str, &LeftOut)]) -> Option<WorkFault> {
    if left_out.is_empty() {
        return None;
    }
    let shown = left_out.iter().take(PATHS_SHOWN);
    let mut shown: Vec<_> = shown
        .map(|(repo, left)| format!("{repo}: '{}' ({})", left.path, left.why))
        .collect();
    if left_out.len() > PATHS_SHOWN {
        shown.push(format!("{} more", left_out.len() - PATHS_SHOWN));
    }
    Some(WorkFault::Conflict(format!(
        "Nothing was changed, since some of the work cannot be kept: {}. Move it away or make it \
         readable, or repeat with ?force=true to go on without it.",
        shown.join("; ")
    )))
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
