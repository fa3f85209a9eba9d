//! Files and folders of ours in a worktree's record that are removed with their owners.
//!
//! # Crash
//! They stay in the record; the next [`super::staging`] removes them.

use super::{Context, GitError, records::temporary, removal};
use crate::files;
use std::{
    ffi::OsString,
    fs::{self, File, FileTimes},
    io,
    path::{Path, PathBuf},
    process,
};

/// A folder that is removed with its owner.
#[derive(Debug)]
pub(super) struct TemporaryFolder(pub PathBuf);

impl TemporaryFolder {
    /// Creates one in a worktree's record.
    ///
    /// # Errors
    /// `Io`.
    pub(super) fn create(admin: &Path, what: &str) -> Result<Self, GitError> {
        let folder = Self(temporary(admin, what));
        fs::create_dir(&folder.0).context("creating a temporary folder")?;
        Ok(folder)
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = removal::remove_folder(&self.0) {
            log::warn!(error:% = error; "Could not remove a temporary folder of a worktree.");
        }
    }
}

/// An index file that is removed with its owner.
pub(super) struct TemporaryIndex {
    pub path: PathBuf,
    /// It began as a copy of the worktree's own.
    pub copied: bool,
}

impl TemporaryIndex {
    /// A name for an index that has nothing in it yet.
    pub(super) fn empty(admin: &Path) -> Self {
        Self {
            path: temporary(admin, "index"),
            copied: false,
        }
    }

    /// Copies a worktree's index, beside it: there it may refer to a shared part of itself.
    ///
    /// # Errors
    /// `Io`.
    pub(super) fn copy_of(admin: &Path) -> Result<Self, GitError> {
        let mut copy = Self::empty(admin);
        copy.copied = match copy_with_times(&admin.join("index"), &copy.path) {
            // What is not a file has nothing in it.
            Err(error) if files::is_absent(&error) => false,
            done => done.map(|()| true).context("copying a worktree's index")?,
        };
        Ok(copy)
    }

    /// Removes the file and a lock that a killed `git` left on it.
    pub(super) fn discard(&self) {
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

/// Copies a file; the copy has the times of the original.
pub(super) fn copy_with_times(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = files::open(from)?;
    let mut target = File::create(to)?;
    io::copy(&mut source, &mut target)?;
    target.set_times(FileTimes::new().set_modified(source.metadata()?.modified()?))
}

/// Removes what a server that was killed left in a worktree's record.
pub(super) fn remove_leftovers(admin: &Path) {
    const KINDS: [&str; 4] = ["index", "objects", "saved", "files"];
    let ours = process::id().to_string();
    for item in fs::read_dir(admin).into_iter().flatten().flatten() {
        let name = item.file_name();
        let parts: Vec<_> = name.to_str().unwrap_or_default().split('-').collect();
        if let ["abbado", kind, process, _] = parts[..]
            && KINDS.contains(&kind)
            && process != ours
        {
            let path = item.path();
            drop(fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path)));
        }
    }
}
