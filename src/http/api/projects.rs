//! Projects and their repositories.

use crate::{
    domain::{Project, ProjectId, Repo, RepoId, project::ProjectChange},
    http::wire::{ApiResult, Id, Idempotent, JsonBody, created, find, no_content, ok, read},
    runtime::{Runtime, operations::projects},
    store::Reader,
};
use actix_web::{delete, get, post, put, web::Data};
use serde::Deserialize;

#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct NewProject {
    /// 1 to 200 characters, not blank.
    name: String,
}

#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct NewRepo {
    /// 1 to 64 of `A-Za-z0-9._-`, not starting with `.` or `-`.
    name: String,
    /// Absolute path of a checkout.
    repo_path: String,
}

/// Creates a project without repos.
#[utoipa::path(tag = "projects", request_body = NewProject,
    responses((status = 201, body = Project), (status = 409)))]
#[post("/api/projects")]
pub(crate) async fn create(
    runtime: Data<Runtime>,
    Idempotent { body, key }: Idempotent<NewProject, 201>,
) -> ApiResult {
    created(&projects::create(&runtime, body.name, key).await?)
}

/// All projects.
#[utoipa::path(tag = "projects", responses((status = 200, body = [Project])))]
#[get("/api/projects")]
pub(crate) async fn list(runtime: Data<Runtime>) -> ApiResult {
    ok(&read(&runtime, Reader::projects).await?)
}

/// One project.
#[utoipa::path(tag = "projects", responses((status = 200, body = Project)))]
#[get("/api/projects/{id}")]
pub(crate) async fn get(runtime: Data<Runtime>, Id(id): Id<ProjectId>) -> ApiResult {
    ok(&find(&runtime, "project", move |reader| reader.project(id)).await?)
}

/// Changes the given fields of a project.
#[utoipa::path(tag = "projects", request_body = ProjectChange,
    responses((status = 200, body = Project)))]
#[put("/api/projects/{id}")]
pub(crate) async fn change(
    runtime: Data<Runtime>,
    Id(id): Id<ProjectId>,
    JsonBody(change): JsonBody<ProjectChange>,
) -> ApiResult {
    ok(&projects::change(&runtime, id, change).await?)
}

/// Deletes a project that has no live run.
#[utoipa::path(tag = "projects", responses((status = 204), (status = 409)))]
#[delete("/api/projects/{id}")]
pub(crate) async fn remove(runtime: Data<Runtime>, Id(id): Id<ProjectId>) -> ApiResult {
    projects::remove(&runtime, id).await?;
    Ok(no_content())
}

/// Adds a git repository of this machine to a project.
#[utoipa::path(tag = "projects", request_body = NewRepo,
    responses((status = 201, body = Repo), (status = 409)))]
#[post("/api/projects/{id}/repos")]
pub(crate) async fn add_repo(
    runtime: Data<Runtime>,
    Id(id): Id<ProjectId>,
    Idempotent { body, key }: Idempotent<NewRepo, 201>,
) -> ApiResult {
    let NewRepo { name, repo_path } = body;
    created(&projects::add_repo(&runtime, id, name, repo_path.into(), key).await?)
}

/// Removes a repository from a project; the repository itself stays as it is.
#[utoipa::path(tag = "projects", responses((status = 204)))]
#[delete("/api/projects/{id}/repos/{repo_id}")]
pub(crate) async fn remove_repo(
    runtime: Data<Runtime>,
    Id(project): Id<ProjectId>,
    Id(repo): Id<RepoId>,
) -> ApiResult {
    projects::remove_repo(&runtime, project, repo).await?;
    Ok(no_content())
}
