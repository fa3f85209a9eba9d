//! Pull requests of a run, and those of a project's branches.

use crate::{
    domain::{ProjectId, RunId, run::view::PullRequestView},
    http::wire::{ApiResult, Id, Idempotent, created, ok},
    runtime::{
        Runtime,
        operations::pull_requests::{self, NewPullRequest, PrStatusView},
    },
};
use actix_web::{get, post, web::Data};

/// Pushes the run's branches and opens a pull request of each.
#[utoipa::path(tag = "changes", request_body = NewPullRequest,
    responses((status = 201, body = [PullRequestView]), (status = 409), (status = 502)))]
#[post("/api/runs/{id}/pull-request")]
pub(crate) async fn open(
    runtime: Data<Runtime>,
    Id(id): Id<RunId>,
    Idempotent { body, key }: Idempotent<NewPullRequest, 201>,
) -> ApiResult {
    created(&pull_requests::open(&runtime, id, body, key).await?)
}

/// The pull requests of a project's branches, as reported by their forges.
#[utoipa::path(tag = "branches",
    responses((status = 200, body = [PrStatusView]), (status = 409), (status = 502)))]
#[get("/api/projects/{id}/branches/pr-status")]
pub(crate) async fn status(runtime: Data<Runtime>, Id(id): Id<ProjectId>) -> ApiResult {
    ok(&pull_requests::status(&runtime, id).await?)
}
