//! Hidden refs under `refs/abbado/`: what they are called, and what is kept when a run goes.
//!
//! Called by the runtime under the repository's lock when a run is deleted: first
//! [`keep_deleted`], then the worktree, the branch and the checkpoints go.

use super::{GitError, place::Place, repository, text::line};
use crate::domain::RunId;
use git2::{Oid, Repository};
use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path};

/// Author and committer of the commits that keep something.
const AUTHOR: (&str, &str) = ("abbado", "abbado@localhost");

/// Keeps a run's work before the run is deleted, and answers the refs made:
/// `refs/abbado/deleted/<run id>/branch` when its branch has commits that no other branch (local
/// or remote-tracking) has, `…/checkpoint` when there is a last checkpoint (hex), and with any
/// of these or of [`super::keep_nested`] `…/record`, a commit that tells when, and whose parents
/// are all checkpoints that there were.
///
/// `name` is the repo's, for the log. Making them again changes the record's time only.
///
/// # Errors
/// `NotARepository`, `InvalidName` for the branch, and those of starting `git`.
pub(crate) fn keep_deleted(
    repo_path: &Path,
    run_id: RunId,
    name: &str,
    branch: &str,
    last_checkpoint: Option<&str>,
) -> Result<Vec<String>, GitError> {
    repository::check_branch_name(branch)?;
    let repository = repository::open(repo_path)?;
    let mut wanted = Vec::new();
    if let Some(tip) = repository::branch_tip(&repository, branch)? {
        let own = format!("refs/heads/{branch}");
        if has_own_commits(
            &repository,
            tip,
            &["refs/heads/*", "refs/remotes/*"],
            Some(&own),
        )? {
            wanted.push(("branch", tip));
        }
    }
    let checkpoint = last_checkpoint.and_then(|commit| Oid::from_str(commit).ok());
    if let Some(commit) = checkpoint.filter(|commit| repository.find_commit(*commit).is_ok()) {
        wanted.push(("checkpoint", commit));
    }
    let former = named_by(&repository, &checkpoint_refs(run_id))?;
    let under = deleted_refs(run_id);
    let nested = named_by(&repository, &format!("{under}nested/"))?;
    if wanted.is_empty() && former.is_empty() && nested.is_empty() {
        return Ok(Vec::new());
    }
    let place = Place::of_repository(&repository, repo_path)?;
    // An earlier deletion that was cut off may have kept what is nowhere else by now.
    let mut parents = former;
    parents.extend(kept_before(&repository, &under));
    parents.sort_unstable();
    parents.dedup();
    let record = write_record(&repository, &place, branch, &parents)?;
    wanted.push(("record", record));
    let mut made = Vec::with_capacity(wanted.len());
    for (kind, commit) in wanted {
        let reference = format!("{under}{kind}");
        set_ref(&place, &reference, &commit.to_string())?;
        made.push(reference);
    }
    log::info!(run_id:% = run_id, repo = name, refs = made.len();
        "Saved the work of a run that is being deleted.");
    Ok(made)
}

/// Writes the record of a deletion: an empty commit of this moment above all former checkpoints.
fn write_record(
    repository: &Repository,
    place: &Place,
    branch: &str,
    former: &[Oid],
) -> Result<Oid, GitError> {
    let failed = || GitError::library("writing the record of a deletion");
    let empty = repository.treebuilder(None).and_then(|tree| tree.write());
    let parents: Vec<String> = former.iter().map(Oid::to_string).collect();
    let message = format!("abbado: a run on {branch} was deleted\n");
    let tree = empty.map_err(failed())?.to_string();
    let commit = write_commit(place, &tree, &parents, message)?;
    Oid::from_str(&commit).map_err(failed())
}

/// Whether an earlier deletion of the run, one that was cut off, kept its last checkpoint.
///
/// # Errors
/// `NotARepository`.
pub(crate) fn keeps_checkpoint(repo_path: &Path, run_id: RunId) -> Result<bool, GitError> {
    let repository = repository::open(repo_path)?;
    let name = format!("{}checkpoint", deleted_refs(run_id));
    Ok(repository.find_reference(&name).is_ok())
}

/// The checkpoints that an earlier deletion of the run kept.
fn kept_before(repository: &Repository, under: &str) -> Vec<Oid> {
    let commit = |kind: &str| {
        let reference = repository.find_reference(&format!("{under}{kind}")).ok()?;
        reference.peel_to_commit().ok()
    };
    let record = commit("record").into_iter();
    let parents = record.flat_map(|record| record.parent_ids().collect::<Vec<_>>());
    parents
        .chain(commit("checkpoint").map(|it| it.id()))
        .collect()
}

