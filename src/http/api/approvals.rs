//! Approvals: what CLIs ask, listed and decided.

use crate::{
    domain::{
        ApprovalId, RunId,
        run::{
            approval::{Choice, Decision},
            event::DecidedBy,
            view::{ApprovalState, ApprovalView},
        },
    },
    http::wire::{ApiError, ApiResult, Id, Idempotent, Query, array, ok, read, read_of_run},
    runtime::{Runtime, operations::approvals},
    store::{ApprovalFilter, StoreError},
};
use actix_web::{get, post, web::Data};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Approvals of one page.
const LIMIT_DEFAULT: u64 = 100;
const LIMIT_MAX: u64 = 1000;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only those in this state.
    #[param(inline)]
    state: Option<ApprovalState>,
    limit: Option<u64>,
    /// Only those that come after this one.
    after: Option<uuid::Uuid>,
}

#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct DecisionBody {
    /// One of the approval's `options`.
    decision: Choice,
    /// Why, for the agent.
    message: Option<String>,
    /// With the decision `answer`: the text, or list of texts, for each question, by its text.
    #[schema(value_type = Option<Object>)]
    answer: Option<Map<String, Value>>,
}

impl ListQuery {
    fn filter(self, run_id: Option<RunId>) -> Result<ApprovalFilter, ApiError> {
        let limit = self.limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(ApiError::invalid("limit", "must be 1 to 1000"));
        }
        Ok(ApprovalFilter {
            run_id,
            state: self.state,
            after: self.after.map(ApprovalId),
            limit,
        })
    }
}

fn unknown_place(error: StoreError) -> ApiError {
    if error == StoreError::Missing {
        ApiError::invalid("after", "is no approval of this log")
    } else {
        error.into()
    }
}

/// Approvals of all runs, oldest first.
#[utoipa::path(tag = "approvals", params(ListQuery),
    responses((status = 200, body = [ApprovalView])))]
#[get("/api/approvals")]
pub(crate) async fn list(runtime: Data<Runtime>, query: Query<ListQuery>) -> ApiResult {
    let filter = query.0.filter(None)?;
    let found = read(&runtime, move |reader| Ok(reader.approvals(&filter))).await?;
    Ok(array(&found.map_err(unknown_place)?))
}

/// Approvals of a run, oldest first.
#[utoipa::path(tag = "approvals", params(ListQuery),
    responses((status = 200, body = [ApprovalView])))]
#[get("/api/runs/{id}/approvals")]
pub(crate) async fn of_run(
    runtime: Data<Runtime>,
    Id(id): Id<RunId>,
    query: Query<ListQuery>,
) -> ApiResult {
    let filter = query.0.filter(Some(id))?;
    let found = read_of_run(&runtime, id, move |reader| Ok(reader.approvals(&filter))).await?;
    Ok(array(&found.map_err(unknown_place)?))
}

/// Decides an approval. The first decision counts; a later one gets 409.
#[utoipa::path(tag = "approvals", request_body = DecisionBody,
    responses((status = 200, body = ApprovalView), (status = 409)))]
#[post("/api/runs/{id}/approvals/{approval_id}")]
pub(crate) async fn decide(
    runtime: Data<Runtime>,
    Id(run_id): Id<RunId>,
    Id(id): Id<ApprovalId>,
    Idempotent { body, key }: Idempotent<DecisionBody>,
) -> ApiResult {
    let DecisionBody {
        decision,
        message,
        answer,
    } = body;
    let decision = Decision {
        id,
        choice: decision,
        message: message.filter(|message| !message.trim().is_empty()),
        answer,
        by: DecidedBy::Api,
    };
    ok(&approvals::decide(&runtime, run_id, decision, key).await?)
}
