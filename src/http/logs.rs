//! The output of a run's terminal.

use super::{
    answer::{read, unknown},
    error::{ApiError, ERROR_CODE},
    extract::Id,
};
use crate::{
    domain::{RunId, Secrets},
    pty::output_log::{self, Extent},
    runtime::Runtime,
};
use actix_web::{HttpRequest, HttpResponse, get, http::StatusCode, web};
use std::{io, path::Path};

/// Most bytes of output answered at once; a client asks for the rest with `Range`.
const LOG_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What the CLI put out, with asterisks over the values of its agent's
/// environment.
#[utoipa::path(tag = "runs",
    responses((status = 200, body = String, content_type = "text/plain"),
              (status = 206, body = String, content_type = "text/plain"), (status = 404),
              (status = 416)))]
#[get("/api/runs/{id}/logs")]
pub(super) async fn logs(
    runtime: web::Data<Runtime>,
    request: HttpRequest,
    Id(id): Id<RunId>,
) -> Result<HttpResponse, ApiError> {
    let found = read(&runtime, move |reader| {
        let known = reader.run_exists(id)?;
        known.then(|| reader.run_secrets(id)).transpose()
    });
    let secrets = found.await?.ok_or_else(|| unknown("run"))?;
    let run_dir = runtime.shared.run_dir(id);
    let folder = run_dir.clone();
    let extent = web::block(move || output_log::extent(&folder)).await;
    let extent = extent.map_err(ApiError::fault)?.map_err(ApiError::fault)?;
    let Some(extent) = extent else {
        return Err(ApiError::missing(
            "This run has no output: its CLI was never started.",
        ));
    };
    let (from, to, status) = match wanted(&request, extent.base, extent.end) {
        Wanted::All => (extent.base, extent.end, StatusCode::OK),
        Wanted::Part(from, to) => (from, to, StatusCode::PARTIAL_CONTENT),
        Wanted::Nothing => {
            return Ok(HttpResponse::RangeNotSatisfiable()
                .insert_header((ERROR_CODE, "range"))
                .insert_header(("Content-Range", format!("bytes */{}", extent.end)))
                .content_type("text/plain; charset=utf-8")
                .body("There is no output in that range."));
        }
    };
    let length = usize::try_from((to - from).min(LOG_BYTES_MAX)).unwrap_or(usize::MAX);
    let bytes = web::block(move || part(&run_dir, extent, from, length, &secrets)).await;
    let bytes = bytes.map_err(ApiError::fault)?.map_err(ApiError::fault)?;
    let mut answer = HttpResponse::build(status);
    answer
        .content_type("text/plain; charset=utf-8")
        .insert_header(("Accept-Ranges", "bytes"));
    if status == StatusCode::PARTIAL_CONTENT {
        let last = (from + bytes.len() as u64).saturating_sub(1);
        let range = format!("bytes {from}-{last}/{}", extent.end);
        answer.insert_header(("Content-Range", range));
    }
    Ok(answer.body(bytes))
}

/// A part of the output without secrets, also without one that lies across its ends.
fn part(
    run_dir: &Path,
    extent: Extent,
    from: u64,
    length: usize,
    secrets: &Secrets,
) -> io::Result<Vec<u8>> {
    let around = secrets.longest().saturating_sub(1);
    let before = (from - extent.base).min(around as u64);
    let skipped = usize::try_from(before).unwrap_or_default();
    let mut bytes = output_log::read_at(run_dir, from - before, skipped + length + around)?;
    secrets.blot(&mut bytes);
    bytes.drain(..skipped.min(bytes.len()));
    bytes.truncate(length);
    Ok(bytes)
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_part_of_the_output_shows_a_piece_of_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let said = "key=sk-12345678; again sk-12345678";
        let mut log = output_log::OutputLog::open(folder.path(), 1024 * 1024).unwrap();
        log.append(said.as_bytes()).unwrap();
        let config = json!({"env": {"KEY": "sk-12345678"}});
        let secrets = Secrets::of(config.as_object().unwrap());
        let shown = "key=***********; again ***********";
        let extent = output_log::extent(folder.path()).unwrap().unwrap();
        for from in 0..said.len() {
            for to in from + 1..=said.len() {
                let part = part(folder.path(), extent, from as u64, to - from, &secrets).unwrap();
                assert_eq!(String::from_utf8_lossy(&part), shown[from..to]);
            }
        }
        let all = part(folder.path(), extent, 0, said.len(), &Secrets::default()).unwrap();
        assert_eq!(all, said.as_bytes());
    }
}
