//! Hidden refs under `refs/abbado/`: their names, and what is saved of a deleted run, and for how long.
//!
//! Called by the runtime under the repository's lock when a run is deleted: first [`keep_deleted`], then
//! the worktree, the branch and the checkpoints are removed. `abbado doctor` lists what is saved, and
//! the runtime removes what is old once a day. A deleted run's refs are known by the record that
//! [`keep_deleted`] wrote; without one, nothing is removed.
//!
//! # Crash
//! The record is removed last: what is left over is found again.

use super::{Context, GitError, identity::NOBODY, place::Place, repository};
use crate::domain::RunId;
use chrono::{DateTime, Utc};
use git2::{Oid, Repository};
use std::{collections::BTreeSet, ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path};

/// Saves a run's work before the run is deleted, and returns the refs made:
/// `refs/abbado/deleted/<run id>/branch` when its branch has commits that no other branch (local or
/// remote-tracking) has, `…/checkpoint` when there is a last checkpoint (hex), and with any of these or
/// of [`super::keep_nested`] `…/record`, a commit with the time of the deletion, whose parents are all
/// checkpoints of the run.
///
/// `name` is the repo's, for the log. A second call changes the record's time only.
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
        let (own, others) = (
            format!("refs/heads/{branch}"),
            ["refs/heads/*", "refs/remotes/*"],
        );
        if has_own_commits(&repository, tip, &others, Some(&own))? {
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
    // An interrupted deletion may have saved what exists nowhere else by now.
    let parents: BTreeSet<_> = former
        .into_iter()
        .chain(kept_before(&repository, &under))
        .collect();
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

/// Writes the record of a deletion: an empty commit on top of all former checkpoints.
fn write_record(
    repository: &Repository,
    place: &Place,
    branch: &str,
    former: &BTreeSet<Oid>,
) -> Result<Oid, GitError> {
    let doing = "writing the record of a deletion";
    let empty = repository.treebuilder(None).and_then(|tree| tree.write());
    let parents: Vec<String> = former.iter().map(Oid::to_string).collect();
    let message = format!("abbado: a run on {branch} was deleted\n");
    let tree = empty.context(doing)?.to_string();
    let commit = write_commit(place, &tree, &parents, message)?;
    Oid::from_str(&commit).context(doing)
}

/// Whether an interrupted deletion of the run saved its last checkpoint.
///
/// # Errors
/// `NotARepository`.
pub(crate) fn keeps_checkpoint(repo_path: &Path, run_id: RunId) -> Result<bool, GitError> {
    let repository = repository::open(repo_path)?;
    let name = format!("{}checkpoint", deleted_refs(run_id));
    Ok(repository.find_reference(&name).is_ok())
}

/// The checkpoints that an interrupted deletion of the run saved.
fn kept_before(repository: &Repository, under: &str) -> Vec<Oid> {
    let commit = |kind: &str| repository::commit_at(repository, &format!("{under}{kind}"));
    let record = commit("record").and_then(|record| repository.find_commit(record).ok());
    let mut kept: Vec<Oid> = record
        .iter()
        .flat_map(|record| record.parent_ids())
        .collect();
    kept.extend(commit("checkpoint"));
    kept
}

/// The commits of all refs with a prefix.
fn named_by(repository: &Repository, prefix: &str) -> Result<BTreeSet<Oid>, GitError> {
    let listed = repository
        .references_glob(&format!("{prefix}*"))
        .context("listing refs of a run")?;
    Ok(listed
        .filter_map(|reference| reference.ok()?.target())
        .collect())
}

/// Deletes all checkpoint refs of a run and returns how many there were. Their commits stay
/// until git itself collects them.
///
/// # Errors
/// `NotARepository`, or `Library` when a ref cannot be removed.
pub(crate) fn drop_checkpoints(repo_path: &Path, run_id: RunId) -> Result<usize, GitError> {
    let repository = repository::open(repo_path)?;
    delete_refs(&repository, &checkpoint_refs(run_id), None)
}

/// Deletes all refs with a prefix, the one named `last` at the end, and returns how many there were.
fn delete_refs(
    repository: &Repository,
    prefix: &str,
    last: Option<&str>,
) -> Result<usize, GitError> {
    let doing = "deleting refs of a run";
    let listed = repository
        .references_glob(&format!("{prefix}*"))
        .context(doing)?;
    // All are read before the first is deleted: the folder must not change while it is listed.
    let mut found: Vec<_> = listed.collect::<Result<_, _>>().context(doing)?;
    found.sort_by_key(|reference| last.is_some_and(|it| reference.name_bytes() == it.as_bytes()));
    for reference in &mut found {
        reference.delete().context(doing)?;
    }
    for reference in &found {
        let name = Path::new(OsStr::from_bytes(reference.name_bytes()));
        remove_empty_folders(repository.commondir(), name, Path::new(prefix));
    }
    Ok(found.len())
}

/// Removes the empty folders of a deleted ref, up to the one that `prefix` names: libgit2 does so only
/// for branches and tags, and every listing of refs would read them.
fn remove_empty_folders(common_dir: &Path, name: &Path, prefix: &Path) {
    let folders = name.ancestors().skip(1);
    let ours = folders.take_while(|folder| folder.starts_with(prefix));
    // One that is not empty stays, and so do those above it.
    for folder in ours {
        if fs::remove_dir(common_dir.join(folder)).is_err() {
            return;
        }
    }
}

/// Prefix of the refs of all deleted runs.
const DELETED: &str = "refs/abbado/deleted/";

/// Suffix of the ref of a deletion's record.
const RECORD: &str = "/record";

/// Prefix of the refs of a deleted run.
pub(super) fn deleted_refs(run_id: RunId) -> String {
    format!("{DELETED}{run_id}/")
}

/// Prefix of the checkpoint refs of a run.
pub(super) fn checkpoint_refs(run_id: RunId) -> String {
    format!("refs/abbado/checkpoints/{run_id}/")
}

/// Writes a commit by abbado with a tree and parents, in hex. No ref names it yet.
pub(super) fn write_commit(
    place: &Place,
    tree: &str,
    parents: &[String],
    message: String,
) -> Result<String, GitError> {
    let (name, email) = NOBODY;
    let mut write = place.git("commit-tree").arg(tree);
    for parent in parents {
        write = write.args(["-p", parent]);
    }
    write
        .env("GIT_AUTHOR_NAME", name)
        .env("GIT_AUTHOR_EMAIL", email)
        .env("GIT_COMMITTER_NAME", name)
        .env("GIT_COMMITTER_EMAIL", email)
        .input(message.into_bytes())
        .run_line()
}

/// Points a ref at a commit, flushed to disk.
pub(super) fn set_ref(place: &Place, reference: &str, commit: &str) -> Result<(), GitError> {
    let update = place.git("update-ref --no-deref --");
    update.args([reference, commit]).run().map(drop)
}

/// Whether a commit, or one before it, is reachable from none of the refs that the globs match, not
/// counting `except`.
pub(super) fn has_own_commits(
    repository: &Repository,
    commit: Oid,
    globs: &[&str],
    except: Option<&str>,
) -> Result<bool, GitError> {
    let doing = "looking for commits of a branch";
    let mut others = Vec::new();
    for glob in globs {
        for reference in repository.references_glob(glob).context(doing)? {
            // One that cannot be read keeps nothing alive: at worst, too much is saved.
            let Ok(reference) = reference else { continue };
            if except.is_some_and(|except| reference.name_bytes() == except.as_bytes()) {
                continue;
            }
            // A tag of a tree, or a ref to nothing, keeps no commit alive.
            if let Ok(other) = reference.peel_to_commit() {
                if other.id() == commit {
                    return Ok(false);
                }
                others.push(other.id());
            }
        }
    }
    let walk = repository::walk(repository, commit, &others);
    let first = walk.and_then(|mut walk| walk.next().transpose());
    Ok(first.context(doing)?.is_some())
}

/// A deleted run whose work is still saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeletedRun {
    /// The run.
    pub run_id: RunId,
    /// When it was deleted.
    pub deleted_at: DateTime<Utc>,
    /// One sentence of its record.
    pub note: String,
}

