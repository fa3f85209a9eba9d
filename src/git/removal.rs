//! Removes worktrees and branches, when they are provably ours.
//!
//! Called by the runtime under the repository's lock, after the work was checkpointed. In doubt, nothing
//! is removed.
//!
//! # Crash
//! The folder is removed first and the record last, so that a second call can still prove ownership.

use super::{
    Context, GitError, RepoLocks,
    open_worktree::OpenWorktree,
    records::{self, Records, WorktreeRecord},
    repository,
};
use crate::domain::run::event::WorktreeAt;
use crate::files;
use git2::{BranchType, ErrorClass, ErrorCode};
use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::Path,
};

/// Removes a worktree with all that is in it, and the repository's record of it and of worktrees inside.
///
/// Returns `true` when it is gone now (also when it was before), and `false` when it was left
/// alone: outside the data folder, a link, or without proof that it belongs to that repository.
///
/// # Errors
/// `NotARepository` when the repository no longer opens, `Io` when its record cannot be removed.
pub(crate) fn remove(at: &WorktreeAt, repo_path: &Path, data_dir: &Path) -> Result<bool, GitError> {
    let common_dir = repository::git_dir_of(repo_path)?;
    match fs::symlink_metadata(&at.worktree) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(entry) = records::find(&common_dir, &at.worktree)? {
                remove_record(&common_dir, &entry)?;
            }
            return Ok(true);
        }
        Err(error) => return Err(error).context("inspecting a worktree"),
        Ok(metadata) if !metadata.is_dir() => return Ok(false),
        Ok(_) => {}
    }
    if !is_inside(&at.worktree, data_dir) {
        return Ok(false);
    }
    let entry = records::find(&common_dir, &at.worktree)?;
    if !points_at(&at.worktree, &common_dir, entry.as_ref()) {
        return Ok(false);
    }
    let inside = records::inside(&common_dir, &at.worktree)?;
    let removed = remove_folder(&at.worktree);
    // Files that somebody else owns stay; the run is deleted all the same.
    if let Err(error) = &removed {
        log::warn!(error:% = error; "Could not remove the folder of a deleted worktree of {}.", at.name);
    }
    let inside = inside.iter().filter(|_| removed.is_ok());
    for entry in inside.chain(&entry) {
        remove_record(&common_dir, entry)?;
    }
    Ok(removed.is_ok())
}

/// Whether the folder of a worktree exists, and is the one that the repository knows: not a
/// link, a file or another repository in its place.
#[must_use]
pub(crate) fn is_in_place(at: &WorktreeAt, repo_path: &Path) -> bool {
    let Ok(open) = OpenWorktree::open(at, repo_path) else {
        return false;
    };
    let is_folder = files::is_folder(&at.worktree);
    let has_git_file = fs::symlink_metadata(at.worktree.join(".git")).is_ok();
    // Without one, the repository's record alone proves whose the files are.
    is_folder && (!has_git_file || points_at(&at.worktree, &open.common_dir, Some(&open.record)))
}

/// Why somebody locked a run's worktree (`git worktree lock`), or nothing when nobody did. The reason may be
/// empty.
#[must_use]
pub(crate) fn lock_of(at: &WorktreeAt, repo_path: &Path) -> Option<String> {
    let common_dir = repository::git_dir_of(repo_path).ok()?;
    let entry = records::find(&common_dir, &at.worktree).ok()??;
    let lock = entry.admin.join("locked");
    fs::symlink_metadata(&lock).ok()?;
    let why = records::read_small(&lock).unwrap_or_default();
    Some(String::from_utf8_lossy(&why).trim().to_owned())
}

/// Deletes a local branch. Returns `false` when there is none, or when it is checked out.
///
/// Saving its commits is up to the caller ([`super::keep_deleted`]).
///
/// # Errors
/// `InvalidName`, `NotARepository`, or `Library` when the ref cannot be removed.
pub(super) fn delete_branch(repo_path: &Path, branch: &str) -> Result<bool, GitError> {
    repository::check_branch_name(branch)?;
    let repository = repository::open(repo_path)?;
    let common_dir = repository::common_dir(&repository)?;
    if Records::read(&common_dir)?.have_checked_out(branch) {
        return Ok(false);
    }
    let mut found = match repository.find_branch(branch, BranchType::Local) {
        Ok(found) => found,
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(false),
        Err(error) => return Err(error).context("reading a branch"),
    };
    found.delete().context("deleting a branch")?;
    Ok(true)
}

/// Deletes the branch of a run that has no process any more, also when a `git` that was killed
/// left it locked. Under the repository's lock.
///
/// # Errors
/// Those of [`delete_branch`] and [`unlock_branch`].
pub(crate) fn remove_run_branch(repo_path: &Path, branch: &str) -> Result<bool, GitError> {
    repository::check_branch_name(branch)?;
    let common_dir = repository::git_dir_of(repo_path)?;
    remove_branch_lock(&common_dir, branch)?;
    let deleted = delete_branch(repo_path, branch);
    if deleted.is_err() && is_damaged(repo_path, branch) {
        // It would make git refuse to list the user's branches.
        let file = common_dir.join("refs/heads").join(branch);
        or_missing(fs::remove_file(file), "removing a damaged branch")?;
        return Ok(true);
    }
    deleted
}

