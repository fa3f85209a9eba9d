//! Commits thought out in memory, and written down only when they are wanted.
//!
//! A merge that conflicts leaves nothing in the repository. One that does not is written by
//! `git unpack-objects`, flushed to disk before a ref names it; libgit2 would not flush.

use super::{GitError, command::HEAVY, place::Place};
use git2::{Buf, Index, Oid, Repository};
use std::collections::BTreeSet;

/// Before every other store of objects.
const FIRST: i32 = 1_000;

/// Lets all objects that are made from here on stay in memory.
///
/// # Errors
/// When libgit2 refuses.
pub(super) fn begin(repository: &Repository) -> Result<(), GitError> {
    let failed = || GitError::library("preparing a merge");
    let objects = repository.odb().map_err(failed())?;
    objects.add_new_mempack_backend(FIRST).map_err(failed())?;
    Ok(())
}

/// Writes a drafted commit down, with all that none of the `known` ones has.
///
/// # Errors
/// Those of `git`, or when an object cannot be read.
pub(super) fn publish(
    repository: &Repository,
    place: &Place,
    commit: Oid,
    known: &[Oid],
) -> Result<(), GitError> {
    let pack = pack(repository, commit, known).map_err(GitError::library("packing a merge"))?;
    let write = place
        .git("git unpack-objects")
        .args(["unpack-objects", "-q"]);
    write.input(pack).limit(HEAVY).run().map(drop)
}

fn pack(repository: &Repository, commit: Oid, known: &[Oid]) -> Result<Vec<u8>, git2::Error> {
    let mut walk = repository.revwalk()?;
    walk.push(commit)?;
    for known in known {
        walk.hide(*known)?;
    }
    let mut builder = repository.packbuilder()?;
    builder.insert_walk(&mut walk)?;
    let mut pack = Buf::new();
    builder.write_buf(&mut pack)?;
    Ok(pack.to_vec())
}

/// The tree of a merged index, or the paths that conflict, by the names that a side has for them.
///
/// # Errors
/// `Conflict`, or `Library`.
pub(super) fn tree_of(
    repository: &Repository,
    mut index: Index,
    doing: &'static str,
) -> Result<Oid, GitError> {
    if !index.has_conflicts() {
        return index
            .write_tree_to(repository)
            .map_err(GitError::library(doing));
    }
    let mut paths = BTreeSet::new();
    for conflict in index.conflicts().map_err(GitError::library(doing))? {
        let conflict = conflict.map_err(GitError::library(doing))?;
        // A renamed file is told by the names that the sides have for it, git would tell the new
        // one only; libgit2 does not say which belong together.
        let sides = [conflict.our, conflict.their].into_iter().flatten();
        paths.extend(sides.map(|side| String::from_utf8_lossy(&side.path).into_owned()));
    }
    let paths = paths.into_iter().collect();
    Err(GitError::Conflict { paths })
}
