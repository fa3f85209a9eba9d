//! Files that Git LFS keeps elsewhere: whether a worktree has their contents.
//!
//! Called by `worktree`, beside a checkout and after it.

use super::{
    GitError,
    place::Place,
    program::os_string,
    tree::{ATTRIBUTES, each_entry, file_name},
};
use git2::{Oid, Repository};
use memchr::memmem;
use std::{fs, path::PathBuf};

/// Whether the user's own configuration has the filter of LFS (`git lfs install` makes it). One
/// that the repository itself names does not count: it is never run.
pub(super) fn is_set_up(place: &Place) -> bool {
    ["filter.lfs.smudge", "filter.lfs.process"]
        .iter()
        .any(|key| place.is_configured(key))
}

/// Paths of a commit's files of attributes. A worktree is not needed: this can be asked while one
/// is still checked out.
///
/// # Errors
/// When the repository has not all trees of the commit, as a partial clone.
pub(super) fn attributes(repository: &Repository, commit: Oid) -> Result<Vec<PathBuf>, GitError> {
    let mut found = Vec::new();
    each_entry(repository, commit, |folder, entry| {
        if entry.name_bytes() == ATTRIBUTES {
            found.push(folder.join(file_name(entry)));
        }
        Ok(true)
    })?;
    Ok(found)
}

/// A sentence when one of these files of attributes names LFS for a worktree that is checked out
/// without it: what LFS keeps are pointers there.
pub(super) fn note(place: &Place, attributes: &[PathBuf]) -> Option<String> {
    let names_lfs = attributes
        .iter()
        .map(|path| place.work_tree().join(path))
        .filter(|path| fs::symlink_metadata(path).is_ok_and(|found| found.is_file()))
        .any(|path| fs::read(path).is_ok_and(|text| memmem::find(&text, b"filter=lfs").is_some()));
    names_lfs.then(|| {
        "Files of Git LFS are pointers here: Git LFS is not set up in your own git configuration. \
         `git lfs install` sets it up; `git lfs pull` in the worktree brings the contents."
            .to_owned()
    })
}

/// Paths of the files of attributes in a worktree's index: git brings what a partial clone lacks.
///
/// # Errors
/// Those of starting `git`.
pub(super) fn attributes_in_index(place: &Place) -> Result<Vec<PathBuf>, GitError> {
    let listed = place
        .git("git ls-files")
        .args(["ls-files", "-z", "--"])
        .args([".gitattributes", "**/.gitattributes"])
        .run()?;
    let paths = listed
        .split(|byte| *byte == 0)
        .filter(|path| !path.is_empty());
    Ok(paths.map(|path| os_string(path).into()).collect())
}
