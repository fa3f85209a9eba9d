//! The records that a repository keeps of its worktrees: `<git folder>/worktrees/<id>/`.
//!
//! They are read from the repository's side and not through a worktree's `.git` file, because an
//! agent may write that file, and must not be able to turn our attention to another repository.

use super::GitError;
use crate::domain::run::event::WorktreeAt;
use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// The record's folder, inside the common git folder.
    pub admin: PathBuf,
    /// The `.git` file of the worktree that it stands for.
    pub dot_git: PathBuf,
}

impl Entry {
    /// The branch checked out there, when one is.
    pub(super) fn branch(&self) -> Option<String> {
        branch_of_head(&self.admin.join("HEAD"))
    }
}

/// All records of a repository that can be read.
///
/// # Errors
/// When the folder of records cannot be read.
pub(super) fn entries(common_dir: &Path) -> Result<Vec<Entry>, GitError> {
    let folder = match fs::read_dir(common_dir.join("worktrees")) {
        Ok(folder) => folder,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(GitError::io("reading the list of worktrees")(error)),
    };
    let mut found = Vec::new();
    for item in folder {
        let item = item.map_err(GitError::io("reading the list of worktrees"))?;
        // Links are skipped: a record is a folder that git made.
        if item.file_type().is_ok_and(|kind| kind.is_dir()) {
            let admin = item.path();
            // A record without a readable path is half-made, or another program's.
            if let Some(dot_git) = recorded_path(&admin) {
                found.push(Entry { admin, dot_git });
            }
        }
    }
    Ok(found)
}

/// The record of the worktree at `worktree`, if the repository has one.
///
/// # Errors
/// Those of [`entries`].
pub(super) fn find(common_dir: &Path, worktree: &Path) -> Result<Option<Entry>, GitError> {
    let dot_git = resolved(worktree).join(".git");
    let mut found = entries(common_dir)?;
    // As git writes them. To resolve a path the system is asked for each folder of it.
    let mut at = found.iter().position(|entry| entry.dot_git == dot_git);
    if at.is_none() && worktree.parent().is_some_and(Path::exists) {
        at = found
            .iter()
            .position(|entry| resolved_parent(&entry.dot_git) == dot_git);
    }
    Ok(at.map(|at| found.swap_remove(at)))
}

/// The record of a run's worktree.
///
/// # Errors
/// `WorktreeGone` when there is none, and those of [`entries`].
pub(super) fn of_worktree(common_dir: &Path, at: &WorktreeAt) -> Result<Entry, GitError> {
    find(common_dir, &at.worktree)?.ok_or_else(|| GitError::WorktreeGone {
        name: at.name.clone(),
    })
}

/// Whether a branch is checked out, in the repository's own folder or in a worktree.
///
/// # Errors
/// Those of [`entries`].
pub(super) fn checked_out(common_dir: &Path, branch: &str) -> Result<bool, GitError> {
    let own = branch_of_head(&common_dir.join("HEAD"));
    let elsewhere = entries(common_dir)?;
    Ok(own.as_deref() == Some(branch)
        || elsewhere
            .iter()
            .any(|entry| entry.branch().as_deref() == Some(branch)))
}

/// The path with links in its parent resolved; its last part is taken as it stands, so that a
/// link which replaced a worktree is not followed.
pub(super) fn resolved(path: &Path) -> PathBuf {
    match (
        path.parent().and_then(|parent| parent.canonicalize().ok()),
        path.file_name(),
    ) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => path.to_owned(),
    }
}

fn resolved_parent(dot_git: &Path) -> PathBuf {
    dot_git
        .parent()
        .map(resolved)
        .unwrap_or_default()
        .join(".git")
}

fn recorded_path(admin: &Path) -> Option<PathBuf> {
    let bytes = fs::read(admin.join("gitdir")).ok()?;
    let path = PathBuf::from(super::program::os_string(bytes.trim_ascii_end()));
    if path.as_os_str().is_empty() {
        return None;
    }
    // `worktree.useRelativePaths` of the user's own git.
    Some(if path.is_absolute() {
        path
    } else {
        lexical(&admin.join(path))
    })
}

/// Takes `..` out of a path without asking the file system.
fn lexical(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(part),
        }
    }
    plain
}

/// The branch that a HEAD file names.
pub(super) fn branch_of_head(head: &Path) -> Option<String> {
    let text = fs::read_to_string(head).ok()?;
    Some(text.strip_prefix("ref: refs/heads/")?.trim_end().to_owned())
}
