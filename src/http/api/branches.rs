//! The branches of a project: listed over all its repos, deleted, merged, rebased.

use crate::{
    domain::{ProjectId, RepoId},
    http::wire::{ApiResult, Id, Idempotent, NoBody, Query, no_content, ok, ok_once},
    runtime::{
        Runtime,
        operations::branches::{self, BranchName, BranchView, Merged, Rebased},
    },
};
use actix_web::{delete, get, post, web::Data};
use serde::Deserialize;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct BranchQuery {
    /// The branch, without `refs/heads/`.
    branch: String,
    /// Its repo; may be left out when the project has one.
    repo_id: Option<RepoId>,
    /// DELETE: also when it is not merged; its commits are kept under a hidden ref.
    #[serde(default)]
    force: bool,
    /// Merge: into this one, not into the default branch.
    into: Option<String>,
    /// Rebase: onto this one, not onto the default branch.
    onto: Option<String>,
}

impl BranchQuery {
    fn name(&self, project: ProjectId) -> BranchName {
        BranchName {
            project,
            repo: self.repo_id,
            branch: self.branch.clone(),
        }
    }
}

/// The branches of all repos of a project, and which run made which.
#[utoipa::path(tag = "branches", responses((status = 200, body = [BranchView])))]
#[get("/api/projects/{id}/branches")]
pub(crate) async fn list(runtime: Data<Runtime>, Id(id): Id<ProjectId>) -> ApiResult {
    ok(&branches::list(&runtime, id).await?)
}

/// Deletes a branch; its commits are kept under a hidden ref.
#[utoipa::path(tag = "branches", params(BranchQuery), responses((status = 204), (status = 409)))]
#[delete("/api/projects/{id}/branches")]
pub(crate) async fn remove(
    runtime: Data<Runtime>,
    Id(id): Id<ProjectId>,
    Query(query): Query<BranchQuery>,
) -> ApiResult {
    branches::remove(&runtime, query.name(id), query.force).await?;
    Ok(no_content())
}

/// Merges a branch into the default branch, or into another one.
#[utoipa::path(tag = "branches", params(BranchQuery),
    responses((status = 200, body = Merged), (status = 409)))]
#[post("/api/projects/{id}/branches/merge")]
pub(crate) async fn merge(
    runtime: Data<Runtime>,
    Id(id): Id<ProjectId>,
    Query(query): Query<BranchQuery>,
    Idempotent { key, .. }: Idempotent<NoBody>,
) -> ApiResult {
    let merged = branches::merge(&runtime, query.name(id), query.into).await?;
    ok_once(&runtime, key, &merged).await
}

/// Rebases a branch onto the default branch, or onto another one.
#[utoipa::path(tag = "branches", params(BranchQuery),
    responses((status = 200, body = Rebased), (status = 409)))]
#[post("/api/projects/{id}/branches/rebase")]
pub(crate) async fn rebase(
    runtime: Data<Runtime>,
    Id(id): Id<ProjectId>,
    Query(query): Query<BranchQuery>,
    Idempotent { key, .. }: Idempotent<NoBody>,
) -> ApiResult {
    ok(&branches::rebase(&runtime, query.name(id), query.onto, key).await?)
}
