//! Files outside of a sparse checkout that a restore has to bring back.
//!
//! In a sparse checkout git writes only what its patterns name, and assumes everything else to be as HEAD
//! has it. An agent may have made or changed files elsewhere, and a checkpoint holds them. Those are
//! the paths that differ from HEAD: they are written, and are not taken for unchanged.

use super::{
    GitError,
    repository::EMPTY_TREE,
    staging::Staging,
    text::{is_true, items, list},
};
use git2::Oid;
use std::collections::BTreeSet;

/// Paths in which a tree differs from HEAD; none where the checkout is not sparse.
pub(super) fn differing(staging: &Staging, tree: Oid) -> Result<BTreeSet<Vec<u8>>, GitError> {
    let sparse = staging.place.value(b"core.sparsecheckout");
    if !sparse.is_some_and(is_true) {
        return Ok(BTreeSet::new());
    }
    let head = staging.head.map(|head| head.to_string());
    let told = staging
        .git("diff-tree -r -z --name-only --no-renames")
        .args([head.as_deref().unwrap_or(EMPTY_TREE), &tree.to_string()])
        .run()?;
    Ok(items(&told).map(<[u8]>::to_vec).collect())
}

/// Has git look at these paths of our index, wherever its patterns leave them out; returns those, with a
/// NUL after each.
pub(super) fn show(staging: &Staging, paths: &BTreeSet<Vec<u8>>) -> Result<Vec<u8>, GitError> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let listed = staging.git("ls-files -v -z").run()?;
    let left_out = list(items(&listed).filter_map(|line| match line {
        [b'S' | b's', b' ', path @ ..] if paths.contains(path) => Some(path),
        _ => None,
    }));
    if !left_out.is_empty() {
        let update = staging.edit_index("update-index --no-skip-worktree -z --stdin");
        update.input(left_out.clone()).run()?;
    }
    Ok(left_out)
}

/// Writes those of these paths out that are in our index and outside of the checkout.
pub(super) fn write(staging: &Staging, paths: &BTreeSet<Vec<u8>>) -> Result<(), GitError> {
    let left_out = show(staging, paths)?;
    if left_out.is_empty() {
        return Ok(());
    }
    let write = staging.git("checkout-index --force -u -q -z --stdin");
    write.input(left_out).run().map(drop)
}
