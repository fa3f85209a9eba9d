//! Runs: made, listed, stopped, continued, deleted; their tasks.

use super::{
    answer::{Key, array, decode, id, json, key, read, remember, unknown},
    error::ApiError,
    extract::{JsonBody, NoBody, Query},
};
use crate::{
    domain::{
        Agent, AgentId, Project, ProjectId, RunId,
        run::{
            Status,
            command::NewRun,
            event::{RepoBase, StopBy},
            prompt::is_blank,
        },
    },
    git::{self, ErrorKind, GitError},
    runtime::{Request, Runtime, Wish, ids},
    store::{RunFilter, StoreError},
};
use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Deserialize;
use serde_json::Value;

/// Longest task or message, in bytes.
const TASK_BYTES_MAX: usize = 512 * 1024;

#[derive(Deserialize, utoipa::ToSchema)]
pub(super) struct NewRunFields {
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
pub(super) struct Message {
    /// Not blank; at most 64 KiB, and nothing that the CLI takes for a key or a command of its own.
    pub(super) message: String,
}

#[derive(Deserialize, utoipa::ToSchema)]
pub(super) struct GoOn {
    /// As in the queue. A stopped CLI is let go on; in the middle of a turn, the message waits in the
    /// queue for its end. Without a message a stopped CLI is let go on, and nothing else happens.
    message: Option<String>,
}

#[derive(Deserialize, utoipa::ToSchema)]
pub(super) struct Notify {
    notify: bool,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    project_id: Option<uuid::Uuid>,
    agent_id: Option<uuid::Uuid>,
    /// One of the six states.
    status: Option<String>,
    limit: Option<u64>,
    /// Where the page before ended: the id of its last run, also when that was deleted meanwhile.
    before: Option<uuid::Uuid>,
}

pub(super) fn not_blank(field: &str, text: &str) -> Result<(), ApiError> {
    if is_blank(text) {
        return Err(ApiError::invalid(field, "must not be blank"));
    }
    if text.len() > TASK_BYTES_MAX || text.contains('\0') {
        return Err(ApiError::invalid(
            field,
            "must be text of at most 512 KiB without NUL",
        ));
    }
    Ok(())
}

/// POST runs
#[utoipa::path(post, path = "/api/runs", request_body = NewRunFields, tag = "runs",
    responses((status = 201, body = super::schema::RunView), (status = 400), (status = 404),
              (status = 409), (status = 429)))]
pub(super) async fn create(
    runtime: web::Data<Runtime>,
    request: HttpRequest,
    body: JsonBody<Value>,
) -> Result<HttpResponse, ApiError> {
    let idempotent = match key(&runtime, &request, &body.0, StatusCode::CREATED).await? {
        Key::Replayed(answer) => return Ok(answer),
        Key::Fresh(idempotent) => idempotent,
    };
    let fields: NewRunFields = decode(body.0)?;
    not_blank("task", &fields.task)?;
    let agent_id = AgentId(fields.agent_id);
    let parent = fields.parent_run_id.map(RunId);
    let (agent, project) = read(&runtime, move |reader| {
        let Some(agent) = reader.agent(agent_id)? else {
            return Ok((None, None));
        };
        let project = reader.project(agent.project_id)?;
        Ok((Some(agent), project))
    })
    .await?;
    let agent = agent.ok_or_else(|| unknown("agent"))?;
    let project = project.ok_or_else(|| unknown("project"))?;
    if let Some(parent) = parent
        && !read(&runtime, move |reader| reader.run_exists(parent)).await?
    {
        return Err(unknown("parent run"));
    }
    let run_id = ids::run();
    let checked = web::block(move || check(run_id, fields, agent, project));
    let new = checked.await.map_err(ApiError::fault)??;
    let request = Request::Create {
        new: Box::new(new),
        idempotent,
    };
    let view = runtime.ask(run_id, request).await?;
    Ok(json(StatusCode::CREATED, view))
}

