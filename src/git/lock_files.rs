//! Lock files of git's: ours while files are replaced, and those that a killed `git` left behind.
//!
//! Git says of a lock only that it exists. Here a lock counts as left behind when it is older than
//! a moment and nobody can hold it ([`holders`]); then it is removed. Only locks are looked at that a
//! run's own worktree and branch need: those of the user's checkout, of its configuration and of
//! packed refs are named by the refusal of git, and left to their owner.

use super::GitError;
use crate::files;
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
/// The same where it cannot be told who holds it.
const AGE_IN_DOUBT: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(50);

/// The locks that keep git from writing a run's worktree and branch.
pub(super) struct LockFiles<'a> {
    /// The worktree's record.
    pub admin: &'a Path,
    /// The common git folder.
    pub common_dir: &'a Path,
    /// The worktree.
    pub worktree: &'a Path,
    /// The user's checkout.
    pub repo_path: &'a Path,
    /// The run's branch.
    pub branch: &'a str,
    /// The repo, for the refusal.
    pub name: &'a str,
}

impl LockFiles<'_> {
    /// Removes those that were left behind.
    ///
    /// # Errors
    /// `Locked` when somebody is at work, `Io` when one cannot be removed.
    pub(super) fn clear(&self) -> Result<(), GitError> {
        let in_worktree = [self.worktree, self.admin];
        for name in ["index.lock", "HEAD.lock"] {
            self.clear_one(&self.admin.join(name), &in_worktree)?;
        }
        // A branch can be written from every checkout.
        let anywhere = [self.worktree, self.repo_path, self.common_dir];
        let of_branch = format!("refs/heads/{}.lock", self.branch);
        self.clear_one(&self.common_dir.join(of_branch), &anywhere)
    }

    /// `folders` are those in which a `git` that holds it works.
    #[expect(
        clippy::disallowed_methods,
        reason = "nobody tells when another program's lock goes"
    )]
    fn clear_one(&self, lock: &Path, folders: &[&Path]) -> Result<(), GitError> {
        let begun = Instant::now();
        loop {
            let Ok(found) = fs::symlink_metadata(lock) else {
                return Ok(());
            };
            let made = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            // One of the future is young.
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
                    name: self.name.to_owned(),
                    lock: lock.to_owned(),
                });
            }
            thread::sleep(POLL);
        }
    }
}

/// Removes a lock that was judged, and no other that took its name meanwhile.
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
    files::remove(lock).map_err(GitError::io("removing a lock that was left behind"))
}

/// The lock of a worktree's index, held by us.
#[derive(Debug)]
pub(super) struct IndexLock {
    path: PathBuf,
    /// Open for as long as it is held, as others can see.
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
                // For people who find it.
                drop(writeln!(file, "abbado {}", process::id()));
                Ok(Self { path, _file: file })
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(GitError::Locked {
                name: name.to_owned(),
                lock: path,
            }),
            Err(error) => Err(GitError::io("locking a worktree's index")(error)),
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
