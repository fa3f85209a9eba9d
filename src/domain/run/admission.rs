//! Decides whether a run's state allows an order.

use super::{
    rejection::Rejection,
    state::{Run, Status},
    work::WorkKind,
};

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
        return Err(Rejection::NoWorktree { status });
    }
    // A working agent would write into files that are being replaced.
    if kind == WorkKind::Replace && matches!(status, Status::Queued | Status::Running) {
        return Err(Rejection::PauseFirst { status });
    }
    Ok(())
}
