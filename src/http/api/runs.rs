//! Runs: made, listed, stopped, continued, deleted; their tasks.

use super::work::Forced;
use crate::{
    domain::{
        AgentId, ProjectId, RunId,
        run::{Status, tasks::Task, view::RunView},
    },
    http::wire::{
        answer::{array, created, find, json, no_content, ok, read},
        error::ApiError,
        extract::{Id, NoBody, Query},
        idempotent::{Idempotent, ok_once},
    },
    runtime::{
        Request, Runtime, Stop, ids,
        messages::Key,
        operations::runs::{self, RunFields},
    },
    store::{RunFilter, StoreError},
};
use actix_web::{HttpResponse, delete, get, http::StatusCode, post, web};
use serde::Deserialize;

#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct NewRunFields {
    agent_id: uuid::Uuid,
    /// What the agent is to do; not blank.
    task: String,
    /// What the run branch starts from.
    #[serde(default = "head")]
    source_branch: String,
    #[serde(default)]
    notify: bool,
    parent_run_id: Option<uuid::Uuid>,
}

fn head() -> String {
    "HEAD".to_owned()
}

#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct Message {
    /// Not blank; at most 64 KiB, and nothing that the CLI takes for a key or a command of its own.
    pub message: String,
}

#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct GoOn {
    /// As in the queue. A stopped CLI is let go on; in the middle of a turn, the message waits in the
    /// queue for its end. Without a message a stopped CLI is let go on, and nothing else happens.
    message: Option<String>,
}

#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct Notify {
    notify: bool,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    project_id: Option<uuid::Uuid>,
    agent_id: Option<uuid::Uuid>,
    /// One of the six states.
    status: Option<String>,
    limit: Option<u64>,
    /// Where the page before ended: the id of its last run, also when that was deleted meanwhile.
    before: Option<uuid::Uuid>,
}

/// Creates a run, which begins at once.
#[utoipa::path(tag = "runs", request_body = NewRunFields,
    responses((status = 201, body = RunView), (status = 400), (status = 404),
              (status = 409), (status = 429)))]
#[post("/api/runs")]
pub(crate) async fn create(
    runtime: web::Data<Runtime>,
    Idempotent { body, key }: Idempotent<NewRunFields, 201>,
) -> Result<HttpResponse, ApiError> {
    let fields = RunFields {
        agent_id: AgentId(body.agent_id),
        task: body.task,
        source_branch: body.source_branch,
        notify: body.notify,
        parent_run_id: body.parent_run_id.map(RunId),
    };
    created(&runs::create(&runtime, fields, key).await?)
}

/// Runs, newest first.
#[utoipa::path(tag = "runs", params(ListQuery),
    responses((status = 200, body = [RunView]), (status = 400)))]
#[get("/api/runs")]
pub(crate) async fn list(
    runtime: web::Data<Runtime>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    let query = query.0;
    let status = query.status.as_deref().map(|word| {
        word.parse::<Status>()
            .map_err(|()| ApiError::invalid("status", format!("'{word}' is not a run status")))
    });
    let filter = RunFilter {
        project_id: query.project_id.map(ProjectId),
        agent_id: query.agent_id.map(AgentId),
        status: status.transpose()?,
        limit: query.limit,
        before: query.before.map(RunId),
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
#[utoipa::path(tag = "runs",
    responses((status = 200, body = RunView), (status = 404)))]
#[get("/api/runs/{id}")]
pub(crate) async fn get(
    runtime: web::Data<Runtime>,
    Id(id): Id<RunId>,
) -> Result<HttpResponse, ApiError> {
    let view = find(&runtime, "run", move |reader| reader.run_view(id)).await?;
    Ok(json(StatusCode::OK, view))
}

/// Deletes a run with its worktrees; live processes are ended first.
#[utoipa::path(tag = "runs", params(Forced),
    responses((status = 204), (status = 404), (status = 409)))]
