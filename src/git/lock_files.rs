//! Git's lock files: the one that we hold while files are replaced, and those that a killed `git` left.
//!
//! A lock counts as left behind, and is removed, when it is older than two seconds and no process can
//! hold it ([`holders`]). Only the locks of a run's own worktree and branch are removed. Those of the
//! user's checkout, its configuration and packed refs are left alone; git's refusal names them.

use super::{Context, GitError};
use crate::{domain::run::event::WorktreeAt, files};
use std::{
    fs::{self, File, Metadata},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process, thread,
    time::{Duration, Instant, SystemTime},
};

mod holders;

/// How long a lock is waited for, and the age from which it may count as left behind.
const PATIENCE: Duration = Duration::from_secs(2);
/// That age where it is unknown who holds a lock.
const AGE_IN_DOUBT: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(50);

/// Removes the locks that were left behind and keep git from writing a worktree, whose record
/// `admin` is, and `branch`.
///
/// # Errors
/// `Locked` when somebody is at work, `Io` when one cannot be removed.
pub(super) fn clear(
    at: &WorktreeAt,
    repo_path: &Path,
    common_dir: &Path,
    admin: &Path,
    branch: &str,
) -> Result<(), GitError> {
    let worktree = at.worktree.as_path();
    for name in ["index.lock", "HEAD.lock"] {
        clear_one(&admin.join(name), &[worktree, admin], &at.name)?;
    }
    // A branch can be written from every checkout.
    let anywhere = [worktree, repo_path, common_dir];
    let of_branch = common_dir.join(format!("refs/heads/{branch}.lock"));
    clear_one(&of_branch, &anywhere, &at.name)
}

/// `folders` are those in which a `git` that holds it works; `name` is the repo's.
#[expect(
    clippy::disallowed_methods,
    reason = "nobody tells when another program's lock goes"
)]
fn clear_one(lock: &Path, folders: &[&Path], name: &str) -> Result<(), GitError> {
    let begun = Instant::now();
    loop {
        let Ok(found) = fs::symlink_metadata(lock) else {
            return Ok(());
        };
        let made = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        // A lock with a time in the future counts as new.
        let age = made.elapsed().unwrap_or_default();
        let left_behind = age >= PATIENCE
            && match holders::is_held(&found, folders) {
                Some(held) => !held,
                None => age >= AGE_IN_DOUBT,
            };
        if left_behind {
            return remove(lock, &found);
        }
        if begun.elapsed() >= PATIENCE + POLL {
            return Err(GitError::Locked {
                name: name.to_owned(),
                lock: lock.to_owned(),
            });
        }
        thread::sleep(POLL);
    }
}

/// Removes this lock, but not another one that has replaced it in the meantime.
fn remove(lock: &Path, judged: &Metadata) -> Result<(), GitError> {
    let identity = |found: &Metadata| (found.dev(), found.ino(), found.modified().ok());
    let now = fs::symlink_metadata(lock);
    if now.is_ok_and(|now| identity(&now) != identity(judged)) {
        return Ok(()); // whoever needs it is told of the new one
    }
    log::warn!(
        "Removing {}, which a git command left behind.",
        lock.display()
    );
    files::remove(lock).context("removing a lock that was left behind")
}

/// The lock of a worktree's index, held by us.
#[derive(Debug)]
pub(super) struct IndexLock {
    path: PathBuf,
    /// Kept open, so that others see who holds it.
    _file: File,
}

impl IndexLock {
    /// Takes it, so that no `git` changes the index meanwhile.
    ///
    /// # Errors
    /// `Locked` when somebody else has it, `Io` when it cannot be made.
    pub(super) fn take(admin: &Path, name: &str) -> Result<Self, GitError> {
        let path = admin.join("index.lock");
        match File::create_new(&path) {
            Ok(mut file) => {
                // For a person who finds it.
                drop(writeln!(file, "abbado {}", process::id()));
                Ok(Self { path, _file: file })
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(GitError::Locked {
                name: name.to_owned(),
                lock: path,
            }),
            Err(error) => Err(error).context("locking a worktree's index"),
        }
    }
}

impl Drop for IndexLock {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            log::warn!(error:% = error; "Could not remove the lock of a worktree's index.");
        }
    }
}
