//! Deletes a branch that a user chose.
//!
//! Called under the repository's lock. Commits that may be on no other branch are first saved under a
//! hidden ref.

use super::{
    Context, GitError, branches, checkouts, keep,
    place::Place,
    repository::{self, Tip},
};
use std::path::Path;

/// Deletes a local branch, and git's settings of it.
///
/// With `force` also one that is not merged into the default branch ([`super::branches`]); it is
/// kept as `refs/abbado/deleted-branches/<branch>/<commit>`.
///
/// # Errors
/// `UnknownRevision` when there is no such branch, `InvalidName`, `CheckedOut`, `DefaultBranch`,
/// `NotMerged`, `BranchMoved` when somebody else moved it meanwhile, and those of starting
/// `git`. On error the branch is unchanged.
pub(crate) fn delete_user_branch(
    repo_path: &Path,
    branch: &str,
    force: bool,
) -> Result<(), GitError> {
    let repository = repository::open(repo_path)?;
    let tip = Tip::find(&repository, repo_path, branch)?;
    let name = || branch.to_owned();
    let checkouts = checkouts::of_branch(&repository, branch)?;
    if let Some(checkout) = checkouts.into_iter().next() {
        return Err(GitError::CheckedOut {
            branch: name(),
            checkout: checkout.folder,
        });
    }
    let default = branches::named_or_default(&repository, repo_path, None)?;
    if default.branch == branch {
        return Err(GitError::DefaultBranch { branch: name() });
    }
    let merged = repository::is_before(&repository, tip.commit, default.commit)
        .context("looking for commits of a branch")?;
    if !merged && !force {
        return Err(GitError::NotMerged {
            branch: name(),
            into: default.branch,
        });
    }
    let place = Place::of_repository(&repository, repo_path)?;
    let commit = tip.commit.to_string();
    if !merged {
        let kept = format!("refs/abbado/deleted-branches/{branch}/{commit}");
        keep::set_ref(&place, &kept, &commit)?;
    }
    #[cfg(test)]
    super::tests::before_ref();
    let delete = place.git("update-ref --no-deref -d --");
    if let Err(error) = delete
        .args([&format!("refs/heads/{branch}"), &commit])
        .run()
    {
        return match repository::branch_tip(&repository, branch) {
            Ok(now) if now == Some(tip.commit) => Err(error),
            _ => Err(GitError::BranchMoved { branch: name() }),
        };
    }
    // A later branch of this name would inherit them. Most branches have none.
    let forget = place.git("config --local --remove-section");
    if let Err(error) = forget.arg(format!("branch.{branch}")).run() {
        log::debug!(error:% = error; "Could not remove the settings of a deleted branch.");
    }
    Ok(())
}