/// Everything that can be known before the 201: repos open, commits exist, the branch is free.
fn check(
    run_id: RunId,
    fields: NewRunFields,
    agent: Agent,
    project: Project,
) -> Result<NewRun, ApiError> {
    if project.repos.is_empty() {
        let why = format!("Project '{}' has no repo yet; add one first.", project.name);
        return Err(ApiError::conflict(why));
    }
    let run_branch = run_id.default_branch();
    let mut repos = Vec::new();
    for repo in &project.repos {
        let fault = |error: GitError| repo_fault(&repo.name, &error);
        git::inspect(&repo.repo_path).map_err(fault)?;
        let base_commit =
            git::resolve_commit(&repo.repo_path, &fields.source_branch).map_err(fault)?;
        git::check_branch_free(&repo.repo_path, &run_branch).map_err(fault)?;
        repos.push(RepoBase {
            repo_id: repo.id,
            name: repo.name.clone(),
            repo_path: repo.repo_path.clone(),
            base_commit,
            source: git::source_of(&repo.repo_path, &fields.source_branch),
        });
    }
    Ok(NewRun {
        task: fields.task,
        source_branch: fields.source_branch,
        run_branch,
        project_id: project.id,
        agent_id: agent.id,
        parent_run_id: fields.parent_run_id.map(RunId),
        notify: fields.notify,
        agent,
        repos,
        set_up: project.set_up,
    })
}

fn repo_fault(name: &str, error: &GitError) -> ApiError {
    let why = format!("Repo '{name}': {error}.");
    match error.kind() {
        ErrorKind::Conflict | ErrorKind::Unusable => ApiError::conflict(why),
        ErrorKind::Unknown | ErrorKind::Invalid => {
            ApiError::invalid("source_branch", format!("is wrong. {why}"))
        }
        ErrorKind::TimedOut | ErrorKind::Fault => ApiError::malformed(why),
    }
}

/// GET runs
#[utoipa::path(get, path = "/api/runs", params(ListQuery), tag = "runs",
    responses((status = 200, body = [super::schema::RunView]), (status = 400)))]
pub(super) async fn list(
    runtime: web::Data<Runtime>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    let query = query.0;
    let status = query.status.as_deref().map(|word| {
        word.parse::<Status>()
            .map_err(|()| ApiError::invalid("status", format!("'{word}' is no state of a run")))
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
        ApiError::invalid("before", "names no run of this server; list without it")
    })?;
    Ok(array(&runs))
}

/// GET runs/{id}
#[utoipa::path(get, path = "/api/runs/{id}", tag = "runs", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = super::schema::RunView), (status = 404)))]
pub(super) async fn get(
    runtime: web::Data<Runtime>,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id: RunId = id(&path, "run")?;
    let view = read(&runtime, move |reader| reader.run_view(id)).await?;
    Ok(json(StatusCode::OK, view.ok_or_else(|| unknown("run"))?))
}

/// DELETE runs/{id}
#[utoipa::path(delete, path = "/api/runs/{id}", tag = "runs",
    params(("id" = uuid::Uuid, Path), super::work::Forced),
    responses((status = 204), (status = 404), (status = 409)))]
pub(super) async fn remove(
    runtime: web::Data<Runtime>,
    path: web::Path<String>,
    forced: Query<super::work::Forced>,
) -> Result<HttpResponse, ApiError> {
    let (id, force) = (id(&path, "run")?, forced.0.force);
    if !force {
        // Before the process is ended: a refusal changes nothing.
        super::changes::whole(&runtime, id).await?;
    }
    runtime.stop(id, Wish::Delete { force }).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn stop(
    runtime: &Runtime,
    request: &HttpRequest,
    path: &str,
    by: StopBy,
) -> Result<HttpResponse, ApiError> {
    let id: RunId = id(path, "run")?;
    let idempotent = match key(runtime, request, &Value::Null, StatusCode::OK).await? {
        Key::Replayed(answer) => return Ok(answer),
        Key::Fresh(idempotent) => idempotent,
    };
    let view = runtime.stop(id, Wish::Stop(by)).await?;
    remember(runtime, idempotent, &view).await;
    Ok(json(StatusCode::OK, view))
}

/// POST runs/{id}/cancel
#[utoipa::path(post, path = "/api/runs/{id}/cancel", tag = "runs",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = super::schema::RunView), (status = 404), (status = 409)))]
pub(super) async fn cancel(
    runtime: web::Data<Runtime>,
    request: HttpRequest,
    path: web::Path<String>,
    _: NoBody,
) -> Result<HttpResponse, ApiError> {
    stop(&runtime, &request, &path, StopBy::Cancel).await
}

/// POST runs/{id}/pause
#[utoipa::path(post, path = "/api/runs/{id}/pause", tag = "runs",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = super::schema::RunView), (status = 404), (status = 409)))]
pub(super) async fn pause(
    runtime: web::Data<Runtime>,
    request: HttpRequest,
    path: web::Path<String>,
    _: NoBody,
) -> Result<HttpResponse, ApiError> {
    stop(&runtime, &request, &path, StopBy::Pause).await
}

/// POST runs/{id}/continue
#[utoipa::path(post, path = "/api/runs/{id}/continue", request_body = GoOn, tag = "runs",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = super::schema::RunView), (status = 400), (status = 404),
              (status = 409), (status = 502)))]