/// The deleted runs whose work a repository still has, oldest first.
///
/// # Errors
/// `NotARepository`, or `Library` when refs cannot be listed.
pub(crate) fn deleted_runs(repo_path: &Path) -> Result<Vec<DeletedRun>, GitError> {
    let repository = repository::open(repo_path)?;
    let listed = repository
        .references_glob(&format!("{DELETED}*{RECORD}"))
        .context("listing deleted runs")?;
    let mut found: Vec<_> = listed
        .filter_map(|reference| {
            let reference = reference.ok()?;
            let id = reference.name().ok()?.strip_prefix(DELETED)?;
            let run_id = id.strip_suffix(RECORD)?.parse().ok()?;
            let commit = reference.peel_to_commit().ok()?;
            Some(DeletedRun {
                run_id,
                deleted_at: DateTime::from_timestamp(commit.time().seconds(), 0)?,
                note: String::from_utf8_lossy(commit.message_bytes())
                    .trim()
                    .to_owned(),
            })
        })
        .collect();
    found.sort_by_key(|run| run.deleted_at);
    Ok(found)
}

/// Removes the refs of runs deleted before a time, and returns how many runs there were. Their commits
/// stay until git collects them.
///
/// # Errors
/// Those of [`deleted_runs`], or `Library` when a ref cannot be removed.
pub(crate) fn prune_deleted(repo_path: &Path, before: DateTime<Utc>) -> Result<usize, GitError> {
    let old = deleted_runs(repo_path)?;
    let old: Vec<_> = old.iter().filter(|run| run.deleted_at < before).collect();
    let repository = repository::open(repo_path)?;
    for run in &old {
        let under = deleted_refs(run.run_id);
        let record = format!("{DELETED}{}{RECORD}", run.run_id);
        delete_refs(&repository, &under, Some(&record))?;
    }
    Ok(old.len())
}
