//! Removes what a run leaves that failed before its CLI started, when it holds nothing.
//!
//! # Crash
//! This comes before the failure is told: until that is in the log, set-up is done again from scratch.

use super::{
    JobContext,
    placed::specs,
    script::{Script, ScriptError},
};
use crate::{
    domain::run::event::WorktreeAt,
    git::{self, GitError, WorktreeSpec},
};
use std::{
    path::Path,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

/// Removes what a failed set-up left: worktrees and branches of this run that hold no work.
pub(super) async fn remove_half_made(context: &JobContext) {
    if !context.run.worktrees.is_empty() {
        return;
    }
    let specs = specs(context);
    let shared = Arc::clone(&context.shared);
    let id = context.run.id;
    let removed = context
        .blocking(move || {
            for spec in specs {
                let Ok(inspected) = git::inspect(&spec.repo_path) else {
                    continue;
                };
                let job = || remove_one(&spec, &shared.config.data_dir);
                if let Err(error) = shared.repo_locks.with(&[inspected.git_dir], job) {
                    log::warn!(run_id:% = id; "Could not remove an incomplete worktree: {error}.");
                }
            }
        })
        .await;
    if let Err(error) = removed {
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
    let mut specs = specs(context);
    specs.retain(|spec| run.worktrees.iter().any(|at| at.worktree == spec.path));
    let unused = |spec: &WorktreeSpec| git::holds_nothing(&spec.path, &spec.base_commit);
    let looked = specs.clone();
    let all_unused = move || looked.iter().all(|spec| unused(spec).unwrap_or(false));
    if specs.len() != run.worktrees.len() || !context.blocking(all_unused).await.unwrap_or(false) {
        return None;
    }
    for at in &run.worktrees {
        let never = AtomicBool::new(false);
        if let Err(ScriptError::Failed { reason, detail }) =
            Script::CleanUp.run(context, at, &never).await
        {
            log::warn!(run_id:% = run.id; "Removed an unused worktree, but {reason}: {detail}");
        }
    }
    let shared = Arc::clone(&context.shared);
    let removed = context.blocking(move || {
        specs.iter().try_for_each(|spec| {
            let git_dir = git::inspect(&spec.repo_path)?.git_dir;
            let job = || remove_one(spec, &shared.config.data_dir);
            shared.repo_locks.with(&[git_dir], job)
        })
    });
    match removed.await {
        Ok(Ok(())) => {
            let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            Some((run.worktrees.clone(), millis))
        }
        Ok(Err(error)) => {
            log::warn!(run_id:% = run.id; "Could not remove unused worktrees: {error}.");
            None
        }
        Err(error) => {
            log::warn!(run_id:% = run.id; "Could not remove unused worktrees: {error}.");
            None
        }
    }
}
