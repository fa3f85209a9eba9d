//! The present contents of a worktree, staged in an index of our own.
//!
//! A copy of the worktree's index is brought up to date, so that only changed files are read. The
//! copy keeps the original's time: git takes a file for changed when it is not older than the
//! index, and would miss an edit of the last moment under a newer time. The real index is never
//! written, nor is its lock looked at.

use super::{
    GitError, entries,
    place::Place,
    program::{HEAVY, Program, line, os_string},
    repository,
};
use crate::domain::run::event::WorktreeAt;
use git2::Repository;
use std::{
    ffi::OsString,
    fs::{self, File, FileTimes},
    io,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

/// A worktree of ours, ready to be read or written.
pub(super) struct Staging {
    pub place: Place,
    pub repository: Repository,
    index: TemporaryIndex,
    /// The commit checked out; none on a branch without commits.
    pub head: Option<git2::Oid>,
}

impl Staging {
    /// Finds the worktree through its repository and copies its index.
    ///
    /// # Errors
    /// `WorktreeGone`, `NotARepository`, and those of starting `git`.
    pub(super) fn open(at: &WorktreeAt, repo_path: &Path) -> Result<Self, GitError> {
        let gone = || GitError::WorktreeGone {
            name: at.name.clone(),
        };
        let repository = repository::open(repo_path)?;
        let common_dir = repository::common_dir(&repository)?;
        let entry = entries::find(&common_dir, &at.worktree)?.ok_or_else(gone)?;
        let is_folder = fs::symlink_metadata(&at.worktree).is_ok_and(|found| found.is_dir());
        if !is_folder {
            return Err(gone());
        }
        let head = head_of(&repository, &entry)?;
        let place = Place::open(&entry.admin, &at.worktree)?;
        let index = TemporaryIndex::copy_of(&entry.admin)?;
        Ok(Self {
            place,
            repository,
            index,
            head,
        })
    }

    /// Prepares a start of `git` on our index.
    pub(super) fn git<'a>(&self, name: &'static str) -> Program<'a> {
        self.place
            .git(name)
            .env("GIT_INDEX_FILE", &self.index.path)
            .limit(HEAVY)
    }

    /// Takes in all that git tracks or would track, ignored files aside.
    ///
    /// # Errors
    /// Those of `git`.
    pub(super) fn stage(&self) -> Result<(), GitError> {
        if !self.index.copied || self.unhide().is_err() {
            // Without an index, or with a broken one, files that are both tracked and ignored
            // would be missed: begin with those of HEAD.
            self.reset_index()?;
            self.unhide()?;
        }
        let add = || self.git("git add").args(["add", "--all", "--sparse"]);
        let Err(error) = add().run() else {
            return Ok(());
        };
        if !matches!(error, GitError::Failed { .. }) {
            return Err(error);
        }
        // A nested repository without a commit, or a file without the right to read it, stops
        // git at once. All the rest must be kept all the same.
        log::warn!(error:% = error; "A worktree could be staged in part only.");
        match add().arg("--ignore-errors").run() {
            Err(GitError::Failed { .. }) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes our index down as a tree, in hex.
    ///
    /// # Errors
    /// Those of `git`.
    pub(super) fn write_tree(&self) -> Result<String, GitError> {
        Ok(line(&self.git("git write-tree").arg("write-tree").run()?))
    }

    /// Makes our index that of HEAD, keeping what it knows about unchanged files.
    ///
    /// # Errors
    /// Those of `git`.
    pub(super) fn reset_index(&self) -> Result<(), GitError> {
        let read = self.git("git read-tree").arg("read-tree");
        let read = match self.head {
            Some(head) => read.arg("--reset").arg(head.to_string()),
            None => read.arg("--empty"),
        };
        if read.run().is_ok() {
            return Ok(());
        }
        // It could not be read: begin with none.
        self.index.discard();
        let read = self.git("git read-tree").arg("read-tree");
        match self.head {
            Some(head) => read.arg(head.to_string()).run().map(drop),
            None => read.arg("--empty").run().map(drop),
        }
    }

    /// Puts our index in the place of the worktree's own, in one step.
    ///
    /// # Errors
    /// `Io` when the file system refuses.
    pub(super) fn install_index(&self) -> Result<(), GitError> {
        let own = self.place.git_dir().join("index");
        fs::rename(&self.index.path, own).map_err(GitError::io("replacing a worktree's index"))
    }

    /// Clears the marks that make git look away from a file (`--assume-unchanged`,
    /// `--skip-worktree`), of files that are there: their changes are work too.
    fn unhide(&self) -> Result<(), GitError> {
        let listed = self
            .git("git ls-files")
            .args(["ls-files", "-v", "-z"])
            .run()?;
        let (mut assumed, mut skipped) = (Vec::new(), Vec::new());
        for entry in listed.split(|byte| *byte == 0) {
            let [tag, b' ', path @ ..] = entry else {
                continue;
            };
            if tag.is_ascii_lowercase() {
                assumed.extend_from_slice(path);
                assumed.push(0);
            }
            let is_there = || {
                let path = PathBuf::from(os_string(path));
                fs::symlink_metadata(self.place.work_tree().join(path)).is_ok()
            };
            if tag.eq_ignore_ascii_case(&b's') && is_there() {
                skipped.extend_from_slice(path);
                skipped.push(0);
            }
        }
        for (flag, paths) in [
            ("--no-assume-unchanged", assumed),
            ("--no-skip-worktree", skipped),
        ] {
            if !paths.is_empty() {
                let update = self.git("git update-index").arg("update-index");
                update.args([flag, "-z", "--stdin"]).input(paths).run()?;
            }
        }
        Ok(())
    }
}

/// The commit that a worktree's HEAD names.
fn head_of(repository: &Repository, entry: &entries::Entry) -> Result<Option<git2::Oid>, GitError> {
    if let Some(branch) = entry.branch() {
        return repository::branch_tip(repository, &branch);
    }
    let head = fs::read_to_string(entry.admin.join("HEAD"));
    let head = head.map_err(GitError::io("reading a worktree's HEAD"))?;
    git2::Oid::from_str(head.trim())
        .map(Some)
        .map_err(GitError::library("reading HEAD"))
}

/// An index file that goes with its owner.
struct TemporaryIndex {
    path: PathBuf,
    /// It began as a copy of the worktree's own.
    copied: bool,
}

impl TemporaryIndex {
    /// Copies a worktree's index, beside it: there it may refer to a shared part of itself.
    fn copy_of(admin: &Path) -> Result<Self, GitError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = admin.join(format!("abbado-index-{}-{number}", process::id()));
        let copied = match copy_with_times(&admin.join("index"), &path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(GitError::io("copying a worktree's index")(error)),
        };
        Ok(Self { path, copied })
    }

    /// Removes the file and a lock that a killed `git` left on it.
    fn discard(&self) {
        let mut lock = OsString::from(&self.path);
        lock.push(".lock");
        drop(fs::remove_file(lock));
        drop(fs::remove_file(&self.path));
    }
}

impl Drop for TemporaryIndex {
    fn drop(&mut self) {
        self.discard();
    }
}

fn copy_with_times(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mut target = File::create(to)?;
    io::copy(&mut source, &mut target)?;
    target.set_times(FileTimes::new().set_modified(source.metadata()?.modified()?))
}
