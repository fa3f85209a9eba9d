//! The branches of a project: listed over all its repos, deleted, merged, rebased.

use super::{OperationError, blocking, no_repo, project, read};
use crate::{
    domain::{
        Project, ProjectId, Repo, RepoId, RunId,
        run::event::{RebasedAt, RunRebased},
    },
    git::{self, ErrorKind, GitError},
    runtime::{
        Request, Runtime,
        messages::Key,
        order::{Order, OrderError},
    },
    store::{Reader, StoreError},
};
use serde::Serialize;
use std::{collections::HashMap, sync::Arc};

pub(crate) use git::{Merged, Rebased};

/// A branch of a project.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct BranchView {
    repo_id: RepoId,
    repo_name: String,
    #[serde(flatten)]
    branch: git::Branch,
    /// The run whose branch it is.
    #[schema(required)]
    run_id: Option<RunId>,
}

/// A branch, as callers name it.
#[derive(Debug)]
pub(crate) struct BranchName {
    /// The project.
    pub project: ProjectId,
    /// Its repo; may be left out when the project has one.
    pub repo: Option<RepoId>,
    /// Without `refs/heads/`.
    pub branch: String,
}

/// Which run made a branch, by repo and name.
type Makers = HashMap<(RepoId, String), RunId>;

fn makers(reader: &Reader, project: ProjectId) -> Result<Makers, StoreError> {
    let mut makers = Makers::new();
    for run in reader.runs_repos(Some(project))? {
        for repo in &run.repos {
            makers.insert((repo.repo_id, run.run_branch.clone()), run.id);
        }
    }
    Ok(makers)
}

pub(super) fn fault(name: &str, error: GitError) -> OperationError {
    match error.kind() {
        ErrorKind::Unknown => OrderError::Missing(format!("Repo '{name}': {error}.")).into(),
        ErrorKind::Fault => OperationError::failed(error),
        ErrorKind::Invalid | ErrorKind::Unusable | ErrorKind::Conflict | ErrorKind::TimedOut => {
            OrderError::of(name, &error).into()
        }
    }
}

/// The branches of all repos of a project, and which run made which.
///
/// # Errors
/// `Unknown` project; those of looking at a repository.
pub(crate) async fn list(
    runtime: &Runtime,
    id: ProjectId,
) -> Result<Vec<BranchView>, OperationError> {
    let repos = project(runtime, id).await?.repos;
    let makers = read(runtime, move |reader| makers(reader, id)).await?;
    let listed = blocking(move || {
        let mut all = Vec::new();
        for repo in &repos {
            let branches = git::branches(&repo.repo_path).map_err(|why| fault(&repo.name, why))?;
            let shown = |branch| shown(repo, branch, &makers);
            all.extend(branches.into_iter().map(shown));
        }
        Ok(all)
    });
    listed.await?
}

fn shown(repo: &Repo, branch: git::Branch, makers: &Makers) -> BranchView {
    let maker = makers.get(&(repo.id, branch.name.clone()));
    BranchView {
        repo_id: repo.id,
        repo_name: repo.name.clone(),
        branch,
        run_id: maker.copied(),
    }
}

/// The repo that is meant: the one named, or the only one.
fn chosen(project: Project, wanted: Option<RepoId>) -> Result<Repo, OperationError> {
    if let Some(wanted) = wanted {
        let mut repos = project.repos.into_iter();
        let named = repos.find(|repo| repo.id == wanted);
        return named.ok_or(OperationError::Unknown("repo"));
    }
    if project.repos.len() > 1 {
        let why = "is required, because this project has several repos";
        return Err(OperationError::invalid("repo_id", why));
    }
    project
        .repos
        .first()
        .cloned()
        .ok_or_else(|| no_repo(&project))
}

/// Does something with a branch under its repository's lock.
async fn locked<T: Send + 'static>(
    runtime: &Runtime,
    name: BranchName,
    work: impl FnOnce(&Repo, &str) -> Result<T, GitError> + Send + 'static,
) -> Result<T, OperationError> {
    let repo = chosen(project(runtime, name.project).await?, name.repo)?;
    let shared = Arc::clone(&runtime.shared);
    let done = blocking(move || {
        let git_dir = git::git_dir_of(&repo.repo_path).map_err(|why| fault(&repo.name, why))?;
        let job = || work(&repo, &name.branch);
        let done = shared.repo_locks.with(&[git_dir], job);
        done.map_err(|why| fault(&repo.name, why))
    });
    done.await?
}

/// Deletes a branch; its commits are kept under a hidden ref. One that is not merged needs `force`.
///
/// # Errors
/// `Unknown` project or repo; those of git.
pub(crate) async fn remove(
    runtime: &Runtime,
    name: BranchName,
    force: bool,
) -> Result<(), OperationError> {
    let removed = locked(runtime, name, move |repo, branch| {
        git::delete_user_branch(&repo.repo_path, branch, force)
    });
    removed.await?;
    Ok(())
}

/// Merges a branch into the default branch, or into another one.
///
/// # Errors
/// `Unknown` project or repo; those of git.
pub(crate) async fn merge(
    runtime: &Runtime,
    name: BranchName,
    into: Option<String>,
) -> Result<Merged, OperationError> {
    let merged = locked(runtime, name, move |repo, branch| {
        git::merge(&repo.repo_path, branch, into.as_deref())
    });
    merged.await
}

/// Rebases a branch onto the default branch, or onto another one. The run that made it learns of
/// its new base; the key goes into the same commit.
///
/// # Errors
/// `Unknown` project or repo; those of git.
pub(crate) async fn rebase(
    runtime: &Runtime,
    name: BranchName,
    onto: Option<String>,
    key: Key,
) -> Result<Rebased, OperationError> {
    let project = name.project;
    let rebased = locked(runtime, name, move |repo, branch| {
        let made = git::rebase(&repo.repo_path, branch, onto.as_deref())?;
        let at = RebasedAt {
            repo_id: repo.id,
            repo_name: repo.name.clone(),
            branch: branch.to_owned(),
            onto: made.onto.clone(),
            commit: made.commit.clone(),
            base_commit: made.base_commit.clone(),
        };
        Ok((made, at))
    });
    let (made, at) = rebased.await?;
    if !record(runtime, project, at, &made, key.clone()).await {
        runtime.remember(key, &made).await;
    }
    Ok(made)
}

/// Tells the run of a rebased branch that its base commit is another. False when there is no such run, or
/// it cannot be told.
async fn record(
    runtime: &Runtime,
    project: ProjectId,
    at: RebasedAt,
    answer: &Rebased,
    key: Key,
) -> bool {
    let makers = read(runtime, move |reader| makers(reader, project)).await;
    let branch = (at.repo_id, at.branch.clone());
    let Some(run) = makers.ok().and_then(|makers| makers.get(&branch).copied()) else {
        return false;
    };
    let rebased = RunRebased { repos: vec![at] };
    let request = Request::Order(Order::Record(Box::new(rebased.into())));
    let recorded = match key.map(|key| key.with_answer(answer)).transpose() {
        Ok(key) => runtime.ask(run, request, key.map(Box::new)).await,
        Err(error) => Err(error.into()),
    };
    if let Err(error) = &recorded {
        log::warn!(run_id:% = run; "Could not record the rebase of run {run}: {error}.");
    }
    recorded.is_ok()
}
