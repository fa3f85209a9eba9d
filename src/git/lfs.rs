//! Files that Git LFS keeps elsewhere: whether a worktree has their contents.
//!
//! Called by `worktree`, after a checkout.

use super::{
    GitError,
    index::Index,
    place::Place,
    surroundings::ATTRIBUTES,
    text::{items, os_string},
};
use crate::files;
use memchr::memmem;
use std::path::PathBuf;

/// A sentence when a file of attributes names LFS for a worktree that was checked out without it:
/// what LFS keeps are pointers there.
pub(super) fn note(place: &Place) -> Result<Option<String>, GitError> {
    if is_set_up(place) {
        return Ok(None);
    }
    let names_lfs = attributes(place)?
        .into_iter()
        .map(|path| place.work_tree().join(path))
        .filter_map(|path| files::read(&path, files::LARGE).ok())
        .any(|text| memmem::find(&text, b"filter=lfs").is_some());
    Ok(names_lfs.then(|| {
        "Git LFS is not set up in your git configuration, so its files are pointers. Run `git lfs install`, then `git lfs pull` in the worktree to get their contents."
            .to_owned()
    }))
}

/// Whether the user's own configuration has the filter of LFS (`git lfs install` makes it). One
/// that the repository itself names does not count: it is never run.
fn is_set_up(place: &Place) -> bool {
    ["filter.lfs.smudge", "filter.lfs.process"]
        .iter()
        .any(|key| place.is_configured(key))
}

/// Paths of the files of attributes in a worktree's index.
fn attributes(place: &Place) -> Result<Vec<PathBuf>, GitError> {
    let mut found = Vec::new();
    let read = Index::paths(&place.git_dir().join("index"), |path| {
        if path.rsplit(|byte| *byte == b'/').next() == Some(ATTRIBUTES) {
            found.push(os_string(path).into());
        }
    })?;
    if read.is_some() {
        return Ok(found);
    }
    // It has parts elsewhere, or folders in the place of files.
    let listed = place.git("ls-files -z -- .gitattributes **/.gitattributes");
    let listed = listed.run()?;
    Ok(items(&listed).map(|path| os_string(path).into()).collect())
}
