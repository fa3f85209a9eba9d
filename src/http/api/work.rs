//! Orders on a run's work: commit, push, accept, rename, revert, restore.

use crate::{
    domain::{
        RunId,
        run::view::{CommittedView, PushedView, ReplacedView, RunView},
    },
    http::wire::{ApiResult, Id, Idempotent, NoBody, Query, ok},
    runtime::{Request, Runtime, messages::Key, order::Order},
};
use actix_web::{post, web::Data};
use serde::Deserialize;

#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct CommitMessage {
    /// Not blank; at most 64 KiB.
    message: String,
}

#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct BranchName {
    /// A branch name as git takes it, without `refs/heads/`.
    name: String,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Forced {
    /// Also when some of the work cannot be kept; the refusal without it names what.
    #[serde(default)]
    pub force: bool,
}

async fn order(runtime: &Runtime, id: RunId, order: Order, key: Key) -> ApiResult {
    ok(&runtime.ask(id, Request::Order(order), key).await?)
}

/// Commits what the run has changed.
#[utoipa::path(tag = "changes", request_body = CommitMessage,
    responses((status = 200, body = [CommittedView]), (status = 409)))]
#[post("/api/runs/{id}/commit")]
pub(crate) async fn commit(
    runtime: Data<Runtime>,
    Id(id): Id<RunId>,
    Idempotent { body, key }: Idempotent<CommitMessage>,
) -> ApiResult {
    let message = body.message;
    order(&runtime, id, Order::Commit { message }, key).await
}

/// Pushes the run's branches.
#[utoipa::path(tag = "changes",
    responses((status = 200, body = [PushedView]), (status = 409), (status = 502)))]
#[post("/api/runs/{id}/push")]
pub(crate) async fn push(
    runtime: Data<Runtime>,
    Id(id): Id<RunId>,
    Idempotent { key, .. }: Idempotent<NoBody>,
) -> ApiResult {
    order(&runtime, id, Order::Push, key).await
}

/// Accepts the run's work, and pushes its branches where there is a remote.
#[utoipa::path(tag = "changes",
    responses((status = 200, body = [PushedView]), (status = 409), (status = 502)))]
#[post("/api/runs/{id}/accept")]
pub(crate) async fn accept(
    runtime: Data<Runtime>,
    Id(id): Id<RunId>,
    Idempotent { key, .. }: Idempotent<NoBody>,
) -> ApiResult {
    order(&runtime, id, Order::Accept, key).await
}

/// Resets branches and worktrees to their base commits; a checkpoint keeps what was there.
#[utoipa::path(tag = "changes", params(Forced),
    responses((status = 200, body = ReplacedView), (status = 409)))]
#[post("/api/runs/{id}/revert")]
pub(crate) async fn revert(
    runtime: Data<Runtime>,
    Id(id): Id<RunId>,
    Query(Forced { force }): Query<Forced>,
    Idempotent { key, .. }: Idempotent<NoBody>,
) -> ApiResult {
    order(&runtime, id, Order::Revert { force }, key).await
}

/// Puts the contents of a checkpoint back into the worktrees; another checkpoint keeps what was
/// there.
#[utoipa::path(tag = "changes", params(Forced),
    responses((status = 200, body = ReplacedView), (status = 409)))]
#[post("/api/runs/{id}/checkpoints/{number}/restore")]
pub(crate) async fn restore(
    runtime: Data<Runtime>,
    Id(id): Id<RunId>,
    Id(number): Id<u32>,
    Query(Forced { force }): Query<Forced>,
    Idempotent { key, .. }: Idempotent<NoBody>,
) -> ApiResult {
    order(&runtime, id, Order::Restore { number, force }, key).await
}

/// Renames the run's branch in all repos.
#[utoipa::path(tag = "changes", request_body = BranchName,
    responses((status = 200, body = RunView), (status = 409)))]
#[post("/api/runs/{id}/rename-branch")]
pub(crate) async fn rename_branch(
    runtime: Data<Runtime>,
    Id(id): Id<RunId>,
    Idempotent { body, key }: Idempotent<BranchName>,
) -> ApiResult {
    order(&runtime, id, Order::Rename { name: body.name }, key).await
}
