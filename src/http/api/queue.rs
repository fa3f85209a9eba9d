//! The messages that wait for a run's turn to end: listed, added, removed, reordered.

use super::runs::Message;
use crate::{
    domain::{MessageId, RunId, run::view::QueuedView},
    http::wire::{
        ApiResult, Id, Idempotent, JsonBody, NoBody, created, find, no_content, ok, ok_json,
    },
    runtime::{QueueChange, Request, Runtime, ids},
};
use actix_web::{delete, get, post, put, web::Data};
use serde::Deserialize;

#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct Order {
    /// Exactly the messages that wait.
    order: Vec<MessageId>,
}

/// The messages that wait for the turn to end, in the order in which they go out.
#[utoipa::path(tag = "runs", responses((status = 200, body = [QueuedView])))]
#[get("/api/runs/{id}/queue")]
pub(crate) async fn list(runtime: Data<Runtime>, Id(id): Id<RunId>) -> ApiResult {
    let queue = find(&runtime, "run", move |reader| reader.run_queue(id)).await?;
    Ok(ok_json(queue))
}

/// Queues a message for the end of the turn.
#[utoipa::path(tag = "runs", request_body = Message,
    responses((status = 201, body = QueuedView), (status = 409), (status = 429)))]
#[post("/api/runs/{id}/queue")]
pub(crate) async fn add(
    runtime: Data<Runtime>,
    Id(id): Id<RunId>,
    Idempotent { body, key }: Idempotent<Message, 201>,
) -> ApiResult {
    let request = Request::Queue(QueueChange::Add {
        id: ids::message(),
        message: body.message,
    });
    created(&runtime.ask(id, request, key).await?)
}

/// Takes a message back from the queue.
#[utoipa::path(tag = "runs", responses((status = 204), (status = 409)))]
#[delete("/api/runs/{id}/queue/{message_id}")]
pub(crate) async fn remove(
    runtime: Data<Runtime>,
    Id(run_id): Id<RunId>,
    Id(id): Id<MessageId>,
    _: NoBody,
) -> ApiResult {
    let request = Request::Queue(QueueChange::Remove { id });
    runtime.ask(run_id, request, None).await?;
    Ok(no_content())
}

/// Puts the queue into another order.
#[utoipa::path(tag = "runs", request_body = Order,
    responses((status = 200, body = [QueuedView]), (status = 409)))]
#[put("/api/runs/{id}/queue")]
pub(crate) async fn reorder(
    runtime: Data<Runtime>,
    Id(id): Id<RunId>,
    JsonBody(body): JsonBody<Order>,
) -> ApiResult {
    let request = Request::Queue(QueueChange::Reorder { order: body.order });
    ok(&runtime.ask(id, request, None).await?)
}
