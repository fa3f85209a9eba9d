//! Decides whether a run's state allows an order.

use super::{prompt::is_blank, rejection::Rejection, state::Run};

/// Longest commit message, in bytes.
const COMMIT_MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// What an order asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WorkKind {
    /// Commit what is in the worktrees.
    Commit,
    /// Push the run branch, open a pull request, accept: from the branch alone.
    Ship,
    /// Give the run branch another name.
    Rename,
    /// Revert, restore: the files of the worktrees are replaced.
    Replace,
}

/// Checks the message of a commit.
///
/// # Errors
/// `Invalid`, with the name of the field.
pub(crate) fn check_commit_message(message: &str) -> Result<(), Rejection> {
    let why = if is_blank(message) || message.contains('\0') {
        "must be text and not blank"
    } else if message.len() > COMMIT_MESSAGE_BYTES_MAX {
        "must be at most 64 KiB"
    } else {
        return Ok(());
    };
    let field = "message";
    Err(Rejection::Invalid { field, why })
}

/// Checks whether the state allows an order.
///
/// # Errors
/// A [`Rejection`] that names the state.
pub(crate) fn admit(run: &Run, kind: WorkKind) -> Result<(), Rejection> {
    let status = run.status;
    if run.deleted {
        return Err(Rejection::Deleted);
    }
    if let Some(by) = run.stop {
        return Err(Rejection::Stopping { status, by });
    }
    let needs_worktree = matches!(kind, WorkKind::Commit | WorkKind::Replace);
    if needs_worktree && run.worktrees.len() < run.created.repos.len() {
        return Err(Rejection::NoWorktree(status));
    }
    // A working agent would write into files that are being replaced.
    if kind == WorkKind::Replace && run.is_at_work() {
        return Err(Rejection::PauseFirst(status));
    }
    Ok(())
}
