//! Revert and restore: the files of all worktrees are replaced, or of none. What is there is kept in a
//! checkpoint first; what that cannot hold refuses it, unless it was forced, and is named in the answer.

use super::{
    checkpoint::{left_out, of_repo, wish},
    placed::{check, placed},
};
use crate::{
    domain::run::{
        Run,
        command::Checkpoint,
        event::{CheckpointAt, RepoBase, RevertedAt, RunRestored, RunReverted, WorktreeAt},
    },
    git::{self, GitError, Operation, Replaced},
    runtime::{
        order::{OrderError, not_kept},
        run::input::Worked,
        shared::Shared,
    },
};

/// Keeps the present work of all repos, also where nothing changed. What a checkpoint cannot hold
/// refuses it, unless forced.
fn keep(run: &Run, reason: &str, force: bool) -> Result<Checkpoint, OrderError> {
    let number = run.checkpoint_number + 1;
    let mut repos = Vec::new();
    for (at, base) in placed(run) {
        let kept = git::checkpoint_always(wish(run, at, base, number, reason));
        repos.push(kept.map_err(|error| OrderError::of(&at.name, &error))?);
    }
    if let Some(error) = not_kept(&left_out(&repos), &[]).filter(|_| !force) {
        return Err(error);
    }
    let reason = reason.to_owned();
    Ok(Checkpoint {
        number,
        reason,
        repos,
    })
}

/// Replaces the files of all worktrees, or of none.
fn replace(
    run: &Run,
    kept: &Checkpoint,
    mut one: impl FnMut(&WorktreeAt, &RepoBase, &CheckpointAt) -> Result<Replaced, GitError>,
) -> Result<(), OrderError> {
    let mut replaced = Vec::new();
    for (at, base) in placed(run) {
        let Some(kept) = of_repo(&kept.repos, at) else {
            continue;
        };
        match one(at, base, kept) {
            Ok(done) => replaced.push((at, done)),
            Err(error) => {
                for (at, done) in replaced.into_iter().rev() {
                    if let Err(error) = done.undo() {
                        log::error!(run_id:% = run.id; "Could not undo the changes in repo {}: {error}.", at.name);
                    }
                }
                return Err(OrderError::of(&at.name, &error));
            }
        }
    }
    Ok(())
}

/// Takes branch and files back to the base commits.
pub(super) fn revert(run: &Run, force: bool) -> Result<Worked, OrderError> {
    let checkpoint = keep(run, "revert", force)?;
    let mut repos = Vec::new();
    let reverted = replace(run, &checkpoint, |at, base, kept| {
        let (path, source) = (&base.repo_path, base.source.as_deref());
        let commit = match git::has_commit(path, &base.base_commit) {
            true => base.base_commit.clone(),
            // Rewritten away and collected: what the branch has in common with its source.
            false => git::own_base(at, path, &base.base_commit, source)?,
        };
        let replaced = git::revert(at, path, &commit, kept)?;
        repos.push(RevertedAt {
            repo_id: at.repo_id,
            repo_name: at.name.clone(),
            commit,
        });
        Ok(replaced)
    });
    let reverted = reverted.map(|()| {
        let checkpoint = checkpoint.number;
        RunReverted { checkpoint, repos }.into()
    });
    Ok(Worked::replaced(checkpoint, reverted))
}

/// Brings back the contents of a checkpoint.
pub(super) fn restore(
    run: &Run,
    shared: &Shared,
    number: u32,
    force: bool,
) -> Result<Worked, OrderError> {
    let kept = shared.reader.checkpoints(run.id);
    let kept = kept.map_err(|error| OrderError::Internal(error.to_string()))?;
    let wanted = kept.into_iter().rfind(|kept| kept.number == number);
    let wanted = wanted
        .ok_or_else(|| OrderError::Missing(format!("This run has no checkpoint {number}.")))?;
    check(run, Operation::Restore)?;
    let before = keep(run, "restore", force)?;
    let wanted_at = |at: &WorktreeAt| of_repo(&wanted.repos, at).map(|kept| kept.commit.clone());
    let restored = replace(run, &before, |at, base, kept| {
        // A repo that the checkpoint does not have stays as it is.
        let commit = wanted_at(at).unwrap_or_else(|| kept.commit.clone());
        git::restore_in_place(at, &base.repo_path, &commit, kept)
    });
    let restored = restored.map(|()| {
        let (reason, repos) = (wanted.reason, wanted.repos);
        let restored = RunRestored {
            number,
            reason,
            repos,
        };
        restored.into()
    });
    Ok(Worked::replaced(before, restored))
}
