//! Files that Git LFS keeps elsewhere: whether a worktree has their contents.
//!
//! Called by `worktree`, after a checkout.

use super::{
    GitError,
    index::Index,
    place::Place,
    text::{items, os_string},
    tree::ATTRIBUTES,
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
    let index = files::read_linked(&place.git_dir().join("index"), files::LARGE);
    let index = index.map_err(GitError::io("reading a worktree's index"))?;
    let mut found = Vec::new();
    let read = Index::paths(&index, |path| {
        if path.rsplit(|byte| *byte == b'/').next() == Some(ATTRIBUTES) {
            found.push(os_string(path).into());
        }
    });
    read.map_or_else(|| attributes_by_git(place), |()| Ok(found))
}

/// The same for an index that has parts elsewhere, or folders in the place of files.
fn attributes_by_git(place: &Place) -> Result<Vec<PathBuf>, GitError> {
    let listed = place
        .git("git ls-files")
        .args(["ls-files", "-z", "--"])
        .args([".gitattributes", "**/.gitattributes"])
        .run()?;
    Ok(items(&listed).map(|path| os_string(path).into()).collect())
}
