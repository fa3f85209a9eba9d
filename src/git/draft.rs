//! Commits that are prepared in memory, and written to disk only when they are needed.
//!
//! A merge with conflicts leaves nothing in the repository. Another one is written by
//! `git unpack-objects`, which flushes it to disk before a ref names it; libgit2 would not.

use super::{Context, GitError, command::HEAVY, place::Place, repository};
use git2::{Buf, Index, Oid, Repository};
use std::collections::BTreeSet;

/// Priority of the store in memory, above all others.
const FIRST: i32 = 1_000;

/// Keeps all objects that are made from now on in memory.
///
/// # Errors
/// When libgit2 refuses.
pub(super) fn begin(repository: &Repository) -> Result<(), GitError> {
    let doing = "preparing a merge";
    let objects = repository.odb().context(doing)?;
    objects.add_new_mempack_backend(FIRST).context(doing)?;
    Ok(())
}

/// Writes a drafted commit to disk, with everything that none of the `known` commits has.
///
/// # Errors
/// Those of `git`, or when an object cannot be read.
pub(super) fn publish(
    repository: &Repository,
    place: &Place,
    commit: Oid,
    known: &[Oid],
) -> Result<(), GitError> {
    let pack = pack(repository, commit, known).context("packing a merge")?;
    let write = place.git("unpack-objects -q");
    write.input(pack).limit(HEAVY).run().map(drop)
}

fn pack(repository: &Repository, commit: Oid, known: &[Oid]) -> Result<Vec<u8>, git2::Error> {
    let mut walk = repository::walk(repository, commit, known)?;
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
        return index.write_tree_to(repository).context(doing);
    }
    let mut paths = BTreeSet::new();
    for conflict in index.conflicts().context(doing)? {
        let conflict = conflict.context(doing)?;
        // A renamed file is reported by its name on each side; git would report the new one only, but
        // libgit2 does not tell which names belong together.
        let sides = [conflict.our, conflict.their].into_iter().flatten();
        paths.extend(sides.map(|side| String::from_utf8_lossy(&side.path).into_owned()));
    }
    let paths = paths.into_iter().collect();
    Err(GitError::Conflict { paths })
}
