//! Small helpers of the handlers: reading on a blocking thread, answers, and the errors of other
//! rooms as answers.

use super::error::ApiError;
use crate::{
    domain::{RunId, run::Rejection},
    runtime::{AskError, Runtime, operations::OperationError, order::OrderError},
    store::{Reader, StoreError},
};
use actix_web::{HttpResponse, http::StatusCode};

/// What a handler answers.
pub(crate) type ApiResult = Result<HttpResponse, ApiError>;

/// Reads from the store on a blocking thread; see [`crate::runtime::reads`].
pub(crate) fn read<T, Q>(
    runtime: &Runtime,
    query: Q,
) -> impl Future<Output = Result<T, ApiError>> + 'static + use<T, Q>
where
    T: Send + 'static,
    Q: FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
{
    let reading = runtime.shared.reads.begin(query);
    async { Ok(reading.await.map_err(ApiError::fault)??) }
}

/// Reads something that must exist: 404 names it when it does not.
pub(crate) async fn find<T, Q>(
    runtime: &Runtime,
    what: &'static str,
    query: Q,
) -> Result<T, ApiError>
where
    T: Send + 'static,
    Q: FnOnce(&Reader) -> Result<Option<T>, StoreError> + Send + 'static,
{
    let found = read(runtime, query).await?;
    found.ok_or_else(|| ApiError::not_found(what))
}

/// Reads something of a run: 404 when the run does not exist.
pub(crate) async fn read_of_run<T, Q>(runtime: &Runtime, id: RunId, query: Q) -> Result<T, ApiError>
where
    T: Send + 'static,
    Q: FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
{
    let found = find(runtime, "run", move |reader| {
        let known = reader.run_exists(id)?;
        known.then(|| query(reader)).transpose()
    });
    found.await
}

/// A JSON answer from JSON text.
pub(crate) fn json(status: StatusCode, body: String) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("application/json")
        .body(body)
}

/// 200 with JSON text.
pub(crate) fn ok_json(body: String) -> HttpResponse {
    json(StatusCode::OK, body)
}

/// 200 with a serialisable body.
pub(crate) fn ok(body: &impl serde::Serialize) -> ApiResult {
    Ok(ok_json(text(body)?))
}

/// 201 with what was made.
pub(crate) fn created(body: &impl serde::Serialize) -> ApiResult {
    Ok(json(StatusCode::CREATED, text(body)?))
}

/// 204: it is done.
pub(crate) fn no_content() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

fn text(body: &impl serde::Serialize) -> Result<String, ApiError> {
    serde_json::to_string(body).map_err(ApiError::fault)
}

/// A JSON array from JSON texts.
pub(crate) fn array(items: &[String]) -> HttpResponse {
    ok_json(format!("[{}]", items.join(",")))
}

impl From<OperationError> for ApiError {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::Unknown(what) => Self::not_found(what),
            OperationError::Invalid { field, why } => Self::invalid(&field, why),
            OperationError::NameTaken => Self::conflict(error).with_code("name_taken"),
            OperationError::RepositoryTaken => Self::conflict(error).with_code("repository_taken"),
            OperationError::Closed(why) => {
                Self::conflict(format!("{}.", capital(&why))).with_code("approval_closed")
            }
            OperationError::Full(why) => Self::busy(why, 5),
            OperationError::Ask(error) => error.into(),
            OperationError::Store(error) => error.into(),
            OperationError::Failed(source) => Self::fault(source),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::unavailable(
                "The disk is full and nothing was recorded. Free some space and try again.",
                5,
            ),
            StoreError::Unwritable(_) => Self::unavailable(
                "The database cannot be written and nothing was recorded. Run `abbado doctor` for details.",
                5,
            ),
            StoreError::Interrupted => Self::unavailable(
                "The server failed while recording this; check whether it was recorded, and try again if not.",
                1,
            ),
            StoreError::Closed => Self::unavailable("The server is shutting down.", 5),
            StoreError::Taken(what) if what.contains("idempotency") => Self::conflict(
                "A request with this Idempotency-Key is still in progress; try again later.",
            ),
            StoreError::Taken(_) => {
                Self::conflict("That name is already in use.").with_code("name_taken")
            }
            StoreError::Missing => Self::missing("It does not exist."),
            StoreError::WrongSequence { .. }
            | StoreError::Duplicate
            | StoreError::Newer { .. }
            | StoreError::LogGone { .. }
            | StoreError::Unusable { .. }
            | StoreError::Unsuited(_)
            | StoreError::Database(_)
            | StoreError::Corrupt(_) => Self::fault(error),
        }
    }
}

