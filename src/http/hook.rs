//! The way in for CLI hooks.

use super::{
    answer::{id, json},
    error::ApiError,
    extract::RawJson,
    metrics::Metrics,
};
use crate::{
    cli::hook_program,
    domain::RunId,
    runtime::{Request, Runtime},
};
use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde_json::Value;
use std::sync::Arc;
use uuid::Uuid;

/// POST runs/{id}/hook: answered after the event is durable.
#[utoipa::path(post, path = "/api/runs/{id}/hook", tag = "hooks", request_body = Object,
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = Object), (status = 400), (status = 403), (status = 404),
              (status = 413), (status = 429)))]
pub(super) async fn receive(
    runtime: web::Data<Runtime>,
    metrics: web::Data<Arc<Metrics>>,
    request: HttpRequest,
    path: web::Path<String>,
    body: RawJson,
) -> Result<HttpResponse, ApiError> {
    let id: RunId = id(&path, "run")?;
    let delivery = match request.headers().get("X-Abbado-Delivery") {
        None => None,
        Some(value) => {
            let id = value
                .to_str()
                .ok()
                .and_then(|text| Uuid::try_parse(text).ok());
            Some(id.ok_or_else(|| ApiError::invalid("X-Abbado-Delivery", "must be a UUID"))?)
        }
    };
    // A list that cannot be read says nothing of who called, and the hook counts all the same.
    let callers = request.headers().get(hook_program::CALLERS);
    let callers = callers.and_then(|value| value.to_str().ok()?.parse().ok());
    let hook = Request::Hook {
        payload: Value::Object(body.object),
        delivery,
        callers: callers.unwrap_or_default(),
    };
    runtime.ask(id, hook).await?;
    metrics.hooks_received.increment();
    Ok(json(StatusCode::OK, "{}".to_owned()))
}
