//! What stays when a run is deleted, and how the rest goes.

use super::{
    JobContext,
    checkpoint::{checkpoint_now, left_out},
    millis_since,
    placed::{base_of, placed, worktree_of},
    script::clean_up,
};
use crate::{
    domain::run::{
        Run,
        command::Checkpoint,
        event::{RepoBase, WorktreeAt},
    },
    fault, git,
    runtime::{
        order::{OrderError, not_kept},
        run::input::Update,
        shared::Shared,
    },
};
use std::time::Instant;

/// Whether a worktree is where it was made. What cannot be kept, since its repository is gone or
/// something else is in its place, is left where it lies when the run goes.
fn in_place(run: &Run, at: &WorktreeAt) -> bool {
    let there = base_of(run, at).is_some_and(|base| git::is_in_place(at, &base.repo_path));
    if !there && std::fs::symlink_metadata(&at.worktree).is_ok() {
        let folder = at.worktree.display();
        log::warn!(run_id:% = run.id; "{folder} is no longer a worktree of its repository; it is not touched.");
    }
    there
}

/// Keeps unmerged work, then removes worktrees, branches and checkpoints. What cannot be kept refuses
/// it, unless forced.
pub(super) async fn delete(context: JobContext, force: bool) {
    let begun = Instant::now();
    let update = match keep_and_remove(&context, force).await {
        Ok(removed) => Update::Removed {
            removed,
            millis: millis_since(begun),
        },
        Err(why) => Update::NotRemoved { why: why.into() },
    };
    context.update(update).await;
}

async fn keep_and_remove(context: &JobContext, force: bool) -> Result<Vec<WorktreeAt>, OrderError> {
    // Keeping comes first and must succeed: nothing is removed that is not kept.
    let kept = context.blocking(move |run, _| keep_last(run, force));
    let last = kept.await?;
    fault::point("delete.kept");
    let run = &context.run;
    for at in run.worktrees.iter().filter(|at| in_place(run, at)) {
        clean_up(context, at).await;
    }
    let removed =
        context.blocking(move |run, shared| remove_all(run, shared, last.as_ref(), force));
    removed.await
}

/// The last work of a run, nested repositories included; none when it equals the last checkpoint.
fn keep_last(run: &Run, force: bool) -> Result<Option<Checkpoint>, OrderError> {
    let mut there = run.clone();
    there.worktrees.retain(|at| in_place(run, at));
    if let Some(error) = locked(&there).filter(|_| !force) {
        return Err(error);
    }
    let (last, mut failures) = checkpoint_now(&there, "delete");
    let mut nested = Vec::new();
    for (at, base) in placed(&there) {
        match git::keep_nested(at, &base.repo_path, run.id) {
            Ok(left_out) => {
                nested.extend(left_out.into_iter().map(|left| (at.name.as_str(), left)));
            }
            Err(error) => failures.push(format!(
                "could not save the repositories inside {}: {error}",
                at.name
            )),
        }
    }
    // The worktrees are as the former checkpoint says when there is no new one.
    let kept = last.as_ref().map_or(&there.checkpoint, |last| &last.repos);
    let is_there = |(repo, _): &(&str, _)| there.worktrees.iter().any(|at| at.name == *repo);
    let mut missing = left_out(kept);
    missing.retain(is_there);
    missing.extend(nested.iter().map(|(repo, left)| (*repo, left)));
    match not_kept(&missing, &failures) {
        Some(error) if !force => return Err(error),
        Some(_) => {
            let names = missing
                .iter()
                .map(|(repo, left)| format!("{repo}: '{}'", left.path));
            let names: Vec<_> = failures.iter().cloned().chain(names).collect();
            log::warn!(run_id:% = run.id; "Deleting run {} without saving all of its work: {}.", run.id, names.join("; "));
        }
        None => {}
    }
    Ok(last)
}

/// Refuses when somebody locked a worktree: git would not remove it either.
fn locked(run: &Run) -> Option<OrderError> {
    run.worktrees.iter().find_map(|at| {
        let why = git::lock_of(at, &base_of(run, at)?.repo_path)?;
        let why = if why.is_empty() { why } else { format!(" ({why})") };
        let name = &at.name;
        Some(OrderError::Conflict(format!(
            "Nothing was deleted: the worktree of '{name}' is locked{why}. Unlock it with `git worktree unlock`, \
             or repeat with ?force=true."
        )))
    })
}

fn remove_all(
    run: &Run,
    shared: &Shared,
    last: Option<&Checkpoint>,
    force: bool,
) -> Result<Vec<WorktreeAt>, OrderError> {
    let kept = last.map_or(&run.checkpoint, |checkpoint| &checkpoint.repos);
    let mut removed = Vec::new();
    for base in &run.created.repos {
        // The repository itself may be gone: then there is nothing of ours to remove in it.
        let Ok(git_dir) = git::git_dir_of(&base.repo_path) else {
            continue;
        };
        let at = worktree_of(run, base);
        let commit = kept
            .iter()
            .find(|kept| kept.repo_id == base.repo_id)
            .map(|kept| kept.commit.as_str());
        let job = || remove_one(run, base, at, commit, shared, force);
        let gone = shared.repo_locks.with(&[git_dir], job);
        let gone = gone.map_err(|error| OrderError::of(&base.name, &error))?;
        removed.extend(at.filter(|_| gone).cloned());
    }
    let folder = shared.worktrees_dir(run.id);
    // Empty by now, unless something in it is not ours: then it stays.
    if let Err(error) = std::fs::remove_dir(&folder)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        log::warn!(run_id:% = run.id; "Could not remove the worktree folder of run {}: {error}.", run.id);
    }
    Ok(removed)
}

/// Under the repository's lock. True when the worktree was removed.
fn remove_one(
    run: &Run,
    base: &RepoBase,
    at: Option<&WorktreeAt>,
    commit: Option<&str>,
    shared: &Shared,
    force: bool,
) -> Result<bool, git::GitError> {
    // When an earlier deletion was cut off after the worktree went, it kept the last of it, which
    // is newer than any checkpoint in the log.
    let gone = at.is_none_or(|at| !at.worktree.exists());
    let commit = if gone && git::keeps_checkpoint(&base.repo_path, run.id)? {
        None
    } else {
        commit
    };
    let kept = git::keep_deleted(&base.repo_path, run.id, &base.name, &run.run_branch, commit);
    if let Err(error) = &kept
        && force
    {
        log::warn!(run_id:% = run.id, error:% = error;
            "Deleting a run whose work could not be saved; its checkpoints stay in {}.", base.name);
    }
    let is_kept = kept.is_ok();
    if !force {
        kept?;
    }
    // What was not kept, since something else stands there, is not removed either.
    let is_ours = |at: &&WorktreeAt| !at.worktree.exists() || in_place(run, at);
    let Some(at) = at.filter(is_ours) else {
        return Ok(false);
    };
    shared.stats.forget(&at.worktree);
    let gone = git::remove(at, &base.repo_path, &shared.config.data_dir)?;
    fault::point("delete.worktree_removed");
    // All of it is kept by now: refs that are locked or damaged are no reason to stop.
    let branch = git::remove_run_branch(&base.repo_path, &run.run_branch);
    fault::point("delete.branch_removed");
    let checkpoints = match is_kept {
        true => git::drop_checkpoints(&base.repo_path, run.id),
        false => Ok(0),
    };
    for error in branch.err().into_iter().chain(checkpoints.err()) {
        log::warn!(run_id:% = run.id, error:% = error; "Could not remove refs of a deleted run in {}.", base.name);
    }
    fault::point("delete.checkpoints_removed");
    Ok(gone)
}
