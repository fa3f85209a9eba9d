//! Rebases a branch, in memory.
//!
//! Called under the repository's lock. As `git rebase` does by default: merges are left out, so
//! are commits that the other side has already (the same change, or nothing left of it), and
//! commits that were empty from the start stay.
//!
//! # Crash
//! The former tip is kept under a ref of its own before the branch moves.

use super::{
    Context, GitError,
    advance::Step,
    draft,
    identity::{self, Role},
    keep, merge, missing,
    place::Place,
    repository::{self, Tip},
};
use git2::{Commit, Diff, ObjectType, Oid, Repository, Signature, Sort};
use std::{collections::HashSet, path::Path};

/// Most commits rebased at once.
pub(super) const REBASE_COMMITS_MAX: usize = 10_000;
const DOING: &str = "rebasing";

/// What a rebase did.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[schema(as = RebasedView)]
pub(crate) struct Rebased {
    /// The branch rebased onto.
    pub onto: String,
    /// The commit that the rebased branch points at now, in hex.
    pub commit: String,
    /// The commit that it was rebased onto, in hex.
    pub base_commit: String,
}

/// Rebases `branch` onto `onto`, by default the default branch ([`super::branches`]).
///
/// Authors and their dates stay; committer is the repository's configured user, else abbado.
/// Where the branch is checked out, a clean checkout is updated too. The former tip is kept as
/// `refs/abbado/rebased/<branch>/<commit>`. No hook runs and nothing is signed.
///
/// # Errors
/// Those of [`super::merge`], and `TooMuch` over [`REBASE_COMMITS_MAX`].
pub(crate) fn rebase(
    repo_path: &Path,
    branch: &str,
    onto: Option<&str>,
) -> Result<Rebased, GitError> {
    let work = |repository: &Repository, own: &Tip, onto: &Tip| {
        rebase_tips(repository, repo_path, own, onto)
    };
    missing::filled(repo_path, branch, onto, missing::read_rebase, work)
}

fn rebase_tips(
    repository: &Repository,
    repo_path: &Path,
    own: &Tip,
    onto: &Tip,
) -> Result<Rebased, GitError> {
    merge::common_base(repository, own, onto)?;
    let place = Place::of_repository(repository, repo_path)?;
    let user = identity::signature(&place, Role::Committer)?;
    draft::begin(repository)?;
    let to = replay(repository, own, onto, &user)?;
    if to != own.commit {
        draft::publish(repository, &place, to, &[own.commit, onto.commit])?;
        let kept = format!("refs/abbado/rebased/{}/{}", own.branch, own.commit);
        let was_kept = repository.find_reference(&kept).is_ok();
        keep::set_ref(&place, &kept, &own.commit.to_string())?;
        let step = Step {
            branch: &own.branch,
            from: own.commit,
            to,
            why: &format!("abbado: rebase onto {}", onto.branch),
            user: &user,
        };
        let moved = step.take(repository);
        if moved.is_err() && !was_kept {
            forget(repository, &kept);
        }
        moved?;
    }
    Ok(Rebased {
        onto: onto.branch.clone(),
        commit: to.to_string(),
        base_commit: onto.commit.to_string(),
    })
}

/// Removes the ref of a tip that the branch still has, or somebody else moved it from.
fn forget(repository: &Repository, kept: &str) {
    let removed = repository
        .find_reference(kept)
        .and_then(|mut found| found.delete());
    if let Err(error) = removed {
        log::warn!(error:% = error; "Could not remove an unneeded hidden ref.");
    }
}

/// Drafts the commits of a branch anew on top of another, and returns the last.
fn replay(
    repository: &Repository,
    own: &Tip,
    onto: &Tip,
    user: &Signature<'_>,
) -> Result<Oid, GitError> {
    let picks = commits(repository, own.commit, onto.commit)?;
    let there = changes_there(repository, &picks, own.commit, onto.commit).context(DOING)?;
    let mut last = repository.find_commit(onto.commit).context(DOING)?;
    for pick in picks {
        if pick.parent_ids().eq([last.id()]) {
            last = pick;
            continue;
        }
        let diff = diff_of(repository, &pick).context(DOING)?;
        let is_empty = diff.deltas().len() == 0;
        if !is_empty && !there.is_empty() && there.contains(&diff.patchid(None).context(DOING)?) {
            continue;
        }
        let index = repository
            .cherrypick_commit(&pick, &last, 0, None)
            .context(DOING)?;
        let tree = draft::tree_of(repository, index, DOING)?;
        if tree == last.tree_id() && !is_empty {
            continue;
        }
        let commit = again(repository, &pick, tree, last.id(), user).context(DOING)?;
        last = repository.find_commit(commit).context(DOING)?;
    }
    Ok(last.id())
}

