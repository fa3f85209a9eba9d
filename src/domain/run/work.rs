//! What people have done with a run's work: keep, ship, undo. Each is done first and recorded after,
//! so that recovery never does one again.

use super::event::{
    BranchRenamed, Event, RunAccepted, RunCommitted, RunPullRequest, RunPushed, RunRebased,
    RunRestored, RunReverted, WorktreeCreated,
};

/// A piece of work that somebody may ask for.
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

/// A piece of work that was done.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// Contents of a checkpoint are back.
    Restored(RunRestored),
    /// The run branch has another name.
    Renamed(BranchRenamed),
    /// The work was committed.
    Committed(RunCommitted),
    /// The run branch was pushed.
    Pushed(RunPushed),
    /// Pull requests were opened.
    PullRequest(RunPullRequest),
    /// The work was taken back.
    Reverted(RunReverted),
    /// The work was accepted.
    Accepted(RunAccepted),
    /// The run branch was rebased.
    Rebased(RunRebased),
    /// The worktrees are in another place.
    Moved(WorktreeCreated),
}

impl From<Work> for Event {
    fn from(work: Work) -> Self {
        match work {
            Work::Restored(done) => done.into(),
            Work::Renamed(done) => done.into(),
            Work::Committed(done) => done.into(),
            Work::Pushed(done) => done.into(),
            Work::PullRequest(done) => done.into(),
            Work::Reverted(done) => done.into(),
            Work::Accepted(done) => done.into(),
            Work::Rebased(done) => done.into(),
            Work::Moved(done) => done.into(),
        }
    }
}
