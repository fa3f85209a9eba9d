//! The base of a run's changes: the commit that they are compared with, so that only the run's own
//! changes show.
//!
//! It is the commit that the run began with, until its branch takes in newer commits of the branch that
//! it came from: by a rebase, a merge or a fast-forward, whoever does it. From then on it is the merge
//! base of the two. Commits that the run made stay its own when its branch is merged into the other one;
//! the reflog of the run's branch distinguishes the two cases.

use super::{Context, GitError, branches, head::Head, records, repository};
use crate::domain::run::event::WorktreeAt;
use git2::{ErrorCode, Oid, Repository};
use std::path::Path;

const DOING: &str = "looking for the base of a run";

/// The commit to compare a run's work with, in hex. `source` is the branch that it started from
/// ([`super::source_of`]), here or at a remote; without it the default branch stands for it.
///
/// # Errors
/// `UnknownRevision` when the base commit is gone and nothing stands for it, `NotARepository`, and
/// when a ref cannot be read.
pub(crate) fn own_base(
    at: &WorktreeAt,
    repo_path: &Path,
    base_commit: &str,
    source: Option<&str>,
) -> Result<String, GitError> {
    let repository = repository::open(repo_path)?;
    let base = Oid::from_str(base_commit).and_then(|id| repository.find_commit(id));
    let base = base.map(|commit| commit.id()).ok();
    let mut own = None;
    for tip in tips(&repository, repo_path, source) {
        // The usual case is that nobody has moved the other branch.
        let found = match base == Some(tip) {
            true => base,
            false => between(&repository, at, base, tip)?,
        };
        own = latest(&repository, own, found)?;
    }
    own.or(base)
        .map(|own| own.to_string())
        .ok_or_else(|| GitError::unknown(repo_path, base_commit, " any more"))
}

/// Where the source branch is, here and as each remote was last seen to have it.
fn tips(repository: &Repository, repo_path: &Path, source: Option<&str>) -> Vec<Oid> {
    let default = || branches::named_or_default(repository, repo_path, None).ok();
    let Some(source) = source
        .map(str::to_owned)
        .or_else(|| default().map(|tip| tip.branch))
    else {
        return Vec::new();
    };
    let remotes = repository.remotes();
    let remotes = remotes
        .iter()
        .flat_map(|all| all.iter().flatten().flatten());
    let names = remotes.map(|remote| format!("refs/remotes/{remote}/{source}"));
    let names = std::iter::once(format!("refs/heads/{source}")).chain(names);
    names
        .filter_map(|name| repository::commit_at(repository, &name))
        .collect()
}

/// Of two commits the one that has the other before it, else the first.
fn latest(
    repository: &Repository,
    one: Option<Oid>,
    other: Option<Oid>,
) -> Result<Option<Oid>, GitError> {
    let (Some(first), Some(second)) = (one, other) else {
        return Ok(one.or(other));
    };
    let later = repository::is_before(repository, first, second).context(DOING)?;
    Ok(Some(if later { second } else { first }))
}

fn between(
    repository: &Repository,
    at: &WorktreeAt,
    base: Option<Oid>,
    tip: Oid,
) -> Result<Option<Oid>, GitError> {
    let head = head_of(repository, at)?;
    let Some(head) = head else { return Ok(base) };
    let meet = match repository.merge_base(head, tip) {
        Ok(meet) => meet,
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(base),
        Err(error) => return Err(error).context(DOING),
    };
    let Some(base) = base else {
        return Ok(Some(meet));
    };
    let is_before = |one, other| repository::is_before(repository, one, other).context(DOING);
    let own = if meet == base || is_before(meet, base)? && is_before(base, head)? {
        // Nothing was taken in; or the other branch was reset.
        base
    } else if is_before(base, meet)? && is_made_by_run(repository, &at.branch, meet) {
        // The other branch has taken in the run's own commits.
        base
    } else {
        meet
    };
    Ok(Some(own))
}

/// The commit of a run's worktree, or of its branch when that is gone.
fn head_of(repository: &Repository, at: &WorktreeAt) -> Result<Option<Oid>, GitError> {
    let common_dir = repository::common_dir(repository)?;
    match records::find(&common_dir, &at.worktree)? {
        Some(entry) => Head::read(repository, &entry.admin, &at.branch).map(|head| head.commit),
        None => repository::branch_tip(repository, &at.branch),
    }
}

/// Whether a commit was made on a branch, as far as its reflog tells; without a log it is taken
/// to be.
fn is_made_by_run(repository: &Repository, branch: &str, commit: Oid) -> bool {
    let Ok(log) = repository.reflog(&format!("refs/heads/{branch}")) else {
        return true;
    };
    if log.is_empty() {
        return true;
    }
    let made = |entry: git2::ReflogEntry<'_>| {
        let message = String::from_utf8_lossy(entry.message_bytes().unwrap_or_default());
        let by_words = ["commit", "cherry-pick", "revert", "am"];
        let by_rebase = || match message.rsplit_once(" onto ") {
            // A rebase that ends where it began has made nothing.
            Some((rebase, onto)) => {
                rebase.starts_with("rebase") && onto.trim() != commit.to_string()
            }
            None => false,
        };
        entry.id_new() == commit
            && (by_words.iter().any(|word| {
                let rest = message.strip_prefix(word);
                rest.is_some_and(|rest| rest.starts_with([':', ' ']))
            }) || by_rebase())
    };
    log.iter().any(made)
}
