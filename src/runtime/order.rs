//! What people may order for a run's work, and why it may fail.

use super::threads::Failed;
use crate::{
    domain::run::{
        Event,
        admission::WorkKind,
        event::{LeftOut, PullRequestAt},
    },
    git::{ErrorKind, GitError},
};

/// A change of a run's work.
#[derive(Debug, Clone)]
pub(crate) enum Order {
    /// Commit everything in the worktrees; the message is not blank. Gets
    /// [`Reply::Committed`](super::Reply::Committed).
    Commit { message: String },
    /// Push the run branch. Gets [`Reply::Pushed`](super::Reply::Pushed).
    Push,
    /// Push it, and record that the work was accepted. Gets [`Reply::Pushed`](super::Reply::Pushed).
    Accept,
    /// Record pull requests that were opened after the push, one for each repo. Gets
    /// [`Reply::PullRequests`](super::Reply::PullRequests).
    PullRequests {
        title: String,
        repos: Vec<PullRequestAt>,
    },
    /// Record what was done to the run from elsewhere. Gets [`Reply::Done`](super::Reply::Done).
    Record(Box<Event>),
    /// Rename the run branch. Gets [`Reply::Run`](super::Reply::Run).
    Rename { name: String },
    /// Reset branch and files to the base commits; by force even when the checkpoint before it cannot
    /// hold all files. Gets [`Reply::Replaced`](super::Reply::Replaced).
    Revert { force: bool },
    /// Put the contents of a checkpoint back; by force as with a revert. Gets
    /// [`Reply::Replaced`](super::Reply::Replaced).
    Restore { number: u32, force: bool },
}

impl Order {
    pub(super) const fn kind(&self) -> WorkKind {
        match self {
            Self::Commit { .. } => WorkKind::Commit,
            Self::Push | Self::Accept | Self::PullRequests { .. } | Self::Record(_) => {
                WorkKind::Ship
            }
            Self::Rename { .. } => WorkKind::Rename,
            Self::Revert { .. } | Self::Restore { .. } => WorkKind::Replace,
        }
    }

    /// Whether nothing else may touch the worktrees meanwhile.
    pub(super) const fn is_exclusive(&self) -> bool {
        matches!(self.kind(), WorkKind::Rename | WorkKind::Replace)
    }
}

/// Why an order was not carried out, in whole sentences for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The order makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// There is no change to commit.
    #[error("Nothing to commit: no repo has changes.")]
    NothingToCommit,
    /// What it names does not exist.
    #[error("{0}")]
    Missing(String),
    /// The present state of a repository forbids it.
    #[error("{0}")]
    Conflict(String),
    /// Some of the work cannot be kept; nothing was done, since it would be lost.
    #[error("{0}")]
    NotKept(String),
    /// The server of a remote refused or failed.
    #[error("{0}")]
    Remote(String),
    /// An error of ours, or of the operating system.
    #[error("{0}")]
    Internal(String),
}

/// Paths named in a refusal, and the bytes that they may take.
const NAMED_MAX: usize = 50;
const NAMED_BYTES_MAX: usize = 8 * 1024;

/// Refuses what would drop work that no checkpoint holds: `left_out` has repos and paths, `others` is
/// what else could not be kept, each a line of the refusal.
#[must_use]
pub(crate) fn not_kept(left_out: &[(&str, &LeftOut)], others: &[String]) -> Option<OrderError> {
    let paths = left_out
        .iter()
        .map(|(repo, left)| format!("{repo}: '{}' ({})", left.path, left.why));
    let mut all = others.iter().cloned().chain(paths).peekable();
    all.peek()?;
    let count = others.len() + left_out.len();
    let mut why = "Nothing was changed, because some of the work cannot be saved:".to_owned();
    for (named, line) in all.enumerate() {
        let line: String = line.chars().flat_map(on_one_line).collect();
        let full = named == NAMED_MAX || why.len() + line.len() > NAMED_BYTES_MAX;
        if named > 0 && full {
            why.push_str(&format!("\n- {} more", count - named));
            break;
        }
        why.push_str(&format!("\n- {line}"));
    }
    why.push_str(
        "\nMove it out of the worktree or make it readable, or repeat with ?force=true to proceed without it.",
    );
    Some(OrderError::NotKept(why))
}

/// A letter of a path or a reason, where lines have a meaning.
fn on_one_line(letter: char) -> impl Iterator<Item = char> {
    let escaped = letter.is_control().then(|| letter.escape_default());
    let plain = (!letter.is_control()).then_some(letter);
    escaped.into_iter().flatten().chain(plain)
}

impl From<Failed> for OrderError {
    fn from(error: Failed) -> Self {
        Self::Internal(error.to_string())
    }
}

impl OrderError {
    pub(super) fn of(name: &str, error: &GitError) -> Self {
        let why = format!("Repo '{name}': {error}.");
        match error.kind() {
            ErrorKind::Invalid => Self::Invalid(why),
            ErrorKind::Unknown
            | ErrorKind::Unusable
            | ErrorKind::Conflict
            | ErrorKind::TimedOut => Self::Conflict(why),
            ErrorKind::Fault => Self::Internal(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(left_out: &[(&str, &LeftOut)], others: &[String]) -> Vec<String> {
        let Some(OrderError::NotKept(why)) = not_kept(left_out, others) else {
            panic!("not refused");
        };
        why.lines().map(str::to_owned).collect()
    }

    fn left(path: &str) -> LeftOut {
        LeftOut {
            path: path.to_owned(),
            why: "it is a pipe".to_owned(),
        }
    }

    #[test]
    fn what_cannot_be_kept_is_named_a_line_each() {
        assert_eq!(not_kept(&[], &[]), None);
        let odd = left("two\nlines");
        let others = ["could not save the repositories inside api: x".to_owned()];
        let lines = refusal(&[("api", &odd)], &others);
        assert_eq!(lines[1], format!("- {}", others[0]));
        assert_eq!(lines[2], r"- api: 'two\nlines' (it is a pipe)");
        assert_eq!(lines.len(), 4);
        assert!(lines[3].contains("?force=true"), "{lines:?}");
    }

    #[test]
    fn a_long_list_is_cut_and_still_says_how_to_go_on() {
        let many: Vec<_> = (0..NAMED_MAX + 3).map(|at| left(&at.to_string())).collect();
        let many: Vec<_> = many.iter().map(|left| ("api", left)).collect();
        let lines = refusal(&many, &[]);
        assert_eq!(lines.len(), NAMED_MAX + 3);
        assert_eq!(lines[NAMED_MAX + 1], "- 3 more");
        let long: Vec<_> = (0..5).map(|_| left(&"x".repeat(4_000))).collect();
        let long: Vec<_> = long.iter().map(|left| ("api", left)).collect();
        let lines = refusal(&long, &[]);
        assert_eq!(lines[lines.len() - 2], "- 3 more");
        assert!(lines[lines.len() - 1].contains("?force=true"));
    }
}
