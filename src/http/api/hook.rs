//! The way in for CLI hooks.

use crate::{
    domain::{
        RunId,
        run::callers::{CALLERS_HEADER, Callers},
    },
    http::{
        metrics::Metrics,
        wire::{
            answer::{json, ok},
            error::ApiError,
            extract::{DELIVERY, Id, Query, RawJson},
        },
    },
    runtime::{
        Runtime,
        messages::Delivery,
        operations::hooks::{self, ServerKey},
    },
};
use actix_web::{HttpRequest, HttpResponse, get, http::StatusCode, post, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use uuid::Uuid;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProofQuery {
    /// 64 hexadecimal digits that were never asked for before.
    #[param(pattern = "^[0-9a-f]{64}$")]
    nonce: String,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ProofView {
    proof: String,
}

/// Shows a client that has read `server.key` in the data folder that this server has,
/// too. The proof is the HMAC-SHA256, under the text of that file, of the nonce, a space, and the
/// address in `server.json`.
#[utoipa::path(tag = "hooks", params(ProofQuery),
    responses((status = 200, body = ProofView), (status = 400)))]
#[get("/api/proof")]
pub(crate) async fn prove(
    runtime: web::Data<Runtime>,
    key: web::Data<ServerKey>,
    query: Query<ProofQuery>,
) -> Result<HttpResponse, ApiError> {
    let nonce = &query.0.nonce;
    if nonce.len() != 64 || !nonce.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(ApiError::invalid("nonce", "must be 64 hexadecimal digits"));
    }
    let proof = key.proof(&runtime, nonce);
    let proof = proof.ok_or_else(|| ApiError::unavailable("The server is starting.", 1))?;
    ok(&ProofView { proof })
}

/// Answered after the event is durable.
#[utoipa::path(tag = "hooks", request_body = Object,
    responses((status = 200, body = Object), (status = 400), (status = 403), (status = 404),
              (status = 413), (status = 429)))]
#[post("/api/runs/{id}/hook")]
pub(crate) async fn receive(
    runtime: web::Data<Runtime>,
    metrics: web::Data<Arc<Metrics>>,
    request: HttpRequest,
    Id(id): Id<RunId>,
    body: RawJson,
) -> Result<HttpResponse, ApiError> {
    let delivery = match request.headers().get(DELIVERY) {
        None => None,
        Some(value) => {
            let id = value
                .to_str()
                .ok()
                .and_then(|text| Uuid::try_parse(text).ok());
            Some(id.ok_or_else(|| ApiError::invalid(DELIVERY, "must be a UUID"))?)
        }
    };
    // A list that cannot be read says nothing of who called, and the hook counts all the same.
    let callers = request.headers().get(CALLERS_HEADER);
    let callers = callers.and_then(|value| value.to_str().ok()?.parse().ok());
    let callers: Callers = callers.unwrap_or_default();
    let delivery = Delivery {
        id: delivery,
        payload: Value::Object(body.object),
        callers,
    };
    hooks::record(&runtime, id, delivery, body.bytes).await?;
    metrics.hooks_received.increment();
    Ok(json(StatusCode::OK, "{}".to_owned()))
}