#[delete("/api/runs/{id}")]
pub(crate) async fn remove(
    runtime: web::Data<Runtime>,
    Id(id): Id<RunId>,
    Query(Forced { force }): Query<Forced>,
) -> Result<HttpResponse, ApiError> {
    runs::remove(&runtime, id, force).await?;
    Ok(no_content())
}

async fn stop(
    runtime: &Runtime,
    id: RunId,
    key: Key,
    stop: Stop,
) -> Result<HttpResponse, ApiError> {
    let reply = runs::stop(runtime, id, stop).await?;
    ok_once(runtime, key, &reply).await
}

/// Ends the run's processes; the run is over.
#[utoipa::path(tag = "runs",
    responses((status = 200, body = RunView), (status = 404), (status = 409)))]
#[post("/api/runs/{id}/cancel")]
pub(crate) async fn cancel(
    runtime: web::Data<Runtime>,
    Id(id): Id<RunId>,
    Idempotent { key, .. }: Idempotent<NoBody>,
) -> Result<HttpResponse, ApiError> {
    stop(&runtime, id, key, Stop::Cancel).await
}

/// Ends the run's processes; the run can be continued.
#[utoipa::path(tag = "runs",
    responses((status = 200, body = RunView), (status = 404), (status = 409)))]
#[post("/api/runs/{id}/pause")]
pub(crate) async fn pause(
    runtime: web::Data<Runtime>,
    Id(id): Id<RunId>,
    Idempotent { key, .. }: Idempotent<NoBody>,
) -> Result<HttpResponse, ApiError> {
    stop(&runtime, id, key, Stop::Pause).await
}

/// Continues a run, with a message or without one.
#[utoipa::path(tag = "runs", request_body = GoOn,
    responses((status = 200, body = RunView), (status = 400), (status = 404),
              (status = 409), (status = 502)))]
#[post("/api/runs/{id}/continue")]
pub(crate) async fn go_on(
    runtime: web::Data<Runtime>,
    Id(id): Id<RunId>,
    Idempotent { body, key }: Idempotent<GoOn>,
) -> Result<HttpResponse, ApiError> {
    let GoOn { message } = body;
    let request = match message {
        None => Request::Resume,
        Some(message) => Request::Continue {
            id: ids::message(),
            message,
        },
    };
    ok(&runtime.ask(id, request, key).await?)
}

/// Begins a run again that failed before its CLI started.
#[utoipa::path(tag = "runs",
    responses((status = 200, body = RunView), (status = 404), (status = 409)))]
#[post("/api/runs/{id}/retry")]
pub(crate) async fn retry(
    runtime: web::Data<Runtime>,
    Id(id): Id<RunId>,
    Idempotent { key, .. }: Idempotent<NoBody>,
) -> Result<HttpResponse, ApiError> {
    ok(&runtime.ask(id, Request::Retry, key).await?)
}

/// Says whether to notify when the run goes idle or ends.
#[utoipa::path(tag = "runs", request_body = Notify,
    responses((status = 200, body = RunView), (status = 400), (status = 404)))]
#[post("/api/runs/{id}/notify")]
pub(crate) async fn notify(
    runtime: web::Data<Runtime>,
    Id(id): Id<RunId>,
    Idempotent { body, key }: Idempotent<Notify>,
) -> Result<HttpResponse, ApiError> {
    let Notify { notify } = body;
    ok(&runtime.ask(id, Request::SetNotify { notify }, key).await?)
}

/// The CLI's task list.
#[utoipa::path(tag = "runs",
    responses((status = 200, body = [Task]), (status = 404)))]
#[get("/api/runs/{id}/tasks")]
pub(crate) async fn tasks(
    runtime: web::Data<Runtime>,
    Id(id): Id<RunId>,
) -> Result<HttpResponse, ApiError> {
    let tasks = find(&runtime, "run", move |reader| reader.run_tasks(id)).await?;
    Ok(json(StatusCode::OK, tasks))
}
