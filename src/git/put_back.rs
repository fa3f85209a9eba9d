//! Keeps the files of a checkout during an update, and restores them when it fails half way.
//!
//! `git` removes a file before it writes the new one, so a second hard link keeps the old contents at
//! no cost; on another file system the file is copied. Restoring it runs no filter.

use super::{Context, GitError, on_disk::is_gone, place::Place, temporary::TemporaryFolder};
use crate::files;
use git2::{Oid, Repository};
use std::{
    fs, io,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, symlink},
    },
    path::{Path, PathBuf},
};

/// A path that a move of a branch changes in its checkout.
pub(super) struct Change {
    /// Relative to the checkout.
    pub path: PathBuf,
    /// It existed before.
    pub before: bool,
    /// Its blob afterwards, when it is a file or a link then.
    pub after: Option<Oid>,
}

/// Files as they were before an update.
pub(super) struct Saved(TemporaryFolder);

impl Saved {
    /// Keeps the files that the changes replace or remove.
    ///
    /// # Errors
    /// `Io` when one cannot be kept.
    pub(super) fn new(place: &Place, changes: &[Change]) -> Result<Self, GitError> {
        let saved = TemporaryFolder::create(place.git_dir(), "saved")?;
        for change in changes.iter().filter(|change| change.before) {
            let kept = saved.0.join(&change.path);
            keep(&place.work_tree().join(&change.path), &kept)
                .context("keeping the files of a checkout")?;
        }
        Ok(Self(saved))
    }

    /// Reverts what an update wrote. Contents that it cannot have written are left alone: somebody
    /// saved the file in the meantime.
    pub(super) fn put_back(self, repository: &Repository, place: &Place, changes: &[Change]) {
        let root = place.work_tree();
        let written = |change: &Change| {
            let after = change.after;
            after.is_some_and(|blob| is_written(repository, place, &change.path, blob))
        };
        for change in changes.iter().filter(|change| !change.before) {
            if written(change) {
                log_failure(fs::remove_file(root.join(&change.path)));
                remove_empty_parents(root, &change.path);
            }
        }
        for change in changes.iter().filter(|change| change.before) {
            let (kept, path) = (self.0.0.join(&change.path), root.join(&change.path));
            let (Ok(kept_is), now) = (fs::symlink_metadata(&kept), fs::symlink_metadata(&path))
            else {
                continue; // it was none of the files checked out
            };
            let same = now.as_ref().is_ok_and(|now| is_same(now, &kept_is));
            if !same && (now.is_err() || written(change)) {
                log_failure(restore(&kept, &path));
            }
        }
    }
}

fn keep(path: &Path, kept: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() || found.is_symlink() => found,
        // A submodule, or outside of a sparse checkout.
        Ok(_) => return Ok(()),
        Err(error) if is_gone(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    if let Some(parent) = kept.parent() {
        fs::create_dir_all(parent)?;
    }
    if fs::hard_link(path, kept).is_ok() {
        return Ok(());
    }
    copy(path, kept, found.is_symlink())
}

fn restore(kept: &Path, path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    if fs::rename(kept, path).is_ok() {
        return Ok(());
    }
    if fs::symlink_metadata(path).is_ok() {
        fs::remove_file(path)?;
    }
    copy(kept, path, fs::symlink_metadata(kept)?.is_symlink())
}

fn copy(from: &Path, to: &Path, link: bool) -> io::Result<()> {
    if link {
        return symlink(fs::read_link(from)?, to);
    }
    fs::copy(from, to).map(drop)
}

/// Whether a path holds a blob, or a beginning of it: what `git` wrote when the disk was full.
fn is_written(repository: &Repository, place: &Place, path: &Path, blob: Oid) -> bool {
    let full = place.work_tree().join(path);
    let read = match fs::symlink_metadata(&full) {
        Ok(found) if found.is_symlink() => {
            fs::read_link(&full).map(|to| to.as_os_str().as_bytes().to_vec())
        }
        Ok(found) if found.is_file() => files::read(&full, files::LARGE),
        Ok(_) | Err(_) => return false,
    };
    let Ok(read) = read else { return false };
    let stored = repository.find_blob(blob);
    if stored.is_ok_and(|stored| stored.content().starts_with(&read)) {
        return true;
    }
    // Line endings and filters made it differ from what is stored.
    let hash = place.git("hash-object --").arg(path).run_line();
    hash.is_ok_and(|hash| hash == blob.to_string())
}

fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

fn remove_empty_parents(root: &Path, path: &Path) {
    for above in path.ancestors().skip(1) {
        if above.as_os_str().is_empty() || fs::remove_dir(root.join(above)).is_err() {
            return;
        }
    }
}

fn log_failure(outcome: io::Result<()>) {
    if let Err(error) = outcome {
        log::warn!(error:% = error; "Could not restore a file of a checkout.");
    }
}