/// What the refs name whose names begin so.
fn named_by(repository: &Repository, prefix: &str) -> Result<Vec<Oid>, GitError> {
    let listed = repository
        .references_glob(&format!("{prefix}*"))
        .map_err(GitError::library("listing refs of a run"))?;
    let mut found: Vec<_> = listed
        .filter_map(|reference| reference.ok()?.target())
        .collect();
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Deletes all checkpoint refs of a run and answers how many there were. Their commits stay
/// until git itself collects them.
///
/// # Errors
/// `NotARepository`, or `Library` when a ref cannot be removed.
pub(crate) fn drop_checkpoints(repo_path: &Path, run_id: RunId) -> Result<usize, GitError> {
    let repository = repository::open(repo_path)?;
    delete_refs(&repository, &checkpoint_refs(run_id), None)
}

/// Deletes all refs whose names begin so, the one named `last` at the end, and answers how many
/// there were.
pub(super) fn delete_refs(
    repository: &Repository,
    prefix: &str,
    last: Option<&str>,
) -> Result<usize, GitError> {
    let failed = || GitError::library("deleting refs of a run");
    let listed = repository
        .references_glob(&format!("{prefix}*"))
        .map_err(failed())?;
    // All are read before the first goes: the listing must not run over a changing folder.
    let mut found: Vec<_> = listed.collect::<Result<_, _>>().map_err(failed())?;
    found.sort_by_key(|reference| last.is_some_and(|it| reference.name_bytes() == it.as_bytes()));
    for reference in &mut found {
        reference.delete().map_err(failed())?;
    }
    for reference in &found {
        let name = Path::new(OsStr::from_bytes(reference.name_bytes()));
        remove_empty_folders(repository.commondir(), name, Path::new(prefix));
    }
    Ok(found.len())
}

/// Removes the folders of a ref that is gone, up to the one that `prefix` names: libgit2 leaves them
/// but for branches and tags, and each listing of refs would look into them for ever.
fn remove_empty_folders(common_dir: &Path, name: &Path, prefix: &Path) {
    let folders = name.ancestors().skip(1);
    let ours = folders.take_while(|folder| folder.starts_with(prefix));
    // One that still holds something stays, and so do those above it.
    for folder in ours {
        if fs::remove_dir(common_dir.join(folder)).is_err() {
            return;
        }
    }
}

/// What the names of all refs of deleted runs begin with.
pub(super) const DELETED: &str = "refs/abbado/deleted/";

/// What the names of a deleted run's refs begin with.
pub(super) fn deleted_refs(run_id: RunId) -> String {
    format!("{DELETED}{run_id}/")
}

/// What the names of a run's checkpoint refs begin with.
pub(super) fn checkpoint_refs(run_id: RunId) -> String {
    format!("refs/abbado/checkpoints/{run_id}/")
}

/// Writes a commit of ours: a tree and its parents, in hex. No ref names it yet.
pub(super) fn write_commit(
    place: &Place,
    tree: &str,
    parents: &[String],
    message: String,
) -> Result<String, GitError> {
    let (name, email) = AUTHOR;
    let mut write = place.git("git commit-tree").args(["commit-tree", tree]);
    for parent in parents {
        write = write.args(["-p", parent]);
    }
    let commit = write
        .env("GIT_AUTHOR_NAME", name)
        .env("GIT_AUTHOR_EMAIL", email)
        .env("GIT_COMMITTER_NAME", name)
        .env("GIT_COMMITTER_EMAIL", email)
        .input(message.into_bytes())
        .run()?;
    Ok(line(&commit))
}

/// Points a ref at a commit, flushed to disk.
pub(super) fn set_ref(place: &Place, reference: &str, commit: &str) -> Result<(), GitError> {
    let update = place
        .git("git update-ref")
        .args(["update-ref", "--no-deref"]);
    update.args(["--", reference, commit]).run().map(drop)
}

/// Whether a commit, or one before it, is reachable from no ref that the globs name, `except`
/// aside.
pub(super) fn has_own_commits(
    repository: &Repository,
    commit: Oid,
    globs: &[&str],
    except: Option<&str>,
) -> Result<bool, GitError> {
    let failed = || GitError::library("looking for commits of a branch");
    let mut walk = repository.revwalk().map_err(failed())?;
    walk.push(commit).map_err(failed())?;
    for glob in globs {
        for reference in repository.references_glob(glob).map_err(failed())? {
            // One that cannot be read keeps nothing, and must not stop us: more is kept then.
            let Ok(reference) = reference else { continue };
            if except.is_some_and(|except| reference.name_bytes() == except.as_bytes()) {
                continue;
            }
            // A tag of a tree, or a ref to nothing, keeps no commit.
            if let Ok(other) = reference.peel_to_commit() {
                if other.id() == commit {
                    return Ok(false);
                }
                walk.hide(other.id()).map_err(failed())?;
            }
        }
    }
    match walk.next() {
        None => Ok(false),
        Some(first) => first.map(|_| true).map_err(failed()),
    }
}
