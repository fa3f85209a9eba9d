//! Removes what a run leaves that failed before its CLI started, when it holds nothing.
//!
//! # Crash
//! This comes before the failure is told: until that is in the log, set-up is done again from scratch.

use super::{JobContext, millis_since, placed::specs, script::clean_up};
use crate::{
    domain::run::event::WorktreeAt,
    git::{self, GitError, WorktreeSpec},
    runtime::threads::Failed,
};
use std::{path::Path, time::Instant};

/// Removes what a failed set-up left: worktrees and branches of this run that hold no work.
pub(super) async fn remove_half_made(context: &JobContext) {
    if !context.run.worktrees.is_empty() {
        return;
    }
    let id = context.run.id;
    let removed = context.blocking(|run, shared| {
        for spec in specs(run, shared) {
            let Ok(inspected) = git::inspect(&spec.repo_path) else {
                continue;
            };
            let job = || remove_one(&spec, &shared.config.data_dir);
            if let Err(error) = shared.repo_locks.with(&[inspected.git_dir], job) {
                log::warn!(run_id:% = run.id; "Could not remove an incomplete worktree: {error}.");
            }
        }
        Ok::<_, Failed>(())
    });
    if let Err(error) = removed.await {
        log::warn!(run_id:% = id; "Could not remove incomplete worktrees: {error}.");
    }
}

fn remove_one(spec: &WorktreeSpec, data_dir: &Path) -> Result<(), GitError> {
    let at = WorktreeAt {
        repo_id: spec.repo_id,
        name: spec.name.clone(),
        worktree: spec.path.clone(),
        branch: spec.branch.clone(),
    };
    if git::remove(&at, &spec.repo_path, data_dir)? {
        git::delete_branch_at(&spec.repo_path, &spec.branch, &spec.base_commit)?;
    }
    Ok(())
}

/// Removes the worktrees of a run whose CLI could not be started, when none of them holds anything;
/// gives what was removed, and how long it took.
pub(super) async fn remove_unused(context: &JobContext) -> Option<(Vec<WorktreeAt>, u64)> {
    let begun = Instant::now();
    let run = &context.run;
    if run.session.is_some() || run.worktrees.is_empty() {
        return None;
    }
    let mut specs = specs(run, &context.shared);
    specs.retain(|spec| run.worktrees.iter().any(|at| at.worktree == spec.path));
    if specs.len() != run.worktrees.len() {
        return None;
    }
    let looked = specs.clone();
    let is_unused = |spec: &WorktreeSpec| git::holds_nothing(&spec.path, &spec.base_commit);
    let unused = context.blocking(move |_, _| {
        Ok::<_, Failed>(looked.iter().all(|spec| is_unused(spec).unwrap_or(false)))
    });
    if !unused.await.unwrap_or(false) {
        return None;
    }
    for at in &run.worktrees {
        clean_up(context, at).await;
    }
    let removed = context.blocking(move |_, shared| {
        let removed = specs.iter().try_for_each(|spec| {
            let git_dir = git::inspect(&spec.repo_path)?.git_dir;
            let job = || remove_one(spec, &shared.config.data_dir);
            shared.repo_locks.with(&[git_dir], job)
        });
        removed.map_err(|error: GitError| error.to_string())
    });
    if let Err(error) = removed.await {
        log::warn!(run_id:% = run.id; "Could not remove unused worktrees: {error}.");
        return None;
    }
    Some((run.worktrees.clone(), millis_since(begun)))
}
