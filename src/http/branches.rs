//! The branches of a project: listed over all its repos, deleted, merged, rebased.

use super::{
    answer::{json, ok, read, text, unknown},
    error::ApiError,
    extract::{Id, NoBody, Query},
    idempotent::{Idempotent, remember},
};
use crate::{
    domain::{
        ProjectId, RepoId, RunId,
        project::Repo,
        run::{
            event::{RebasedAt, RunRebased},
            work::Work,
        },
    },
    git::{self, ErrorKind, GitError},
    runtime::{Request, Runtime, messages::Idempotency, order::Order},
    store::{Reader, RunFilter, StoreError},
};
use actix_web::{HttpResponse, delete, get, http::StatusCode, post, web};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::OnceLock};

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct BranchQuery {
    /// The branch, without `refs/heads/`.
    branch: String,
    /// Its repo; may be left out when the project has one.
    repo_id: Option<uuid::Uuid>,
    /// DELETE: also when it is not merged; its commits are kept under a hidden ref.
    #[serde(default)]
    force: bool,
    /// Merge: into this one, not into the default branch.
    into: Option<String>,
    /// Rebase: onto this one, not onto the default branch.
    onto: Option<String>,
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

pub(super) fn fault(name: &str, error: GitError) -> ApiError {
    let why = format!("Repo '{name}': {error}.");
    match error.kind() {
        ErrorKind::Unknown => ApiError::missing(why),
        ErrorKind::Invalid => ApiError::malformed(why),
        ErrorKind::Unusable | ErrorKind::Conflict | ErrorKind::TimedOut => ApiError::conflict(why),
        ErrorKind::Fault => ApiError::fault(error),
    }
}

async fn repos(runtime: &Runtime, id: ProjectId) -> Result<Vec<Repo>, ApiError> {
    let project = read(runtime, move |reader| reader.project(id)).await?;
    Ok(project.ok_or_else(|| unknown("project"))?.repos)
}

/// The branches of all repos of a project, and which run made which.
#[utoipa::path(tag = "branches",
    responses((status = 200, body = [BranchView]), (status = 400), (status = 404)))]
#[get("/api/projects/{id}/branches")]
pub(super) async fn list(
    runtime: web::Data<Runtime>,
    Id(id): Id<ProjectId>,
) -> Result<HttpResponse, ApiError> {
    let repos = repos(&runtime, id).await?;
    let makers = read(&runtime, move |reader| makers(reader, id)).await?;
    let listed = web::block(move || {
        let mut all = Vec::new();
        for repo in &repos {
            let branches = git::branches(&repo.repo_path).map_err(|why| fault(&repo.name, why))?;
            let of_repo = branches
                .into_iter()
                .map(|branch| shown(repo, branch, &makers));
            all.extend(of_repo);
        }
        Ok::<_, ApiError>(all)
    });
    ok(&listed.await.map_err(ApiError::fault)??)
}

/// A branch of a project.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct BranchView {
    repo_id: RepoId,
    repo_name: String,
    #[serde(flatten)]
    branch: git::Branch,
    /// The run whose branch it is.
    #[schema(required)]
    run_id: Option<RunId>,
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

/// The repo that a query means.
fn chosen(repos: Vec<Repo>, query: &BranchQuery) -> Result<Repo, ApiError> {
    let wanted = query.repo_id.map(RepoId);
    let count = repos.len();
    let mut fitting = repos
        .into_iter()
        .filter(|repo| wanted.is_none_or(|id| repo.id == id));
    match fitting.next() {
        Some(_) if wanted.is_none() && count > 1 => Err(ApiError::invalid(
            "repo_id",
            "is needed: this project has several repos",
        )),
        Some(repo) => Ok(repo),
        None if wanted.is_some() => Err(unknown("repo")),
        None => Err(ApiError::conflict("This project has no repo yet.")),
    }
}

/// Does something with a branch under its repository's lock, on a blocking thread.
async fn locked<T: Send + 'static>(
    runtime: &Runtime,
    repo: Repo,
    work: impl FnOnce(&Repo) -> Result<T, GitError> + Send + 'static,
) -> Result<T, ApiError> {
    let shared = std::sync::Arc::clone(&runtime.shared);
    let done = web::block(move || {
        let git_dir = git::git_dir_of(&repo.repo_path).map_err(|why| fault(&repo.name, why))?;
        let done = shared.repo_locks.with(&[git_dir], || work(&repo));
        done.map_err(|why| fault(&repo.name, why))
    });
    done.await.map_err(ApiError::fault)?
}

