//! A run's work is taken back: branch and files as at the base commit.
//!
//! # Crash
//! The checkpoint comes first. Files go back before the branch does; between the two the worktree
//! shows the undoing as changes, and a second revert completes it.

use super::{GitError, checkpoint, program::line, staging::Staging};
use crate::domain::run::event::{CheckpointAt, WorktreeAt};
use std::path::Path;

/// Takes a worktree and its branch back to `base_commit`. `kept` is the checkpoint taken just now.
///
/// # Errors
/// `ChangedMeanwhile` when `kept` does not hold what is there now, or not its commits;
/// `WorktreeGone`, and those of starting `git`. Nothing is lost then.
pub fn revert(
    at: &WorktreeAt,
    repo_path: &Path,
    base_commit: &str,
    kept: &CheckpointAt,
) -> Result<(), GitError> {
    let staging = Staging::open(at, repo_path)?;
    staging.stage()?;
    let held = staging.write_tree()? == kept.tree && holds_head(&staging, kept);
    if !held {
        return Err(GitError::ChangedMeanwhile {
            name: at.name.clone(),
        });
    }
    checkpoint::restore(at, repo_path, base_commit)?;
    let branch = staging.place.git("git symbolic-ref");
    let branch = line(&branch.args(["symbolic-ref", "-q", "HEAD"]).run()?);
    let mut update = staging.place.git("git update-ref").args([
        "update-ref",
        "-m",
        "abbado: revert",
        "--",
        &branch,
        base_commit,
    ]);
    if let Some(head) = staging.head {
        update = update.arg(head.to_string());
    }
    update.run()?;
    // The files are those of the base commit; so is the index.
    let index = staging.place.git("git read-tree");
    index.args(["read-tree", "--reset", base_commit]).run()?;
    let refresh = staging.place.git("git update-index");
    match refresh.args(["update-index", "-q", "--refresh"]).run() {
        Err(GitError::Failed { .. }) | Ok(_) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether the commits of the branch are before the checkpoint.
fn holds_head(staging: &Staging, kept: &CheckpointAt) -> bool {
    let Some(head) = staging.head else {
        return true;
    };
    let commit = git2::Oid::from_str(&kept.commit);
    let commit = commit.and_then(|id| staging.repository.find_commit(id));
    commit.is_ok_and(|commit| commit.parent_ids().any(|parent| parent == head))
}

/// Undoes a revert: branch and files are again those that `kept` holds.
///
/// # Errors
/// `WorktreeGone`, `UnknownRevision`, and those of starting `git`.
pub fn take_up_again(
    at: &WorktreeAt,
    repo_path: &Path,
    kept: &CheckpointAt,
) -> Result<(), GitError> {
    let staging = Staging::open(at, repo_path)?;
    let commit = git2::Oid::from_str(&kept.commit);
    let commit = commit.and_then(|id| staging.repository.find_commit(id));
    if let Some(tip) = commit.ok().and_then(|commit| commit.parent_ids().next()) {
        let branch = staging.place.git("git symbolic-ref");
        let branch = line(&branch.args(["symbolic-ref", "-q", "HEAD"]).run()?);
        let update = staging.place.git("git update-ref");
        update
            .args(["update-ref", "-m", "abbado: revert undone", "--", &branch])
            .arg(tip.to_string())
            .run()?;
    }
    checkpoint::restore(at, repo_path, &kept.commit)
}
