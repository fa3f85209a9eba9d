//! A run's present work, kept under hidden refs.

use super::{JobContext, placed::placed};
use crate::{
    domain::run::{
        Run,
        command::Checkpoint,
        event::{CheckpointAt, LeftOut, RepoBase, WorktreeAt},
    },
    git,
    runtime::threads::Failed,
};

/// Keeps the present work of all repos under hidden refs; nothing when nothing changed.
pub(super) async fn take(context: &JobContext, reason: &'static str) -> Option<Checkpoint> {
    let id = context.run.id;
    if context.run.worktrees.is_empty() {
        return None;
    }
    let Ok(_permit) = context.shared.heavy_jobs.acquire().await else {
        return None;
    };
    let taken = context.blocking(move |run, _| Ok::<_, Failed>(checkpoint_now(run, reason)));
    match taken.await {
        Ok((checkpoint, failures)) => {
            for failure in failures {
                log::error!(run_id:% = id; "A checkpoint of run {id} is incomplete: {failure}.");
            }
            for (repo, left) in checkpoint.iter().flat_map(|kept| left_out(&kept.repos)) {
                log::warn!(run_id:% = id, path = left.path, why = left.why;
                    "A checkpoint of run {id} lacks a path of {repo}.");
            }
            checkpoint
        }
        Err(error) => {
            log::error!(run_id:% = id; "Could not take a checkpoint of run {id}: {error}.");
            None
        }
    }
}

/// What checkpoints do not hold, with the repo's name.
pub(super) fn left_out(repos: &[CheckpointAt]) -> Vec<(&str, &LeftOut)> {
    let all = repos.iter();
    all.flat_map(|kept| {
        kept.left_out
            .iter()
            .map(|left| (kept.repo_name.as_str(), left))
    })
    .collect()
}

/// What a checkpoint has of the repo that a worktree is of.
pub(super) fn of_repo<'c>(kept: &'c [CheckpointAt], at: &WorktreeAt) -> Option<&'c CheckpointAt> {
    kept.iter().find(|kept| kept.repo_id == at.repo_id)
}

/// What git is to keep of one worktree.
pub(super) fn wish<'r>(
    run: &'r Run,
    at: &'r WorktreeAt,
    base: &'r RepoBase,
    number: u32,
    reason: &'r str,
) -> git::Wish<'r> {
    git::Wish {
        at,
        repo_path: &base.repo_path,
        run_id: run.id,
        number,
        reason,
        base_commit: &base.base_commit,
        previous: of_repo(&run.checkpoint, at),
    }
}

/// Takes the checkpoint, repo by repo; when one fails the others are still kept.
pub(super) fn checkpoint_now(run: &Run, reason: &str) -> (Option<Checkpoint>, Vec<String>) {
    let number = run.checkpoint_number + 1;
    let mut repos: Vec<CheckpointAt> = Vec::new();
    let mut failures = Vec::new();
    let mut changed = false;
    for (at, base) in placed(run) {
        let previous = of_repo(&run.checkpoint, at);
        match git::checkpoint(wish(run, at, base, number, reason)) {
            Ok(Some(taken)) => {
                changed = true;
                repos.push(taken);
            }
            // Unchanged: the former commit still holds it.
            Ok(None) => repos.extend(previous.cloned()),
            Err(error) => {
                // The former one is still the last of this repo.
                repos.extend(previous.cloned());
                failures.push(format!("could not save the work in {}: {error}", at.name));
            }
        }
    }
    let taken = changed.then(|| Checkpoint {
        number,
        reason: reason.to_owned(),
        repos,
    });
    (taken, failures)
}
