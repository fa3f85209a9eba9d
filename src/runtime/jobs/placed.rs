//! A run's worktrees, each with the repository it belongs to.

use crate::{
    domain::run::{
        Run,
        event::{RepoBase, WorktreeAt},
    },
    git::{self, Operation, WorktreeSpec},
    runtime::{order::OrderError, shared::Shared},
};

/// The repo that a worktree is of.
pub(super) fn base_of<'r>(run: &'r Run, at: &WorktreeAt) -> Option<&'r RepoBase> {
    let mut bases = run.created.repos.iter();
    bases.find(|base| base.repo_id == at.repo_id)
}

/// The worktree that a repo has.
pub(super) fn worktree_of<'r>(run: &'r Run, base: &RepoBase) -> Option<&'r WorktreeAt> {
    let mut worktrees = run.worktrees.iter();
    worktrees.find(|at| at.repo_id == base.repo_id)
}

/// Worktrees with the repositories they belong to.
pub(super) fn placed(run: &Run) -> Vec<(&WorktreeAt, &RepoBase)> {
    let all = run.worktrees.iter();
    all.filter_map(|at| Some((at, base_of(run, at)?))).collect()
}

/// Asks each repo whether the state of its worktree allows an operation, before any is changed.
pub(super) fn check(run: &Run, operation: Operation) -> Result<(), OrderError> {
    for (at, base) in placed(run) {
        git::check(operation, at, &base.repo_path)
            .map_err(|error| OrderError::of(&at.name, &error))?;
    }
    Ok(())
}

/// What to make a run's worktrees of.
pub(super) fn specs(run: &Run, shared: &Shared) -> Vec<WorktreeSpec> {
    let folder = shared.worktrees_dir(run.id);
    let specs = run.created.repos.iter().map(|base| WorktreeSpec {
        run_id: run.id,
        repo_id: base.repo_id,
        name: base.name.clone(),
        repo_path: base.repo_path.clone(),
        branch: run.run_branch.clone(),
        base_commit: base.base_commit.clone(),
        path: folder.join(&base.name),
        spare: None,
    });
    specs.collect()
}
