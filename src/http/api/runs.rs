//! Runs: created, listed, stopped, continued, deleted; their tasks.

use super::work::Forced;
use crate::{
    domain::{
        AgentId, ProjectId, RunId,
        run::{Status, tasks::Task, view::RunView},
    },
    http::wire::{
        ApiError, ApiResult, Id, Idempotent, NoBody, Query, array, created, find, no_content, ok,
        ok_json, ok_once, read,
    },
    runtime::{
        Request, Runtime, Stop, ids,
        messages::Key,
        operations::runs::{self, RunFields},
    },
    store::{RunFilter, StoreError},
};
use actix_web::{delete, get, post, web::Data};
use serde::Deserialize;

#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct Message {
    /// Not blank; at most 64 KiB, and nothing that the CLI takes for a key or a command of its own.
    pub message: String,
}

#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct ContinueRun {
    /// As in the queue. A suspended CLI is resumed; in the middle of a turn, the message waits in
    /// the queue for its end. Without a message a suspended CLI is resumed, and nothing else happens.
    message: Option<String>,
}

#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct Notify {
    notify: bool,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    project_id: Option<ProjectId>,
    agent_id: Option<AgentId>,
    /// One of the six states.
    status: Option<String>,
    limit: Option<u64>,
    /// Where the page before ended: the id of its last run, also when that was deleted meanwhile.
    before: Option<RunId>,
}

/// Creates a run, which begins at once.
#[utoipa::path(tag = "runs", request_body = RunFields,
    responses((status = 201, body = RunView), (status = 404), (status = 409), (status = 429)))]
#[post("/api/runs")]
pub(crate) async fn create(
    runtime: Data<Runtime>,
    Idempotent { body, key }: Idempotent<RunFields, 201>,
) -> ApiResult {
    created(&runs::create(&runtime, body, key).await?)
}

/// Runs, newest first.
#[utoipa::path(tag = "runs", params(ListQuery), responses((status = 200, body = [RunView])))]
#[get("/api/runs")]
pub(crate) async fn list(runtime: Data<Runtime>, Query(query): Query<ListQuery>) -> ApiResult {
    let status = query.status.as_deref().map(|word| {
        word.parse::<Status>()
            .map_err(|()| ApiError::invalid("status", format!("'{word}' is not a run status")))
    });
    let filter = RunFilter {
        project_id: query.project_id,
        agent_id: query.agent_id,
        status: status.transpose()?,
        limit: query.limit,
        before: query.before,
    };
    let runs = read(&runtime, move |reader| match reader.runs(&filter) {
        Err(StoreError::Missing) => Ok(None),
        runs => runs.map(Some),
    });
    let runs = runs.await?.ok_or_else(|| {
        ApiError::invalid("before", "does not name a run of this server; omit it")
    })?;
    Ok(array(&runs))
}

/// One run.
#[utoipa::path(tag = "runs", responses((status = 200, body = RunView)))]
#[get("/api/runs/{id}")]
pub(crate) async fn get(runtime: Data<Runtime>, Id(id): Id<RunId>) -> ApiResult {
    let view = find(&runtime, "run", move |reader| reader.run_view(id)).await?;
    Ok(ok_json(view))
}

/// Deletes a run with its worktrees; live processes are ended first.
#[utoipa::path(tag = "runs", params(Forced), responses((status = 204), (status = 409)))]
#[delete("/api/runs/{id}")]
pub(crate) async fn remove(
    runtime: Data<Runtime>,
    Id(id): Id<RunId>,
    Query(Forced { force }): Query<Forced>,
) -> ApiResult {
    runs::remove(&runtime, id, force).await?;
    Ok(no_content())
}

async fn stop(runtime: &Runtime, id: RunId, key: Key, stop: Stop) -> ApiResult {
    let reply = runs::stop(runtime, id, stop).await?;
    ok_once(runtime, key, &reply).await
}

/// Ends the run's processes; the run is over.
#[utoipa::path(tag = "runs", responses((status = 200, body = RunView), (status = 409)))]
#[post("/api/runs/{id}/cancel")]
pub(crate) async fn cancel(
    runtime: Data<Runtime>,
    Id(id): Id<RunId>,
    Idempotent { key, .. }: Idempotent<NoBody>,
) -> ApiResult {
    stop(&runtime, id, key, Stop::Cancel).await
}

/// Ends the run's processes; the run can be continued.
#[utoipa::path(tag = "runs", responses((status = 200, body = RunView), (status = 409)))]
#[post("/api/runs/{id}/pause")]
pub(crate) async fn pause(
    runtime: Data<Runtime>,
    Id(id): Id<RunId>,
    Idempotent { key, .. }: Idempotent<NoBody>,
) -> ApiResult {
    stop(&runtime, id, key, Stop::Pause).await
}

/// Continues a run, with a message or without one.
#[utoipa::path(tag = "runs", request_body = ContinueRun,
    responses((status = 200, body = RunView), (status = 409), (status = 502)))]
#[post("/api/runs/{id}/continue")]
pub(crate) async fn continue_run(
    runtime: Data<Runtime>,
    Id(id): Id<RunId>,
    Idempotent { body, key }: Idempotent<ContinueRun>,
) -> ApiResult {
    let request = match body.message {
        None => Request::Resume,
        Some(message) => Request::Continue {
            id: ids::message(),
            message,
        },
    };
    ok(&runtime.ask(id, request, key).await?)
}

/// Begins a run again that failed before its CLI started.
#[utoipa::path(tag = "runs", responses((status = 200, body = RunView), (status = 409)))]
#[post("/api/runs/{id}/retry")]
pub(crate) async fn retry(
    runtime: Data<Runtime>,
    Id(id): Id<RunId>,
    Idempotent { key, .. }: Idempotent<NoBody>,
) -> ApiResult {
    ok(&runtime.ask(id, Request::Retry, key).await?)
}

/// Says whether to notify when the run goes idle or ends.
#[utoipa::path(tag = "runs", request_body = Notify, responses((status = 200, body = RunView)))]
#[post("/api/runs/{id}/notify")]
pub(crate) async fn notify(
    runtime: Data<Runtime>,
    Id(id): Id<RunId>,
    Idempotent { body, key }: Idempotent<Notify>,
) -> ApiResult {
    let request = Request::SetNotify {
        notify: body.notify,
    };
    ok(&runtime.ask(id, request, key).await?)
}

/// The CLI's task list.
#[utoipa::path(tag = "runs", responses((status = 200, body = [Task])))]
#[get("/api/runs/{id}/tasks")]
pub(crate) async fn tasks(runtime: Data<Runtime>, Id(id): Id<RunId>) -> ApiResult {
    let tasks = find(&runtime, "run", move |reader| reader.run_tasks(id)).await?;
    Ok(ok_json(tasks))
}