/// Writes a commit with another tree and parent. Author, message and encoding stay as they are, byte
/// for byte: libgit2 would write them as UTF-8, and no encoding.
fn again(
    repository: &Repository,
    pick: &Commit<'_>,
    tree: Oid,
    parent: Oid,
    user: &Signature<'_>,
) -> Result<Oid, git2::Error> {
    let header = |name: &[u8]| {
        let mut lines = pick.raw_header_bytes().split(|byte| *byte == b'\n');
        lines.find(|line| line.starts_with(name))
    };
    let offset = user.when().offset_minutes();
    let (sign, minutes) = (user.when().sign(), offset.unsigned_abs());
    let mut commit = format!("tree {tree}\nparent {parent}\n").into_bytes();
    commit.extend_from_slice(header(b"author ").unwrap_or_default());
    commit.extend_from_slice(b"\ncommitter ");
    commit.extend_from_slice(user.name_bytes());
    commit.extend_from_slice(b" <");
    commit.extend_from_slice(user.email_bytes());
    let at = format!(
        "> {} {sign}{:02}{:02}\n",
        user.when().seconds(),
        minutes / 60,
        minutes % 60
    );
    commit.extend_from_slice(at.as_bytes());
    if let Some(encoding) = header(b"encoding ") {
        commit.extend_from_slice(encoding);
        commit.push(b'\n');
    }
    commit.push(b'\n');
    commit.extend_from_slice(pick.message_raw_bytes());
    repository.odb()?.write(ObjectType::Commit, &commit)
}

/// The commits of one side that the other does not have, oldest first, merges left out.
fn commits(repository: &Repository, of: Oid, without: Oid) -> Result<Vec<Commit<'_>>, GitError> {
    let mut walk = repository::walk(repository, of, &[without]).context(DOING)?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)
        .context(DOING)?;
    let mut found = Vec::new();
    for id in walk {
        let commit = id.and_then(|id| repository.find_commit(id));
        let commit = commit.context(DOING)?;
        if commit.parent_count() <= 1 {
            found.push(commit);
        }
        if found.len() > REBASE_COMMITS_MAX {
            return Err(GitError::TooMuch {
                what: format!("the branch has more than {REBASE_COMMITS_MAX} commits of its own"),
            });
        }
    }
    Ok(found)
}

/// The changes of the other side's own commits, as far as one of `picks` could be the same: only
/// then the contents are compared.
fn changes_there(
    repository: &Repository,
    picks: &[Commit<'_>],
    own: Oid,
    onto: Oid,
) -> Result<HashSet<Oid>, git2::Error> {
    let mut paths_here = HashSet::new();
    for pick in picks {
        paths_here.insert(paths(&diff_of(repository, pick)?));
    }
    let mut found = HashSet::new();
    for id in repository::walk(repository, onto, &[own])? {
        let commit = repository.find_commit(id?)?;
        if commit.parent_count() > 1 {
            continue;
        }
        let diff = diff_of(repository, &commit)?;
        if paths_here.contains(&paths(&diff)) {
            found.insert(diff.patchid(None)?);
        }
    }
    Ok(found)
}

fn diff_of<'a>(repository: &'a Repository, commit: &Commit<'_>) -> Result<Diff<'a>, git2::Error> {
    let before = match commit.parents().next() {
        Some(parent) => Some(parent.tree()?),
        None => None,
    };
    repository.diff_tree_to_tree(before.as_ref(), Some(&commit.tree()?), None)
}

fn paths(diff: &Diff<'_>) -> Vec<Vec<u8>> {
    diff.deltas()
        .map(|delta| delta.new_file().path_bytes().unwrap_or_default().to_vec())
        .collect()
}
