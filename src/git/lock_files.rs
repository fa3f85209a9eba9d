//! Lock files of git's: ours while files are replaced, and those that a killed `git` left behind.
//!
//! Git says of a lock only that it exists. Here a lock counts as left behind when it is older than
//! a moment and no `git` is at work in the folders concerned; then it is removed. A lock of a `git`
//! that lives is waited for briefly, then named in the refusal.

use super::GitError;
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process, thread,
    time::{Duration, Instant, SystemTime},
};

/// How long a lock is waited for, and the age from which it may count as left behind.
const PATIENCE: Duration = Duration::from_secs(2);
/// The same where processes cannot be listed.
const AGE_WITHOUT_PROCESSES: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(50);

/// The locks that keep git from writing a run's worktree and branch.
pub(super) struct LockFiles<'a> {
    /// The worktree's record.
    pub admin: &'a Path,
    /// The common git folder.
    pub common_dir: &'a Path,
    /// Folders in which a `git` that holds one of them works.
    pub folders: &'a [&'a Path],
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
        let of_branch = format!("refs/heads/{}.lock", self.branch);
        let locks = [
            self.admin.join("index.lock"),
            self.admin.join("HEAD.lock"),
            self.common_dir.join(of_branch),
        ];
        locks.iter().try_for_each(|lock| self.clear_one(lock))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "nobody tells when another program's lock goes"
    )]
    fn clear_one(&self, lock: &Path) -> Result<(), GitError> {
        let begun = Instant::now();
        loop {
            let Ok(found) = fs::symlink_metadata(lock) else {
                return Ok(());
            };
            let made = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let age = made.elapsed().unwrap_or_default();
            let at_work = git_at_work(self.folders);
            let old = at_work.map_or(AGE_WITHOUT_PROCESSES, |_| PATIENCE);
            if at_work != Some(true) && age >= old {
                log::warn!(
                    "{} was left behind by a git that ended; it is removed.",
                    lock.display()
                );
                return match fs::remove_file(lock) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        Err(GitError::io("removing a lock that was left behind")(error))
                    }
                    Ok(()) | Err(_) => Ok(()),
                };
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

/// Whether a `git` works in one of these folders or below; `None` when that cannot be told.
fn git_at_work(folders: &[&Path]) -> Option<bool> {
    let processes = fs::read_dir("/proc").ok()?;
    let folders: Vec<PathBuf> = folders
        .iter()
        .filter_map(|folder| folder.canonicalize().ok())
        .collect();
    let mut any = false;
    for process in processes.flatten() {
        let Ok(name) = fs::read(process.path().join("comm")) else {
            continue;
        };
        any = true;
        if !name.starts_with(b"git") {
            continue;
        }
        let works_in = fs::read_link(process.path().join("cwd"));
        if works_in.is_ok_and(|at| folders.iter().any(|folder| at.starts_with(folder))) {
            return Some(true);
        }
    }
    any.then_some(false)
}

/// The lock of a worktree's index, held by us.
#[derive(Debug)]
pub(super) struct IndexLock {
    path: PathBuf,
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
                Ok(Self { path })
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
            log::warn!(error:% = error; "The lock of a worktree's index stays.");
        }
    }
}