pub(super) async fn go_on(
    runtime: web::Data<Runtime>,
    request: HttpRequest,
    path: web::Path<String>,
    body: JsonBody<Value>,
) -> Result<HttpResponse, ApiError> {
    let id: RunId = id(&path, "run")?;
    let idempotent = match key(&runtime, &request, &body.0, StatusCode::OK).await? {
        Key::Replayed(answer) => return Ok(answer),
        Key::Fresh(idempotent) => idempotent,
    };
    let GoOn { message } = decode(body.0)?;
    let request = match message {
        None => Request::LetGoOn,
        Some(message) => {
            not_blank("message", &message)?;
            Request::Continue {
                id: ids::message(),
                message,
                idempotent,
            }
        }
    };
    Ok(json(StatusCode::OK, runtime.ask(id, request).await?))
}

/// POST runs/{id}/retry: begins a run again that failed before its CLI started.
#[utoipa::path(post, path = "/api/runs/{id}/retry", tag = "runs",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = super::schema::RunView), (status = 404), (status = 409)))]
pub(super) async fn retry(
    runtime: web::Data<Runtime>,
    request: HttpRequest,
    path: web::Path<String>,
    _: NoBody,
) -> Result<HttpResponse, ApiError> {
    let id: RunId = id(&path, "run")?;
    let idempotent = match key(&runtime, &request, &Value::Null, StatusCode::OK).await? {
        Key::Replayed(answer) => return Ok(answer),
        Key::Fresh(idempotent) => idempotent,
    };
    let view = runtime.ask(id, Request::Retry { idempotent }).await?;
    Ok(json(StatusCode::OK, view))
}

/// POST runs/{id}/notify
#[utoipa::path(post, path = "/api/runs/{id}/notify", request_body = Notify, tag = "runs",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = super::schema::RunView), (status = 400), (status = 404)))]
pub(super) async fn notify(
    runtime: web::Data<Runtime>,
    request: HttpRequest,
    path: web::Path<String>,
    body: JsonBody<Value>,
) -> Result<HttpResponse, ApiError> {
    let id: RunId = id(&path, "run")?;
    let idempotent = match key(&runtime, &request, &body.0, StatusCode::OK).await? {
        Key::Replayed(answer) => return Ok(answer),
        Key::Fresh(idempotent) => idempotent,
    };
    let Notify { notify } = decode(body.0)?;
    let view = runtime
        .ask(id, Request::SetNotify { notify, idempotent })
        .await?;
    Ok(json(StatusCode::OK, view))
}

/// GET runs/{id}/tasks
#[utoipa::path(get, path = "/api/runs/{id}/tasks", tag = "runs",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = [super::schema::TaskView]), (status = 404)))]
pub(super) async fn tasks(
    runtime: web::Data<Runtime>,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id: RunId = id(&path, "run")?;
    let tasks = read(&runtime, move |reader| reader.run_tasks(id)).await?;
    Ok(json(StatusCode::OK, tasks.ok_or_else(|| unknown("run"))?))
}
