//! Checkpoints: the whole of a worktree, kept as a commit on a hidden ref, and brought back.
//!
//! Called by the runtime on pause, revert, restore, delete and when a turn ended. What must stay
//! true: no branch moves, `take` writes no index but its own, and what a ref names can be read
//! after a power cut (objects are flushed before the ref is written).
//!
//! The tree is what `git add --all` would make of the worktree: line endings and the user's own
//! filters (LFS) are applied, as in a commit. Nested repositories are kept as the commit that is
//! checked out in them; their contents are their own.
//!
//! # Crash
//! Before the ref is written nothing refers to the objects. After it, the same number is taken
//! again and the ref replaced.

use super::{GitError, head::Head, keep, repository, staging::Staging};
use crate::domain::{
    RunId,
    run::event::{CheckpointAt, WorktreeAt},
};
use git2::{ErrorCode, Oid};
use std::path::Path;

/// Keeps the worktree under `refs/abbado/checkpoints/<run id>/<number>`.
///
/// Answers `None` when there is nothing to keep: the contents equal `previous_tree` (hex), or,
/// without one, those of HEAD; and HEAD itself is reachable from a ref.
///
/// # Errors
/// `WorktreeGone`, `NotARepository`, and those of starting `git`.
pub fn take(
    worktree: &WorktreeAt,
    repo_path: &Path,
    run_id: RunId,
    number: u32,
    reason: &str,
    previous_tree: Option<&str>,
) -> Result<Option<CheckpointAt>, GitError> {
    let staging = Staging::open(worktree, repo_path)?;
    staging.stage()?;
    let tree = staging.write_tree()?;
    let known = match previous_tree {
        Some(previous) => previous == tree,
        None => head_tree(&staging)?.is_some_and(|head| head == tree),
    };
    if known && heads_are_kept(&staging, worktree)? {
        return Ok(None);
    }
    commit(
        &staging,
        worktree,
        &Label {
            run_id,
            number,
            reason,
        },
        tree,
    )
    .map(Some)
}

/// Keeps the worktree, also when nothing changed. For what is about to move a branch: the
/// checkpoint's parent is the former tip.
///
/// # Errors
/// Those of [`take`].
pub fn take_always(
    worktree: &WorktreeAt,
    repo_path: &Path,
    run_id: RunId,
    number: u32,
    reason: &str,
) -> Result<CheckpointAt, GitError> {
    let staging = Staging::open(worktree, repo_path)?;
    staging.stage()?;
    let tree = staging.write_tree()?;
    commit(
        &staging,
        worktree,
        &Label {
            run_id,
            number,
            reason,
        },
        tree,
    )
}

/// Gives the worktree the contents of a commit, and its index those of HEAD.
///
/// Files that are tracked now, or would be, and are not in the commit are removed; take a
/// checkpoint first. What is ignored now stays, unless the commit has a file of that name.
///
/// # Errors
/// `UnknownRevision` when the commit is gone, `WorktreeGone`, and those of starting `git`.
pub fn restore(worktree: &WorktreeAt, repo_path: &Path, commit: &str) -> Result<(), GitError> {
    let staging = Staging::open(worktree, repo_path)?;
    let found = Oid::from_str(commit).and_then(|id| staging.repository.find_commit(id));
    let commit = found.map_err(|_| GitError::UnknownRevision {
        repo: repo_path.to_owned(),
        revision: commit.to_owned(),
        note: String::new(),
    })?;
    // Present contents first: by them git knows what to remove, under today's ignore rules.
    // Under those of the commit it could remove a file that no checkpoint holds.
    staging.stage()?;
    staging
        .git("git read-tree")
        .args(["-c", "checkout.workers=0"])
        .args(["read-tree", "--reset", "-u", "--no-recurse-submodules"])
        .arg(commit.id().to_string())
        .run()?;
    staging.reset_index()?;
    // Fills in what git knows about the files just written; differences are no failure.
    let refresh = staging
        .git("git update-index")
        .args(["update-index", "-q", "--refresh"]);
    match refresh.run() {
        Err(GitError::Failed { .. }) | Ok(_) => staging.install_index(),
        Err(error) => Err(error),
    }
}

/// What a checkpoint is filed under.
struct Label<'a> {
    run_id: RunId,
    number: u32,
    reason: &'a str,
}

fn commit(
    staging: &Staging,
    worktree: &WorktreeAt,
    label: &Label<'_>,
    tree: String,
) -> Result<CheckpointAt, GitError> {
    let message = format!("abbado checkpoint {}: {}\n", label.number, label.reason);
    let heads = heads(staging, worktree)?;
    let heads: Vec<_> = heads.iter().map(Oid::to_string).collect();
    let commit = keep::write_commit(&staging.place, &tree, &heads, message)?;
    let reference = format!("{}{}", keep::checkpoint_refs(label.run_id), label.number);
    crate::fault::point("checkpoint.before_ref");
    keep::set_ref(&staging.place, &reference, &commit)?;
    crate::fault::point("checkpoint.after_ref");
    Ok(CheckpointAt {
        repo_id: worktree.repo_id,
        repo_name: worktree.name.clone(),
        commit,
        tree,
    })
}

/// The tree of a commit, as hex.
///
/// # Errors
/// When the repository or the commit cannot be read.
pub fn tree_of(repo_path: &Path, commit: &str) -> Result<String, GitError> {
    let found = git2::Repository::open(repo_path).and_then(|repository| {
        let commit = repository.find_commit(Oid::from_str(commit)?)?;
        Ok(commit.tree_id().to_string())
    });
    found.map_err(GitError::library("reading a commit"))
}

fn head_tree(staging: &Staging) -> Result<Option<String>, GitError> {
    let Some(head) = staging.head else {
        return Ok(None);
    };
    match staging.repository.find_commit(head) {
        Ok(commit) => Ok(Some(commit.tree_id().to_string())),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(GitError::library("reading HEAD")(error)),
    }
}

/// The commit of HEAD first, then those that nothing but the worktree's state may name.
fn heads(staging: &Staging, at: &WorktreeAt) -> Result<Vec<Oid>, GitError> {
    let common_dir = repository::common_dir(&staging.repository)?;
    let admin = staging.place.git_dir();
    let head = Head::read(&staging.repository, &common_dir, admin, &at.branch)?;
    Ok(head.commit.into_iter().chain(head.others).collect())
}

/// Whether these commits would survive without the worktree: a detached HEAD may hold commits
/// that no ref names.
fn heads_are_kept(staging: &Staging, at: &WorktreeAt) -> Result<bool, GitError> {
    let everywhere = [
        "refs/heads/*",
        "refs/remotes/*",
        "refs/tags/*",
        "refs/abbado/*",
    ];
    for head in heads(staging, at)? {
        if keep::has_own_commits(&staging.repository, head, &everywhere, None)? {
            return Ok(false);
        }
    }
    Ok(true)
}
