//! The output of a run's terminal.

use crate::{
    domain::RunId,
    http::wire::{ApiResult, Id, error::ERROR_CODE},
    runtime::{Runtime, operations::output},
};
use actix_web::{HttpRequest, HttpResponse, get, http::StatusCode, web::Data};

/// Most bytes of output answered at once; a client asks for the rest with `Range`.
const LOG_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What the CLI put out, with asterisks over the values of its agent's
/// environment.
#[utoipa::path(tag = "runs",
    responses((status = 200, body = String, content_type = "text/plain"),
              (status = 206, body = String, content_type = "text/plain"), (status = 416)))]
#[get("/api/runs/{id}/logs")]
pub(crate) async fn logs(
    runtime: Data<Runtime>,
    request: HttpRequest,
    Id(id): Id<RunId>,
) -> ApiResult {
    let output = output::of_run(&runtime, id).await?;
    let (base, end) = (output.base(), output.end());
    let (from, to, status) = match wanted(&request, base, end) {
        Wanted::All => (base, end, StatusCode::OK),
        Wanted::Part(from, to) => (from, to, StatusCode::PARTIAL_CONTENT),
        Wanted::Nothing => {
            return Ok(HttpResponse::RangeNotSatisfiable()
                .insert_header((ERROR_CODE, "range"))
                .insert_header(("Content-Range", format!("bytes */{end}")))
                .content_type("text/plain; charset=utf-8")
                .body("There is no output in that range."));
        }
    };
    let length = usize::try_from((to - from).min(LOG_BYTES_MAX)).unwrap_or(usize::MAX);
    let bytes = output.part(from, length).await?;
    let mut answer = HttpResponse::build(status);
    answer
        .content_type("text/plain; charset=utf-8")
        .insert_header(("Accept-Ranges", "bytes"));
    if status == StatusCode::PARTIAL_CONTENT {
        let last = (from + bytes.len() as u64).saturating_sub(1);
        let range = format!("bytes {from}-{last}/{end}");
        answer.insert_header(("Content-Range", range));
    }
    Ok(answer.body(bytes))
}

enum Wanted {
    All,
    Part(u64, u64),
    Nothing,
}

/// The one range asked for, in absolute offsets. Several ranges, or one that is not understood,
/// are answered with the whole, as RFC 9110 allows; so is a range on a condition (`If-Range`), since
/// answers have no validator that could meet it.
fn wanted(request: &HttpRequest, base: u64, end: u64) -> Wanted {
    let headers = request.headers();
    let header = headers
        .get("Range")
        .filter(|_| !headers.contains_key("If-Range"))
        .and_then(|value| value.to_str().ok());
    let Some(range) = header.and_then(|value| value.strip_prefix("bytes=")) else {
        return Wanted::All;
    };
    let Some((first, last)) = range.split_once('-') else {
        return Wanted::All;
    };
    let (from, to) = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(from), Ok(last)) if last >= from => (from, last.saturating_add(1).min(end)),
        (Ok(from), Err(_)) if last.trim().is_empty() => (from, end),
        (Err(_), Ok(suffix)) if first.trim().is_empty() => (end.saturating_sub(suffix), end),
        _ => return Wanted::All,
    };
    let from = from.max(base);
    if from < to {
        Wanted::Part(from, to)
    } else {
        Wanted::Nothing
    }
}
