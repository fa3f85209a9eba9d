//! Opens a run's worktree through its repository, and recreates its record when that is missing or
//! damaged.
//!
//! `git worktree prune` removes the record of a worktree that it does not find, for example on a disk
//! that is not mounted, and `git gc` does so by itself after three months; a power cut can empty a HEAD.
//! The files are still there then, but git does not work in them without a record.
//!
//! What the worktree's `.git` file says is only a hint: the name of a record of this repository that
//! does not exist. HEAD becomes the run's branch; where it was before, and what was staged, is lost.

use super::{
    Context, GitError,
    place::Place,
    records::{self, Records, WorktreeRecord},
    repository,
};
use crate::{domain::run::event::WorktreeAt, files};
use git2::{Oid, Repository};
use std::{
    ffi::OsString,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

const DOING: &str = "recreating the record of a worktree";

/// A run's worktree as its repository has it.
pub(super) struct OpenWorktree {
    pub repository: Repository,
    pub common_dir: PathBuf,
    pub record: WorktreeRecord,
}

impl OpenWorktree {
    /// Finds it through its repository. A lost record is recreated.
    ///
    /// # Errors
    /// `WorktreeGone`, `NotARepository`, and those of [`repaired`].
    pub(super) fn open(at: &WorktreeAt, repo_path: &Path) -> Result<Self, GitError> {
        let repository = repository::open(repo_path)?;
        let common_dir = repository::common_dir(&repository)?;
        let found = records::find(&common_dir, &at.worktree)?;
        let record = repaired(&common_dir, at, found)?;
        let record = record.ok_or_else(|| GitError::worktree_gone(&at.name))?;
        Ok(Self {
            repository,
            common_dir,
            record,
        })
    }

    /// Where `git` runs in it.
    ///
    /// # Errors
    /// As [`Place::open`].
    pub(super) fn place(&self, at: &WorktreeAt) -> Result<Place, GitError> {
        Place::open(&self.record.admin, &at.worktree)
    }
}

/// The record of a worktree, repaired when necessary; `None` when there is none, and nothing proves
/// that there was one.
///
/// # Errors
/// `Io`, and those of starting `git`.
fn repaired(
    common_dir: &Path,
    at: &WorktreeAt,
    found: Option<WorktreeRecord>,
) -> Result<Option<WorktreeRecord>, GitError> {
    if let Some(entry) = &found {
        if has_no_head(&entry.admin) && is_free(common_dir, &at.branch)? {
            log::warn!(
                "HEAD of the worktree of {} was damaged; reset it to the run's branch.",
                at.name
            );
            write(&entry.admin.join("HEAD"), &head(at))?;
        }
        return Ok(found);
    }
    match lost(common_dir, &at.worktree) {
        Some(name) if is_free(common_dir, &at.branch)? => make(common_dir, at, &name),
        Some(_) | None => Ok(None),
    }
}

/// The name of the record that a worktree's `.git` file names, when this repository has none of that
/// name.
fn lost(common_dir: &Path, worktree: &Path) -> Option<OsString> {
    let is_folder = files::is_folder(worktree);
    let named = records::git_dir_in(&worktree.join(".git")).filter(|_| is_folder)?;
    let named = worktree.join(named);
    let records = named.parent().filter(|it| it.ends_with("worktrees"))?;
    // The folder of records is removed with the last of them.
    let repository = records.parent()?.canonicalize().ok()?;
    let name = named.file_name()?;
    let record = records::folder_of(common_dir).join(name);
    let is_lost = repository == common_dir && fs::symlink_metadata(record).is_err();
    is_lost.then(|| name.to_owned())
}

/// Whether a branch exists and no checkout has it.
fn is_free(common_dir: &Path, branch: &str) -> Result<bool, GitError> {
    let repository = Repository::open_bare(common_dir);
    let reference = format!("refs/heads/{branch}");
    let exists = repository.is_ok_and(|found| found.find_reference(&reference).is_ok());
    Ok(exists && !Records::read(common_dir)?.have_checked_out(branch))
}

fn has_no_head(admin: &Path) -> bool {
    let path = admin.join("HEAD");
    match fs::symlink_metadata(&path) {
        Err(error) => error.kind() == io::ErrorKind::NotFound,
        Ok(found) if found.is_file() => {
            let text = records::read_small(&path).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let text = text.trim();
            let is_commit = text.len() == 40 && Oid::from_str(text).is_ok();
            !is_commit && !text.starts_with("ref: refs/")
        }
        Ok(_) => false,
    }
}

fn head(at: &WorktreeAt) -> Vec<u8> {
    format!("ref: refs/heads/{}\n", at.branch).into_bytes()
}

/// Makes the record beside the others, and gives it its name when it is whole.
fn make(
    common_dir: &Path,
    at: &WorktreeAt,
    name: &OsString,
) -> Result<Option<WorktreeRecord>, GitError> {
    let records = records::folder_of(common_dir);
    let fresh = records::temporary(&records, "new");
    fs::create_dir_all(&fresh).context(DOING)?;
    let dot_git = records::resolved(&at.worktree).join(".git");
    let mut gitdir = dot_git.clone().into_os_string().into_encoded_bytes();
    gitdir.push(b'\n');
    let admin = records.join(name);
    let made = write(&fresh.join("HEAD"), &head(at))
        .and_then(|()| write(&fresh.join("commondir"), b"../..\n"))
        .and_then(|()| write(&fresh.join("gitdir"), &gitdir))
        .and_then(|()| fs::rename(&fresh, &admin).context(DOING));
    if let Err(error) = made {
        drop(fs::remove_dir_all(&fresh));
        // Somebody else may have recreated it.
        let found = records::find(common_dir, &at.worktree)?;
        return found.map_or(Err(error), |found| Ok(Some(found)));
    }
    log::warn!(
        "The repository had lost its record of the worktree of {}; recreated it.",
        at.name
    );
    let place = Place::open(&admin, &at.worktree)?;
    place.git("read-tree HEAD").run()?;
    place.git("update-index").refresh()?;
    Ok(Some(WorktreeRecord { admin, dot_git }))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), GitError> {
    let fresh = path.with_extension("new");
    let written = files::make(&fresh).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    });
    written.context(DOING)
}
