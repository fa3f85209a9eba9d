//! Where branches are checked out: in the user's folder, or in a worktree.
//!
//! Read from the repository's side, as in [`super::records`].

use super::{GitError, head, records, repository};
use crate::files;
use git2::Repository;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A folder that holds a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checkout {
    /// Its git folder: the repository's own, or the record of the worktree.
    pub git_dir: PathBuf,
    /// The folder with the files.
    pub folder: PathBuf,
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// A merge, rebase, bisection or similar is in progress there.
    pub busy: bool,
}

/// All checkouts of branches. A worktree whose folder is missing counts only while it is locked: it
/// may be on a disk that is not mounted.
///
/// # Errors
/// When the records cannot be read.
pub(super) fn checkouts(repository: &Repository) -> Result<Vec<Checkout>, GitError> {
    let common_dir = repository::common_dir(repository)?;
    let mut found = Vec::new();
    if let Some(folder) = main_folder(repository, &common_dir) {
        push(&mut found, &common_dir, &folder);
    }
    for entry in records::all(&common_dir)? {
        let Some(folder) = entry.dot_git.parent() else {
            continue;
        };
        if fs::symlink_metadata(folder).is_ok() || entry.admin.join("locked").exists() {
            push(&mut found, &entry.admin, folder);
        }
    }
    Ok(found)
}

/// The checkouts of one branch.
///
/// # Errors
/// Those of [`checkouts`].
pub(super) fn of_branch(repository: &Repository, branch: &str) -> Result<Vec<Checkout>, GitError> {
    let mut found = checkouts(repository)?;
    found.retain(|checkout| checkout.branch == branch);
    Ok(found)
}

/// The folder of the main checkout, also when `repository` was opened at a worktree.
fn main_folder(repository: &Repository, common_dir: &Path) -> Option<PathBuf> {
    if !repository.is_worktree() {
        return repository.workdir().map(Path::to_owned);
    }
    let main = Repository::open(common_dir).ok()?;
    let folder = main.workdir()?;
    // `core.worktree` may point anywhere.
    let own = folder.join(".git").canonicalize().ok()?;
    (own == common_dir).then(|| folder.to_owned())
}

fn push(found: &mut Vec<Checkout>, git_dir: &Path, folder: &Path) {
    let busy = head::under_way(git_dir).is_some();
    let head = records::branch_of_head(&git_dir.join("HEAD"));
    // During these operations HEAD names no branch, but the branch is still in use.
    let kept = [
        "rebase-merge/head-name",
        "rebase-apply/head-name",
        "BISECT_START",
    ];
    let kept = kept
        .iter()
        .filter_map(|name| files::read_text(&git_dir.join(name), files::SMALL).ok())
        .map(|text| {
            let text = text.trim_end();
            text.strip_prefix("refs/heads/").unwrap_or(text).to_owned()
        });
    for branch in head.into_iter().chain(kept) {
        let checkout = Checkout {
            git_dir: git_dir.to_owned(),
            folder: folder.to_owned(),
            branch,
            busy,
        };
        if !found.contains(&checkout) {
            found.push(checkout);
        }
    }
}
