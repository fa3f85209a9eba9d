//! The way in for CLI hooks.

use crate::{
    domain::{
        ApprovalId, RunId,
        run::callers::{CALLERS_HEADER, Callers, DELIVERY_HEADER, WAIT_HEADER},
    },
    http::{
        metrics::Metrics,
        wire::{ApiError, ApiResult, Id, Query, RawJson, answer::json, ok, ok_json},
    },
    runtime::{
        Runtime,
        messages::Delivery,
        operations::{
            approvals::{self, HookAnswer},
            hooks::{self, ServerKey},
        },
    },
};
use actix_web::{HttpRequest, get, http::StatusCode, post, web::Data};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
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

/// Proves to a client that has read `server.key` in the data folder that this server has read it
/// too. The proof is the HMAC-SHA256, under the text of that file, of the nonce, a space, and the
/// address in `server.json`.
#[utoipa::path(tag = "hooks", params(ProofQuery), responses((status = 200, body = ProofView)))]
#[get("/api/proof")]
pub(crate) async fn prove(
    runtime: Data<Runtime>,
    key: Data<ServerKey>,
    Query(ProofQuery { nonce }): Query<ProofQuery>,
) -> ApiResult {
    if nonce.len() != 64 || !nonce.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(ApiError::invalid("nonce", "must be 64 hexadecimal digits"));
    }
    let proof = key.proof(&runtime, &nonce);
    let proof = proof.ok_or_else(|| ApiError::unavailable("The server is starting.", 1))?;
    ok(&ProofView { proof })
}

/// Longest that a hook's request may wait for a decision.
const WAIT_MAX: Duration = Duration::from_secs(25);

/// Answered after the event is durable. A hook that asks a person and sends `X-Abbado-Wait`, in
/// seconds, is answered with the decision in its CLI's own form, or 202 while there is none.
#[utoipa::path(tag = "hooks", request_body = Object,
    responses((status = 200, body = Object), (status = 202, body = Object),
              (status = 403), (status = 413), (status = 429)))]
#[post("/api/runs/{id}/hook")]
pub(crate) async fn receive(
    runtime: Data<Runtime>,
    metrics: Data<Arc<Metrics>>,
    request: HttpRequest,
    Id(id): Id<RunId>,
    body: RawJson,
) -> ApiResult {
    let delivery = match request.headers().get(DELIVERY_HEADER) {
        None => None,
        Some(value) => {
            let id = Uuid::try_parse_ascii(value.as_bytes());
            Some(id.map_err(|_| ApiError::invalid(DELIVERY_HEADER, "must be a UUID"))?)
        }
    };
    // A list that cannot be read identifies no caller; the hook is recorded anyway.
    let callers = request.headers().get(CALLERS_HEADER);
    let callers = callers.and_then(|value| value.to_str().ok()?.parse().ok());
    let callers: Callers = callers.unwrap_or_default();
    let wait = request.headers().get(WAIT_HEADER);
    let wait = wait.and_then(|value| value.to_str().ok()?.parse().ok());
    let wait = wait.map(|seconds| Duration::from_secs(seconds).min(WAIT_MAX));
    let approval = delivery.map(ApprovalId);
    let delivery = Delivery {
        id: delivery,
        payload: Value::Object(body.object),
        callers,
        waits: wait.is_some(),
    };
    hooks::record(&runtime, id, delivery, body.bytes).await?;
    metrics.hooks_received.fetch_add(1, Relaxed);
    if let (Some(wait), Some(approval)) = (wait, approval) {
        match approvals::answer(&runtime, id, approval, wait).await? {
            HookAnswer::None => {}
            HookAnswer::Pending => return Ok(json(StatusCode::ACCEPTED, "{}".to_owned())),
            HookAnswer::Answer(answer) => return ok(&answer),
        }
    }
    Ok(ok_json("{}".to_owned()))
}
