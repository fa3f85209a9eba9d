//! A run's work, kept: checkpoints, and what stays when a run is deleted.

use super::{
    effects::Beside,
    messages::News,
    script::{Script, ScriptFault},
};
use crate::{
    domain::run::{
        Run,
        command::Checkpoint,
        event::{CheckpointAt, RepoBase, WorktreeAt},
    },
    fault, git,
};
use std::{sync::atomic::AtomicBool, time::Instant};

/// Keeps the present work of all repos under hidden refs; nothing when nothing changed.
pub(super) async fn take_checkpoint(beside: &Beside, reason: &'static str) -> Option<Checkpoint> {
    let run = beside.run.clone();
    let id = run.id;
    if run.worktrees.is_empty() {
        return None;
    }
    let Ok(_permit) = beside.shared.heavy_jobs.acquire().await else {
        return None;
    };
    match beside.blocking(move || checkpoint_now(&run, reason)).await {
        Ok((checkpoint, failures)) => {
            for failure in failures {
                log::error!(run_id:% = id; "A checkpoint of run {id} is incomplete: {failure}.");
            }
            checkpoint
        }
        Err(error) => {
            log::error!(run_id:% = id; "A checkpoint of run {id} was not taken: {error}.");
            None
        }
    }
}

/// The repo that a worktree is of.
fn base_of<'r>(run: &'r Run, at: &WorktreeAt) -> Option<&'r RepoBase> {
    let mut bases = run.created.repos.iter();
    bases.find(|base| base.repo_id == at.repo_id)
}

/// Takes the checkpoint, repo by repo; when one fails the others are still kept.
fn checkpoint_now(run: &Run, reason: &str) -> (Option<Checkpoint>, Vec<String>) {
    let number = run.checkpoint_number + 1;
    let mut repos: Vec<CheckpointAt> = Vec::new();
    let mut failures = Vec::new();
    let mut changed = false;
    for at in &run.worktrees {
        let Some(base) = base_of(run, at) else {
            continue;
        };
        let mut former = run.checkpoint.iter();
        let previous = former.find(|kept| kept.repo_id == at.repo_id);
        // Before the first checkpoint the work is what differs from where the run began, so that
        // what an agent committed by itself counts.
        let tree = previous.map_or_else(
            || git::tree_of(&base.repo_path, &base.base_commit).ok(),
            |kept| Some(kept.tree.clone()),
        );
        match git::take(at, &base.repo_path, run.id, number, reason, tree.as_deref()) {
            Ok(Some(taken)) => {
                changed = true;
                repos.push(taken);
            }
            // Unchanged: the former commit still holds it.
            Ok(None) => repos.extend(previous.cloned()),
            Err(error) => failures.push(format!(
                "the work in {} could not be kept: {error}",
                at.name
            )),
        }
    }
    let taken = changed.then(|| Checkpoint {
        number,
        reason: reason.to_owned(),
        repos,
    });
    (taken, failures)
}

/// Keeps unmerged work, then removes worktrees, branches and checkpoints.
pub(super) async fn delete(mut beside: Beside) {
    let _alone = beside.alone().await;
    let begun = Instant::now();
    let outcome = keep_and_remove(&beside).await;
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    beside
        .tell(match outcome {
            Ok(removed) => News::Removed { removed, millis },
            Err(why) => News::NotRemoved { why },
        })
        .await;
}

async fn keep_and_remove(beside: &Beside) -> Result<Vec<WorktreeAt>, String> {
    // Keeping comes first and must succeed: nothing is removed that is not kept.
    let run = beside.run.clone();
    let last = beside.blocking(move || keep_last(&run)).await??;
    fault::point("delete.kept");
    for at in beside
        .run
        .worktrees
        .iter()
        .filter(|at| at.worktree.is_dir())
    {
        let never = AtomicBool::new(false);
        if let Err(ScriptFault::Failed { reason, detail }) =
            Script::CleanUp.run(beside, at, &never).await
        {
            // What it should have cleaned is not ours; the run goes all the same.
            log::warn!(run_id:% = beside.run.id; "A run is deleted, but {reason}: {detail}");
        }
    }
    let (run, shared) = (beside.run.clone(), std::sync::Arc::clone(&beside.shared));
    beside
        .blocking(move || remove_all(&run, &shared, last.as_ref()))
        .await?
}

/// The last work of a run, nested repositories included; none when it equals the last checkpoint.
fn keep_last(run: &Run) -> Result<Option<Checkpoint>, String> {
    let mut there = run.clone();
    there.worktrees.retain(|at| at.worktree.exists());
    let (last, failures) = checkpoint_now(&there, "delete");
    if let Some(failure) = failures.into_iter().next() {
        return Err(failure);
    }
    for at in &there.worktrees {
        let Some(base) = base_of(run, at) else {
            continue;
        };
        git::keep_nested(at, &base.repo_path, run.id).map_err(|error| {
            format!(
                "the repositories inside {} could not be kept: {error}",
                at.name
            )
        })?;
    }
    Ok(last)
}

fn remove_all(
    run: &Run,
    shared: &super::shared::Shared,
    last: Option<&Checkpoint>,
) -> Result<Vec<WorktreeAt>, String> {
    let kept = last.map_or(&run.checkpoint, |checkpoint| &checkpoint.repos);
    let mut removed = Vec::new();
    for base in &run.created.repos {
        // The repository itself may be gone: then there is nothing of ours to remove in it.
        let Ok(inspected) = git::inspect(&base.repo_path) else {
            continue;
        };
        let at = run.worktrees.iter().find(|at| at.repo_id == base.repo_id);
        let commit = kept
            .iter()
            .find(|kept| kept.repo_id == base.repo_id)
            .map(|kept| kept.commit.as_str());
        let job = || remove_one(run, base, at, commit, shared);
        let gone = shared.repo_locks.with(&[inspected.git_dir], job);
        let gone = gone.map_err(|error| format!("repo '{}': {error}", base.name))?;
        removed.extend(at.filter(|_| gone).cloned());
    }
    let folder = shared.worktrees_dir(run.id);
    // Empty by now, unless something in it is not ours: then it stays.
    if let Err(error) = std::fs::remove_dir(&folder)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        log::warn!(run_id:% = run.id; "The worktree folder of run {} stays: {error}.", run.id);
    }
    Ok(removed)
}

/// Under the repository's lock. True when the worktree was removed.
fn remove_one(
    run: &Run,
    base: &RepoBase,
    at: Option<&WorktreeAt>,
    commit: Option<&str>,
    shared: &super::shared::Shared,
) -> Result<bool, git::GitError> {
    // When an earlier deletion was cut off after the worktree went, it kept the last of it, which
    // is newer than any checkpoint in the log.
    let gone = at.is_none_or(|at| !at.worktree.exists());
    let commit = if gone && git::keeps_checkpoint(&base.repo_path, run.id)? {
        None
    } else {
        commit
    };
    git::keep_deleted(&base.repo_path, run.id, &base.name, &run.run_branch, commit)?;
    let Some(at) = at else { return Ok(false) };
    shared.stats.forget(&at.worktree);
    let gone = git::remove(at, &base.repo_path, &shared.config.data_dir)?;
    fault::point("delete.worktree_removed");
    git::delete_branch(&base.repo_path, &run.run_branch)?;
    fault::point("delete.branch_removed");
    git::drop_checkpoints(&base.repo_path, run.id)?;
    fault::point("delete.checkpoints_removed");
    Ok(gone)
}
