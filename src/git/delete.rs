//! Deletes a branch that a user chose.
//!
//! Called under the repository's lock. Commits that no other branch may have are kept under a
//! hidden ref first.

use super::{
    GitError, branches, checkouts, keep,
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
/// `git`. The branch is as it was then.
pub(crate) fn delete_user_branch(
    repo_path: &Path,
    branch: &str,
    force: bool,
) -> Result<(), GitError> {
    delete_held(repo_path, branch, force, &|| {})
}

/// [`delete_user_branch`], with a moment right before the ref goes.
pub(super) fn delete_held(
    repo_path: &Path,
    branch: &str,
    force: bool,
    before_ref: &dyn Fn(),
) -> Result<(), GitError> {
    let repository = repository::open(repo_path)?;
    let tip = Tip::find(&repository, repo_path, branch)?;
    let name = || branch.to_owned();
    if let Some(checkout) = checkouts::of_branch(&repository, branch)?
        .into_iter()
        .next()
    {
        return Err(GitError::CheckedOut {
            branch: name(),
            checkout: checkout.folder,
        });
    }
    let default = branches::named_or_default(&repository, repo_path, None)?;
    if default.branch == branch {
        return Err(GitError::DefaultBranch { branch: name() });
    }
    let merged = default.commit == tip.commit
        || repository
            .graph_descendant_of(default.commit, tip.commit)
            .map_err(GitError::library("looking for commits of a branch"))?;
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
    before_ref();
    let reference = format!("refs/heads/{branch}");
    let deleted = place
        .git("git update-ref")
        .args(["update-ref", "--no-deref", "-d", "--", &reference, &commit])
        .run();
    if let Err(error) = deleted {
        return match repository::branch_tip(&repository, branch) {
            Ok(now) if now == Some(tip.commit) => Err(error),
            _ => Err(GitError::BranchMoved { branch: name() }),
        };
    }
    // Else a later branch of this name would inherit them. Most have none.
    let forget = place
        .git("git config")
        .args(["config", "--local", "--remove-section"])
        .arg(format!("branch.{branch}"));
    if let Err(error) = forget.run() {
        log::debug!(error:% = error; "Could not remove the settings of a deleted branch.");
    }
    Ok(())
}
