//! The branches of a project: listed over all its repos, deleted, merged, rebased.

use super::{OperationError, blocking, project, read};
use crate::{
    domain::{
        Project, ProjectId, Repo, RepoId, RunId,
        run::{
            event::{RebasedAt, RunRebased},
            work::Work,
        },
    },
    git::{self, ErrorKind, GitError},
    runtime::{
        Request, Runtime,
        order::{Order, OrderError},
    },
    store::{Reader, RunFilter, StoreError},
};
use serde::{Deserialize, Serialize};
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

#[derive(Deserialize)]
struct RunRow {
    id: RunId,
    run_branch: String,
    repos: Vec<RunRepo>,
}

#[derive(Deserialize)]
struct RunRepo {
    repo_id: RepoId,
}

fn makers(reader: &Reader, project: ProjectId) -> Result<Makers, StoreError> {
    let filter = RunFilter {
        project_id: Some(project),
        ..RunFilter::default()
    };
    let mut makers = Makers::new();
    for view in reader.runs(&filter)? {
        let row: RunRow =
            serde_json::from_str(&view).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        for repo in row.repos {
            makers.insert((repo.repo_id, row.run_branch.clone()), row.id);
        }
    }
    Ok(makers)
}

pub(super) fn fault(name: &str, error: GitError) -> OperationError {
    let why = format!("Repo '{name}': {error}.");
    match error.kind() {
        ErrorKind::Unknown => OrderError::Missing(why).into(),
        ErrorKind::Invalid => OrderError::Invalid(why).into(),
        ErrorKind::Unusable | ErrorKind::Conflict | ErrorKind::TimedOut => {
            OperationError::conflict(why)
        }
        ErrorKind::Fault => OperationError::failed(error),
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
    let count = project.repos.len();
    let mut fitting = project
        .repos
        .into_iter()
        .filter(|repo| wanted.is_none_or(|id| repo.id == id));
    match fitting.next() {
        Some(_) if wanted.is_none() && count > 1 => Err(OperationError::invalid(
            "repo_id",
            "is required, because this project has several repos",
        )),
        Some(repo) => Ok(repo),
        None if wanted.is_some() => Err(OperationError::Unknown("repo")),
        None => Err(OperationError::conflict(
            "This project has no repo yet; add one first.",
        )),
    }
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
/// its new base.
///
/// # Errors
/// `Unknown` project or repo; those of git.
pub(crate) async fn rebase(
    runtime: &Runtime,
    name: BranchName,
    onto: Option<String>,
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
    record(runtime, project, at).await;
    Ok(made)
}

/// Tells the run of a rebased branch, when it has one, that its base commit is another.
async fn record(runtime: &Runtime, project: ProjectId, at: RebasedAt) {
    let makers = read(runtime, move |reader| makers(reader, project)).await;
    let run = makers.ok().and_then(|makers| {
        let run = makers.get(&(at.repo_id, at.branch.clone()))?;
        Some(*run)
    });
    let Some(run) = run else { return };
    let work = Work::Rebased(RunRebased { repos: vec![at] });
    let request = Request::Order {
        order: Order::Record(Box::new(work)),
        idempotent: None,
    };
    if let Err(error) = runtime.ask(run, request).await {
        log::warn!(run_id:% = run; "Could not record the rebase of run {run}: {error}.");
    }
}
