//! The messages that wait for a run's turn to end: listed, left, taken back, put into another order.

use super::runs::Message;
use crate::{
    domain::{MessageId, RunId, run::view::QueuedView},
    http::wire::{
        answer::{created, find, json, no_content, ok},
        error::ApiError,
        extract::{Id, JsonBody, NoBody},
        idempotent::Idempotent,
    },
    runtime::{QueueChange, Request, Runtime, ids},
};
use actix_web::{HttpResponse, delete, get, http::StatusCode, post, put, web};
use serde::Deserialize;

#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct Order {
    /// Exactly the messages that wait.
    order: Vec<uuid::Uuid>,
}

/// The messages that wait for the turn to end, in the order in which they go out.
#[utoipa::path(tag = "runs",
    responses((status = 200, body = [QueuedView]), (status = 404)))]
#[get("/api/runs/{id}/queue")]
pub(crate) async fn list(
    runtime: web::Data<Runtime>,
    Id(id): Id<RunId>,
) -> Result<HttpResponse, ApiError> {
    let queue = find(&runtime, "run", move |reader| reader.run_queue(id)).await?;
    Ok(json(StatusCode::OK, queue))
}

/// Queues a message for the end of the turn.
#[utoipa::path(tag = "runs", request_body = Message,
    responses((status = 201, body = QueuedView), (status = 400), (status = 404),
              (status = 409), (status = 429)))]
#[post("/api/runs/{id}/queue")]
pub(crate) async fn add(
    runtime: web::Data<Runtime>,
    Id(id): Id<RunId>,
    Idempotent { body, key }: Idempotent<Message, 201>,
) -> Result<HttpResponse, ApiError> {
    let Message { message } = body;
    let request = Request::Queue(QueueChange::Add {
        id: ids::message(),
        message,
    });
    created(&runtime.ask(id, request, key).await?)
}

/// Takes a message back from the queue.
#[utoipa::path(tag = "runs", responses((status = 204), (status = 404), (status = 409)))]
#[delete("/api/runs/{id}/queue/{message_id}")]
pub(crate) async fn remove(
    runtime: web::Data<Runtime>,
    Id(run_id): Id<RunId>,
    Id(message): Id<MessageId>,
    _: NoBody,
) -> Result<HttpResponse, ApiError> {
    let request = Request::Queue(QueueChange::Remove { id: message });
    runtime.ask(run_id, request, None).await?;
    Ok(no_content())
}

/// Puts the queue into another order.
#[utoipa::path(tag = "runs", request_body = Order,
    responses((status = 200, body = [QueuedView]), (status = 400), (status = 404),
              (status = 409)))]
#[put("/api/runs/{id}/queue")]
pub(crate) async fn reorder(
    runtime: web::Data<Runtime>,
    Id(id): Id<RunId>,
    JsonBody(body): JsonBody<Order>,
) -> Result<HttpResponse, ApiError> {
    let Order { order } = body;
    let order = order.into_iter().map(MessageId).collect();
    let request = Request::Queue(QueueChange::Reorder { order });
    ok(&runtime.ask(id, request, None).await?)
}