impl From<AskError> for ApiError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::UnknownRun => Self::not_found("run"),
            AskError::Busy { .. } | AskError::TooManyRuns { .. } => Self::busy(sentence(&error), 1),
            AskError::Rejected(rejection) => refused(rejection),
            AskError::NoEventName => {
                Self::invalid("hook_event_name", "is missing from the hook payload")
            }
            AskError::Store(error) => error.into(),
            AskError::Unrecorded(cause) => {
                let why = sentence(&cause);
                let stopped = "The run's processes were ended; the stop is recorded as soon as the log can be written.";
                Self::unavailable(format!("{why} {stopped}"), 5)
            }
            AskError::Order(error) => match error {
                OrderError::Invalid(why) => Self::malformed(why),
                OrderError::NothingToCommit => {
                    Self::malformed(error).with_code("nothing_to_commit")
                }
                OrderError::Missing(why) => Self::missing(why),
                OrderError::Conflict(why) => Self::conflict(why),
                OrderError::NotKept(why) => Self::conflict(why).with_code("work_not_kept"),
                OrderError::Remote(why) => Self::remote(why),
                OrderError::Internal(why) => Self::fault(why),
            },
            AskError::Undeliverable(why) => Self::invalid("message", why),
            AskError::NotTaken(_) => Self::remote(sentence(&error)).with_code("message_not_taken"),
            AskError::JobFailed(why) => Self::fault(why),
            AskError::ActorEnded => Self::unavailable(
                "The run is being reloaded from its log; check whether this was recorded, and try again if not.",
                1,
            ),
            AskError::ShuttingDown => Self::unavailable("The server is shutting down.", 5),
        }
    }
}

/// A refusal is an answer: no log line, the state named. No wildcard: a new one must be placed.
fn refused(rejection: Rejection) -> ApiError {
    let code = match rejection {
        Rejection::NotLive(_) => "run_not_live",
        Rejection::NotPausable(_) => "run_not_pausable",
        Rejection::StillWorking(_) => "run_still_working",
        Rejection::NoSession(_) | Rejection::NeverStarted(_) => "run_without_session",
        Rejection::NotRetried(_) => "run_not_retried",
        Rejection::Stopping { .. } => "run_stopping",
        Rejection::CancelFirst(_) => "run_must_be_cancelled",
        Rejection::NoWorktree(_) => "run_without_worktree",
        Rejection::PauseFirst(_) => "run_must_be_paused",
        Rejection::Typing => "message_being_typed",
        Rejection::Asking => "question_open",
        Rejection::Draft => "draft_at_prompt",
        Rejection::Menu => "menu_open",
        Rejection::ApprovalClosed => "approval_closed",
        Rejection::OtherOrder => "queue_differs",
        Rejection::Invalid { field, why } => return ApiError::invalid(field, why),
        Rejection::NoRepo => return ApiError::conflict(sentence(&rejection)),
        Rejection::QueueFull(_) => return ApiError::busy(sentence(&rejection), 1),
        Rejection::NotQueued => return ApiError::not_found("message in the queue of this run"),
        Rejection::Deleted => return ApiError::not_found("run"),
    };
    ApiError::conflict(sentence(&rejection)).with_code(code)
}

/// An error's text as a sentence.
fn sentence(error: &impl std::fmt::Display) -> String {
    format!("{}.", capital(&error.to_string()))
}

/// A text that begins a sentence.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|first| first.to_uppercase().to_string())
        .unwrap_or_default();
    format!("{first}{}", letters.as_str())
}
