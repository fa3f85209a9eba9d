//! Looks through all files of a commit without checking them out.

use super::GitError;
use git2::{ObjectType, Oid, Repository, TreeEntry};
use std::path::{Path, PathBuf};

/// Most folders of a commit that are looked through. Large repositories have some hundred thousand;
/// one that is made for it can have billions, by naming a tree in itself again and again.
const FOLDERS_MAX: usize = 1_000_000;

/// Name of the files that tell git how to treat others.
pub(super) const ATTRIBUTES: &[u8] = b".gitattributes";

/// Shows `visit` what is in a commit's folders, folders aside, in no certain order, for as long as
/// it answers true. Given with each is the folder that it lies in.
///
/// # Errors
/// When the commit or a tree is not there, as in a partial clone; `TooMuch` folders; and those of
/// `visit`.
pub(super) fn each_entry(
    repository: &Repository,
    commit: Oid,
    mut visit: impl FnMut(&Path, &TreeEntry<'_>) -> Result<bool, GitError>,
) -> Result<(), GitError> {
    let failed = || GitError::library("reading a commit's files");
    let tree = repository.find_commit(commit).map(|it| it.tree_id());
    let mut trees = vec![(PathBuf::new(), tree.map_err(failed())?)];
    let mut folders = 0;
    while let Some((folder, tree)) = trees.pop() {
        folders += 1;
        if folders > FOLDERS_MAX {
            let what = format!("commit {commit} has more than {FOLDERS_MAX} folders");
            return Err(GitError::TooMuch { what });
        }
        let tree = repository.find_tree(tree).map_err(failed())?;
        for entry in &tree {
            if entry.kind() == Some(ObjectType::Tree) {
                trees.push((folder.join(file_name(&entry)), entry.id()));
            } else if !visit(&folder, &entry)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The name of an entry as the system sees it.
pub(super) fn file_name(entry: &TreeEntry<'_>) -> PathBuf {
    super::program::os_string(entry.name_bytes()).into()
}