/// Whether a branch names neither a commit nor another ref.
fn is_damaged(repo_path: &Path, branch: &str) -> bool {
    let Ok(repository) = repository::open(repo_path) else {
        return false;
    };
    let found = repository.find_reference(&format!("refs/heads/{branch}"));
    found.is_err_and(|error| {
        error.class() == ErrorClass::Reference && error.code() != ErrorCode::NotFound
    })
}

/// Deletes a local branch that is still at this commit. Returns `false` when it was left alone.
///
/// # Errors
/// As [`delete_branch`].
pub(crate) fn delete_branch_at(
    repo_path: &Path,
    branch: &str,
    commit: &str,
) -> Result<bool, GitError> {
    repository::check_branch_name(branch)?;
    let repository = repository::open(repo_path)?;
    let tip = repository.find_branch(branch, BranchType::Local);
    let tip = tip.ok().and_then(|found| found.get().target());
    if tip.is_none_or(|tip| tip.to_string() != commit) {
        return Ok(false);
    }
    delete_branch(repo_path, branch)
}

/// Whether a worktree holds nothing but what it began with: its HEAD at the base commit, no file
/// changed, and none added that git does not ignore.
///
/// # Errors
/// When it cannot be read; then it holds something.
pub(crate) fn holds_nothing(worktree: &Path, base_commit: &str) -> Result<bool, GitError> {
    let doing = "looking for work in a worktree";
    let repository = repository::open(worktree)?;
    let head = repository.head().and_then(|head| head.peel_to_commit());
    if head.is_ok_and(|head| head.id().to_string() != base_commit) {
        return Ok(false);
    }
    let mut options = git2::StatusOptions::new();
    options.include_untracked(true).include_ignored(false);
    let statuses = repository.statuses(Some(&mut options)).context(doing)?;
    Ok(statuses.is_empty())
}

/// Removes the lock of a branch, which a `git` that was killed left there. Only for a run's own
/// branch, when every program of that run was ended: nobody else has a reason to hold it.
///
/// # Errors
/// `InvalidName`, `NotARepository`, or `Io` when it cannot be removed.
pub(crate) fn unlock_branch(
    repo_path: &Path,
    branch: &str,
    locks: &RepoLocks,
) -> Result<(), GitError> {
    repository::check_branch_name(branch)?;
    let common_dir = repository::git_dir_of(repo_path)?;
    locks.with([&common_dir], || remove_branch_lock(&common_dir, branch))
}

/// The same under the repository's lock.
pub(super) fn remove_branch_lock(common_dir: &Path, branch: &str) -> Result<(), GitError> {
    let lock = common_dir.join("refs/heads").join(format!("{branch}.lock"));
    or_missing(fs::remove_file(lock), "unlocking a branch")
}

/// Removes a folder and all in it, if it exists; links in it are removed, not followed.
pub(super) fn remove_folder(path: &Path) -> Result<(), GitError> {
    let removed = match fs::remove_dir_all(path) {
        // Tools make folders read-only (module caches); a second try comes with the rights.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_writable(path);
            fs::remove_dir_all(path)
        }
        other => other,
    };
    or_missing(removed, "removing a worktree")
}

/// Removes the repository's record of a worktree.
pub(super) fn remove_record(common_dir: &Path, entry: &WorktreeRecord) -> Result<(), GitError> {
    debug_assert_eq!(
        entry.admin.parent(),
        Some(common_dir.join("worktrees").as_path())
    );
    let removed = fs::remove_dir_all(&entry.admin);
    or_missing(removed, "removing the record of a worktree")
}

/// Accepts that something did not exist.
fn or_missing(removed: io::Result<()>, doing: &'static str) -> Result<(), GitError> {
    files::if_there(removed).map(drop).context(doing)
}

/// Gives us the right to empty a folder and those below it. Failures show when removing.
fn make_writable(path: &Path) {
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        drop(fs::set_permissions(&folder, Permissions::from_mode(0o700)));
        let items = fs::read_dir(&folder).into_iter().flatten().flatten();
        let below = items.filter(|item| item.file_type().is_ok_and(|kind| kind.is_dir()));
        folders.extend(below.map(|item| item.path()));
    }
}

/// Whether the path, with links in its parents resolved, is below the data folder.
fn is_inside(path: &Path, data_dir: &Path) -> bool {
    let (Ok(real), Ok(data_dir)) = (path.canonicalize(), data_dir.canonicalize()) else {
        return false;
    };
    real != data_dir && real.starts_with(&data_dir)
}

/// Whether the folder's `.git` file and the repository's record name each other. A record that
/// was pruned meanwhile proves nothing against us: then the file alone has to name its place.
fn points_at(worktree: &Path, common_dir: &Path, entry: Option<&WorktreeRecord>) -> bool {
    let dot_git = worktree.join(".git");
    if !fs::symlink_metadata(&dot_git).is_ok_and(|metadata| metadata.is_file()) {
        return false;
    }
    let Some(target) = records::git_dir_in(&dot_git) else {
        return false;
    };
    let target = records::resolved(&worktree.join(target));
    match entry {
        Some(entry) => target == records::resolved(&entry.admin),
        // A record that exists and is not ours belongs to another folder: this one is a copy.
        None => target.parent() == Some(common_dir.join("worktrees").as_path()) && !target.exists(),
    }
}
