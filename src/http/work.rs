//! What people have done with a run's work: commit, push, accept, rename, revert, restore.

use super::{
    answer::{Key, decode, id, json, key},
    error::ApiError,
    extract::{JsonBody, NoBody, Query},
};
use crate::{
    domain::{RunId, run::prompt::is_blank},
    runtime::{Request, Runtime, messages::Idempotency, order::Order},
};
use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Deserialize;
use serde_json::Value;

/// Longest commit message, in bytes.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

#[derive(Deserialize, utoipa::ToSchema)]
pub(super) struct CommitMessage {
    /// Not blank.
    message: String,
}

#[derive(Deserialize, utoipa::ToSchema)]
pub(super) struct BranchName {
    /// A branch name as git takes it, without `refs/heads/`.
    name: String,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Forced {
    /// Also when some of the work cannot be kept; the refusal without it names what.
    #[serde(default)]
    pub force: bool,
}

async fn order(
    runtime: &Runtime,
    id: RunId,
    order: Order,
    idempotent: Option<Box<Idempotency>>,
) -> Result<HttpResponse, ApiError> {
    let answer = runtime
        .ask(id, Request::Order { order, idempotent })
        .await?;
    Ok(json(StatusCode::OK, answer))
}

/// An order without a body.
async fn plain(
    runtime: &Runtime,
    request: &HttpRequest,
    path: &str,
    what: Order,
) -> Result<HttpResponse, ApiError> {
    let id: RunId = id(path, "run")?;
    match key(runtime, request, &Value::Null, StatusCode::OK).await? {
        Key::Replayed(answer) => Ok(answer),
        Key::Fresh(idempotent) => order(runtime, id, what, idempotent).await,
    }
}

/// POST runs/{id}/commit
#[utoipa::path(post, path = "/api/runs/{id}/commit", request_body = CommitMessage, tag = "changes",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = [super::schema::CommittedView]), (status = 400),
              (status = 404), (status = 409)))]
pub(super) async fn commit(
    runtime: web::Data<Runtime>,
    request: HttpRequest,
    path: web::Path<String>,
    body: JsonBody<Value>,
) -> Result<HttpResponse, ApiError> {
    let id: RunId = id(&path, "run")?;
    let idempotent = match key(&runtime, &request, &body.0, StatusCode::OK).await? {
        Key::Replayed(answer) => return Ok(answer),
        Key::Fresh(idempotent) => idempotent,
    };
    let CommitMessage { message } = decode(body.0)?;
    if is_blank(&message) || message.contains('\0') {
        return Err(ApiError::invalid("message", "must be text, and not blank"));
    }
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(ApiError::invalid("message", "must be at most 64 KiB"));
    }
    order(&runtime, id, Order::Commit { message }, idempotent).await
}

/// POST runs/{id}/push
#[utoipa::path(post, path = "/api/runs/{id}/push", tag = "changes",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = [super::schema::PushedView]), (status = 404), (status = 409),
              (status = 502)))]
pub(super) async fn push(
    runtime: web::Data<Runtime>,
    request: HttpRequest,
    path: web::Path<String>,
    _: NoBody,
) -> Result<HttpResponse, ApiError> {
    plain(&runtime, &request, &path, Order::Push).await
}

/// POST runs/{id}/accept
#[utoipa::path(post, path = "/api/runs/{id}/accept", tag = "changes",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = [super::schema::PushedView]), (status = 404), (status = 409),
              (status = 502)))]
pub(super) async fn accept(
    runtime: web::Data<Runtime>,
    request: HttpRequest,
    path: web::Path<String>,
    _: NoBody,
) -> Result<HttpResponse, ApiError> {
    plain(&runtime, &request, &path, Order::Accept).await
}

/// POST runs/{id}/revert
#[utoipa::path(post, path = "/api/runs/{id}/revert", tag = "changes",
    params(("id" = uuid::Uuid, Path), Forced),
    responses((status = 200, body = super::schema::ReplacedView), (status = 404), (status = 409)))]
pub(super) async fn revert(
    runtime: web::Data<Runtime>,
    request: HttpRequest,
    path: web::Path<String>,
    forced: Query<Forced>,
    _: NoBody,
) -> Result<HttpResponse, ApiError> {
    let force = forced.0.force;
    plain(&runtime, &request, &path, Order::Revert { force }).await
}

/// POST runs/{id}/checkpoints/{number}/restore
#[utoipa::path(post, path = "/api/runs/{id}/checkpoints/{number}/restore", tag = "changes",
    params(("id" = uuid::Uuid, Path), ("number" = u32, Path), Forced),
    responses((status = 200, body = super::schema::ReplacedView), (status = 404), (status = 409)))]
pub(super) async fn restore(
    runtime: web::Data<Runtime>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    forced: Query<Forced>,
    _: NoBody,
) -> Result<HttpResponse, ApiError> {
    let (run, number) = path.into_inner();
    let number = id(&number, "checkpoint")?;
    let force = forced.0.force;
    plain(&runtime, &request, &run, Order::Restore { number, force }).await
}

/// POST runs/{id}/rename-branch
#[utoipa::path(post, path = "/api/runs/{id}/rename-branch", request_body = BranchName,
    tag = "changes", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = super::schema::RunView), (status = 400), (status = 404),
              (status = 409)))]
pub(super) async fn rename_branch(
    runtime: web::Data<Runtime>,
    request: HttpRequest,
    path: web::Path<String>,
    body: JsonBody<Value>,
) -> Result<HttpResponse, ApiError> {
    let id: RunId = id(&path, "run")?;
    let idempotent = match key(&runtime, &request, &body.0, StatusCode::OK).await? {
        Key::Replayed(answer) => return Ok(answer),
        Key::Fresh(idempotent) => idempotent,
    };
    let BranchName { name } = decode(body.0)?;
    order(&runtime, id, Order::Rename { name }, idempotent).await
}
