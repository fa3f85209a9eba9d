//! Looks through all files of a commit without checking them out.

use super::GitError;
use git2::{ObjectType, Oid, Repository, TreeEntry};

/// Most folders of a commit that are looked through. Large repositories have some hundred thousand;
/// one that is made for it can have billions, by naming a tree in itself again and again.
const FOLDERS_MAX: usize = 1_000_000;

/// Name of the files that tell git how to treat others.
pub(super) const ATTRIBUTES: &[u8] = b".gitattributes";

/// Shows `visit` what is in a commit's folders, folders aside, in no certain order, for as long as
/// it answers true.
///
/// # Errors
/// When the commit or a tree is not there, as in a partial clone; `TooMuch` folders; and those of
/// `visit`.
pub(super) fn each_entry(
    repository: &Repository,
    commit: Oid,
    mut visit: impl FnMut(&TreeEntry<'_>) -> Result<bool, GitError>,
) -> Result<(), GitError> {
    let failed = || GitError::library("reading a commit's files");
    let tree = repository.find_commit(commit).map(|it| it.tree_id());
    let mut trees = vec![tree.map_err(failed())?];
    let mut folders = 0;
    while let Some(tree) = trees.pop() {
        folders += 1;
        if folders > FOLDERS_MAX {
            let what = format!("commit {commit} has more than {FOLDERS_MAX} folders");
            return Err(GitError::TooMuch { what });
        }
        let tree = repository.find_tree(tree).map_err(failed())?;
        for entry in &tree {
            if entry.kind() == Some(ObjectType::Tree) {
                trees.push(entry.id());
            } else if !visit(&entry)? {
                return Ok(());
            }
        }
    }
    Ok(())
}
