//! The way in for CLI hooks.

use super::{
    answer::{json, ok},
    error::ApiError,
    extract::{DELIVERY, Id, Query, RawJson},
    metrics::Metrics,
};
use crate::{
    cli::hook_program,
    domain::{RunId, run::callers::Callers},
    runtime::{
        Request, Runtime,
        services::kept_hooks::{KeptHook, may_be_stored_later},
    },
};
use actix_web::{HttpRequest, HttpResponse, get, http::StatusCode, post, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use uuid::Uuid;

/// Key of the data folder.
pub(super) struct ServerKey(pub(super) String);

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ProofQuery {
    /// 64 hexadecimal digits that were never asked for before.
    #[param(pattern = "^[0-9a-f]{64}$")]
    nonce: String,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct ProofView {
    proof: String,
}

/// Shows a client that has read `server.key` in the data folder that this server has,
/// too. The proof is the HMAC-SHA256, under the text of that file, of the nonce, a space, and the
/// address in `server.json`.
#[utoipa::path(tag = "hooks", params(ProofQuery),
    responses((status = 200, body = ProofView), (status = 400)))]
#[get("/api/proof")]
pub(super) async fn prove(
    runtime: web::Data<Runtime>,
    key: web::Data<ServerKey>,
    query: Query<ProofQuery>,
) -> Result<HttpResponse, ApiError> {
    let nonce = &query.0.nonce;
    if nonce.len() != 64 || !nonce.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(ApiError::invalid("nonce", "must be 64 hexadecimal digits"));
    }
    let address = runtime.shared.base_url.get().and_then(|url| {
        let address = url.strip_prefix("http://")?;
        address.parse().ok()
    });
    let address = address.ok_or_else(|| ApiError::unavailable("The server is starting.", 1))?;
    let proof = hook_program::proof(&key.0, nonce, address);
    ok(&ProofView { proof })
}

/// Answered after the event is durable.
#[utoipa::path(tag = "hooks", request_body = Object,
    responses((status = 200, body = Object), (status = 400), (status = 403), (status = 404),
              (status = 413), (status = 429)))]
#[post("/api/runs/{id}/hook")]
pub(super) async fn receive(
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
    let callers = request.headers().get(hook_program::CALLERS);
    let callers = callers.and_then(|value| value.to_str().ok()?.parse().ok());
    let callers: Callers = callers.unwrap_or_default();
    let hook = Request::Hook {
        payload: Value::Object(body.object),
        delivery,
        callers: callers.clone(),
    };
    if let Err(error) = runtime.hook(id, hook).await {
        // A second try of the same delivery is recognised, others would be recorded twice.
        if let Some(delivery) = delivery.filter(|_| may_be_stored_later(&error)) {
            runtime.keep_hook(KeptHook {
                run_id: id,
                bytes: body.bytes,
                delivery,
                callers,
            });
        }
        return Err(error.into());
    }
    metrics.hooks_received.increment();
    Ok(json(StatusCode::OK, "{}".to_owned()))
}
