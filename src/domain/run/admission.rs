//! Whether a run's state allows a piece of work.

use super::{
    rejection::Rejection,
    state::{Run, Status},
    work::WorkKind,
};

/// Says whether the state allows a piece of work.
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
    // An agent at work would write into what is just being replaced.
    if kind == WorkKind::Replace && matches!(status, Status::Queued | Status::Running) {
        return Err(Rejection::PauseFirst { status });
    }
    Ok(())
}