/// Deletes a branch; its commits are kept under a hidden ref.
#[utoipa::path(tag = "branches", params(BranchQuery),
    responses((status = 204), (status = 400), (status = 404), (status = 409)))]
#[delete("/api/projects/{id}/branches")]
pub(super) async fn remove(
    runtime: web::Data<Runtime>,
    Id(id): Id<ProjectId>,
    Query(query): Query<BranchQuery>,
) -> Result<HttpResponse, ApiError> {
    let repos = repos(&runtime, id).await?;
    let repo = chosen(repos, &query)?;
    locked(&runtime, repo, move |repo| {
        git::delete_user_branch(&repo.repo_path, &query.branch, query.force)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Moves a branch, once a key.
async fn moved<T: Serialize + Send + 'static>(
    runtime: &Runtime,
    project: ProjectId,
    query: BranchQuery,
    key: Option<Box<Idempotency>>,
    work: impl FnOnce(&Repo, &BranchQuery) -> Result<T, GitError> + Send + 'static,
) -> Result<HttpResponse, ApiError> {
    let repos = repos(runtime, project).await?;
    let repo = chosen(repos, &query)?;
    let answer = locked(runtime, repo, move |repo| work(repo, &query)).await?;
    let answer = text(&answer)?;
    remember(runtime, key, &answer).await;
    Ok(json(StatusCode::OK, answer))
}

/// Merges a branch into the default branch, or into another one.
#[utoipa::path(tag = "branches", params(BranchQuery),
    responses((status = 200, body = git::Merged), (status = 400), (status = 404),
              (status = 409)))]
#[post("/api/projects/{id}/branches/merge")]
pub(super) async fn merge(
    runtime: web::Data<Runtime>,
    Id(id): Id<ProjectId>,
    Query(query): Query<BranchQuery>,
    Idempotent { key, .. }: Idempotent<NoBody>,
) -> Result<HttpResponse, ApiError> {
    moved(&runtime, id, query, key, |repo, query| {
        git::merge(&repo.repo_path, &query.branch, query.into.as_deref())
    })
    .await
}

/// Rebases a branch onto the default branch, or onto another one.
#[utoipa::path(tag = "branches", params(BranchQuery),
    responses((status = 200, body = git::Rebased), (status = 400), (status = 404),
              (status = 409)))]
#[post("/api/projects/{id}/branches/rebase")]
pub(super) async fn rebase(
    runtime: web::Data<Runtime>,
    Id(id): Id<ProjectId>,
    Query(query): Query<BranchQuery>,
    Idempotent { key, .. }: Idempotent<NoBody>,
) -> Result<HttpResponse, ApiError> {
    let (runs, done) = (runtime.clone(), std::sync::Arc::new(OnceLock::new()));
    let rebased = std::sync::Arc::clone(&done);
    let answer = moved(&runtime, id, query, key, move |repo, query| {
        let made = git::rebase(&repo.repo_path, &query.branch, query.onto.as_deref())?;
        let at = RebasedAt {
            repo_id: repo.id,
            repo_name: repo.name.clone(),
            branch: query.branch.clone(),
            onto: made.onto.clone(),
            commit: made.commit.clone(),
            base_commit: made.base_commit.clone(),
        };
        drop(rebased.set(at));
        Ok(made)
    });
    let answer = answer.await?;
    if let Some(at) = done.get() {
        record(&runs, id, at.clone()).await;
    }
    Ok(answer)
}

/// Tells the run of a rebased branch, when it has one, that its base commit is another.
async fn record(runtime: &Runtime, project: ProjectId, at: RebasedAt) {
    let makers = read(runtime, move |reader| makers(reader, project)).await;
    let run = makers.ok().and_then(|makers| {
        let run = makers.get(&(at.repo_id, at.branch.clone()))?;
        Some(*run)
    });
    let Some(run) = run else { return };
    let work = Box::new(Work::Rebased(RunRebased { repos: vec![at] }));
    let order = Order::Record {
        work,
        answer: String::new(),
    };
    let request = Request::Order {
        order,
        idempotent: None,
    };
    if let Err(error) = runtime.ask(run, request).await {
        log::warn!(run_id:% = run; "The rebase of run {run} is not in its log: {error}.");
    }
}
