//! The messages that wait for a run's turn to end: listed, left, taken back, put into another order.

use super::{
    answer::{Key, decode, id, json, key, read, unknown},
    error::ApiError,
    extract::{JsonBody, NoBody},
    runs::{Message, not_blank},
};
use crate::{
    domain::{MessageId, RunId},
    runtime::{QueueChange, Request, Runtime, ids},
};
use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize, utoipa::ToSchema)]
pub(super) struct Order {
    /// Exactly the messages that wait.
    order: Vec<uuid::Uuid>,
}

/// GET runs/{id}/queue
#[utoipa::path(get, path = "/api/runs/{id}/queue", tag = "runs",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = [super::schema::QueuedView]), (status = 404)))]
pub(super) async fn list(
    runtime: web::Data<Runtime>,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id: RunId = id(&path, "run")?;
    let queue = read(&runtime, move |reader| reader.run_queue(id)).await?;
    Ok(json(StatusCode::OK, queue.ok_or_else(|| unknown("run"))?))
}

/// POST runs/{id}/queue
#[utoipa::path(post, path = "/api/runs/{id}/queue", request_body = Message, tag = "runs",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 201, body = super::schema::QueuedView), (status = 400), (status = 404),
              (status = 409), (status = 429)))]
pub(super) async fn add(
    runtime: web::Data<Runtime>,
    request: HttpRequest,
    path: web::Path<String>,
    body: JsonBody<Value>,
) -> Result<HttpResponse, ApiError> {
    let id: RunId = id(&path, "run")?;
    let idempotent = match key(&runtime, &request, &body.0, StatusCode::CREATED).await? {
        Key::Replayed(answer) => return Ok(answer),
        Key::Fresh(idempotent) => idempotent,
    };
    let Message { message } = decode(body.0)?;
    not_blank("message", &message)?;
    let change = QueueChange::Add {
        id: ids::message(),
        message,
    };
    let request = Request::Queue { change, idempotent };
    Ok(json(StatusCode::CREATED, runtime.ask(id, request).await?))
}

/// DELETE runs/{id}/queue/{message_id}
#[utoipa::path(delete, path = "/api/runs/{id}/queue/{message_id}", tag = "runs",
    params(("id" = uuid::Uuid, Path), ("message_id" = uuid::Uuid, Path)),
    responses((status = 204), (status = 404), (status = 409)))]
pub(super) async fn remove(
    runtime: web::Data<Runtime>,
    path: web::Path<(String, String)>,
    _: NoBody,
) -> Result<HttpResponse, ApiError> {
    let run_id: RunId = id(&path.0, "run")?;
    let message: MessageId = id(&path.1, "message in the queue of this run")?;
    let change = QueueChange::Remove { id: message };
    let idempotent = None;
    let request = Request::Queue { change, idempotent };
    runtime.ask(run_id, request).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// PUT runs/{id}/queue
#[utoipa::path(put, path = "/api/runs/{id}/queue", request_body = Order, tag = "runs",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = [super::schema::QueuedView]), (status = 400), (status = 404),
              (status = 409)))]
pub(super) async fn reorder(
    runtime: web::Data<Runtime>,
    path: web::Path<String>,
    body: JsonBody<Value>,
) -> Result<HttpResponse, ApiError> {
    let id: RunId = id(&path, "run")?;
    let Order { order } = decode(body.0)?;
    let order = order.into_iter().map(MessageId).collect();
    let change = QueueChange::Reorder { order };
    let idempotent = None;
    let request = Request::Queue { change, idempotent };
    Ok(json(StatusCode::OK, runtime.ask(id, request).await?))
}
