//! A run branch gets another name: in all repositories or in none.

use super::{GitError, place::Place, repository};
use std::path::Path;

/// Renames a branch, also where it is checked out. Its upstream stays what it was.
///
/// # Errors
/// `InvalidName`, `BranchTaken`, `BranchInTheWay`, `UnknownRevision` when it is not there,
/// `Refused` by git, and those of starting `git`.
pub(super) fn rename_branch(repo_path: &Path, from: &str, to: &str) -> Result<(), GitError> {
    repository::check_branch_free(repo_path, to)?;
    let repository = repository::open(repo_path)?;
    if repository::branch_tip(&repository, from)?.is_none() {
        return Err(GitError::unknown(repo_path, from, ""));
    }
    let place = Place::of_repository(&repository, repo_path)?;
    match place.git("branch -m --").args([from, to]).run() {
        Err(GitError::Failed { stderr, .. }) => {
            // Its settings could not follow.
            if repository::branch_tip(&repository, from)?.is_none()
                && let Err(error) = place.git("branch -m --").args([to, from]).run()
            {
                log::debug!(error:% = error; "Renamed a branch back, because its settings cannot be written.");
            }
            Err(GitError::Refused {
                what: "to rename the branch",
                said: stderr,
            })
        }
        outcome => outcome.map(drop),
    }
}

/// One repo of a run: its name, its path, and what its branch is called now.
pub(crate) type ToRename<'a> = (&'a str, &'a Path, &'a str);

/// Renames the branch in each of `repos`; when one refuses, all go back.
///
/// # Errors
/// The name of the repo that refused, and why.
pub(crate) fn rename_everywhere(
    repos: &[ToRename<'_>],
    to: &str,
) -> Result<(), (String, GitError)> {
    for (at, (name, repo_path, from)) in repos.iter().enumerate() {
        if let Err(error) = rename_branch(repo_path, from, to) {
            for (name, repo_path, from) in &repos[..at] {
                if let Err(error) = rename_branch(repo_path, to, from) {
                    log::error!("Could not rename branch {to} of {name} back to {from}: {error}.");
                }
            }
            return Err(((*name).to_owned(), error));
        }
    }
    Ok(())
}
