//! Merges a branch into another, in memory.
//!
//! Called under the repository's lock. Renames are followed and several merge bases are merged
//! first, as `git merge` does; where both sides had merged the other before and both renamed files,
//! a merge may be refused as a conflict that git would make. Merge drivers of the user's configuration are not run: libgit2
//! knows only the built-in ones, and takes any other for `text`.

use super::{
    Context, GitError,
    advance::Step,
    draft,
    identity::{self, Role},
    missing,
    place::Place,
    repository::Tip,
};
use git2::{ErrorCode, Oid, Repository, Signature};
use std::path::Path;

/// What a merge did.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[schema(as = MergedView)]
pub(crate) struct Merged {
    /// The branch merged into.
    pub into: String,
    /// The commit it points at now, in hex.
    pub commit: String,
    /// No merge commit was needed: the branch was moved forward, or already had all of it.
    pub fast_forward: bool,
}

/// Merges `branch` into `into`, by default the default branch ([`super::branches`]).
///
/// Where that is checked out, a clean checkout is updated too. Author and committer of a merge
/// commit are who git takes them for, else abbado; no hook runs and nothing is signed.
///
/// # Errors
/// `UnknownRevision` when there is no such branch, `InvalidName`, `Conflict`, `TargetDirty`,
/// `Unrelated`, `BranchMoved` when somebody else moved the target meanwhile, `NotFetched`, and
/// those of starting `git`. Nothing is changed then.
pub(crate) fn merge(
    repo_path: &Path,
    branch: &str,
    into: Option<&str>,
) -> Result<Merged, GitError> {
    let work = |repository: &Repository, theirs: &Tip, ours: &Tip| {
        merge_tips(repository, repo_path, ours, theirs)
    };
    missing::filled(repo_path, branch, into, missing::read_merge, work)
}

fn merge_tips(
    repository: &Repository,
    repo_path: &Path,
    ours: &Tip,
    theirs: &Tip,
) -> Result<Merged, GitError> {
    let base = common_base(repository, ours, theirs)?;
    let merged = |commit: Oid, fast_forward| Merged {
        into: ours.branch.clone(),
        commit: commit.to_string(),
        fast_forward,
    };
    if base == theirs.commit {
        return Ok(merged(ours.commit, true));
    }
    let place = Place::of_repository(repository, repo_path)?;
    let user = identity::signature(&place, Role::Committer)?;
    let fast_forward = base == ours.commit;
    let to = if fast_forward {
        theirs.commit
    } else {
        let author = identity::signature(&place, Role::Author)?;
        let commit = draft_merge(repository, ours, theirs, [&author, &user])?;
        draft::publish(repository, &place, commit, &[ours.commit, theirs.commit])?;
        commit
    };
    let step = Step {
        branch: &ours.branch,
        from: ours.commit,
        to,
        why: &format!("abbado: merge {}", theirs.branch),
        user: &user,
    };
    step.take(repository)?;
    Ok(merged(to, fast_forward))
}

/// The best common ancestor of two branches; of several, any.
///
/// # Errors
/// `Unrelated` when there is none.
pub(super) fn common_base(
    repository: &Repository,
    ours: &Tip,
    theirs: &Tip,
) -> Result<Oid, GitError> {
    match repository.merge_base(ours.commit, theirs.commit) {
        Err(error) if error.code() == ErrorCode::NotFound => Err(GitError::Unrelated {
            branch: theirs.branch.clone(),
            other: ours.branch.clone(),
        }),
        other => other.context("looking for a common ancestor"),
    }
}

fn draft_merge(
    repository: &Repository,
    ours: &Tip,
    theirs: &Tip,
    [author, committer]: [&Signature<'_>; 2],
) -> Result<Oid, GitError> {
    const DOING: &str = "merging";
    draft::begin(repository)?;
    let one = repository.find_commit(ours.commit).context(DOING)?;
    let other = repository.find_commit(theirs.commit).context(DOING)?;
    let index = repository
        .merge_commits(&one, &other, None)
        .context(DOING)?;
    let tree = draft::tree_of(repository, index, DOING)?;
    let tree = repository.find_tree(tree).context(DOING)?;
    let message = format!("Merge branch '{}' into {}\n", theirs.branch, ours.branch);
    repository
        .commit(None, author, committer, &message, &tree, &[&one, &other])
        .context(DOING)
}
