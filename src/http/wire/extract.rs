//! Extractors: how handlers read bodies, paths and queries.
//!
//! Holds: a body has a type, a length limit, a time limit and a depth limit before its meaning is
//! looked at; each refusal is an [`ApiError`] that names the field, parameter or limit.

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::future::{Ready, ready};
use std::str::FromStr;
use std::time::Duration;
use uuid::Uuid;

mod query;

pub use query::Query;

use super::error::ApiError;
use super::json;
use crate::{
    domain::{
        AgentId, ApprovalId, MessageId, ProjectId, RepoId, RunId, run::callers::DELIVERY_HEADER,
    },
    runtime::operations::hooks,
};

/// Largest body of a call of the API.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Largest payload of a hook: it may hold a file that a CLI wrote.
pub const HOOK_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The whole body has to arrive within this time; a client that drips is cut off.
pub const BODY_WAIT: Duration = Duration::from_secs(30);

/// A JSON object as a typed value; at most `LIMIT` bytes.
#[derive(Debug)]
pub struct JsonBody<T, const LIMIT: usize = BODY_BYTES_MAX>(pub T);

impl<T: DeserializeOwned + 'static, const LIMIT: usize> FromRequest for JsonBody<T, LIMIT> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = read_body(request, payload, LIMIT, BODY_WAIT);
        Box::pin(async move { Ok(Self(json::parse(&body.await?)?)) })
    }
}

/// A hook's payload: the object, and the bytes as they came.
#[derive(Debug)]
pub struct RawJson {
    /// The parsed object, repaired where it was not quite JSON.
    pub object: Map<String, Value>,
    /// The bytes as the CLI sent them.
    pub bytes: Bytes,
}

impl FromRequest for RawJson {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = read_body(request, payload, HOOK_BYTES_MAX, BODY_WAIT);
        let delivered = request.headers().contains_key(DELIVERY_HEADER);
        Box::pin(async move {
            let bytes = body.await?;
            let object = json::parse_object(&bytes)
                .or_else(|error| hooks::repaired(&bytes, delivered).ok_or(error))?;
            Ok(Self { object, bytes })
        })
    }
}

/// A write that takes no body: an absent type is fine, one other than JSON is 415.
#[derive(Debug, Clone, Copy)]
pub struct NoBody;

impl FromRequest for NoBody {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(check_media(request.headers(), false).map(|()| Self))
    }
}

/// Checks the declared type: JSON for a body, JSON or none without one.
///
/// # Errors
/// 415 for any other type, for a body without one, and for one that is compressed.
pub fn check_media(headers: &HeaderMap, has_body: bool) -> Result<(), ApiError> {
    let coded = headers.get_all(header::CONTENT_ENCODING);
    let plain = |value: &header::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if has_body && !coded.into_iter().all(plain) {
        return Err(ApiError::compressed());
    }
    let mut declared = headers.get_all(header::CONTENT_TYPE).peekable();
    let is_json = |value: &header::HeaderValue| {
        let essence = value.as_bytes().split(|byte| *byte == b';').next();
        let essence = essence.unwrap_or_default().trim_ascii();
        essence.eq_ignore_ascii_case(b"application/json")
    };
    if (!has_body || declared.peek().is_some()) && declared.all(is_json) {
        Ok(())
    } else {
        Err(ApiError::unsupported_media())
    }
}

/// Says whether a request announces a body.
#[must_use]
pub fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING)
        || length.is_some_and(|value| value.as_bytes().trim_ascii() != b"0")
}

pub(super) fn read_body(
    request: &HttpRequest,
    payload: &mut Payload,
    limit: usize,
    wait: Duration,
) -> LocalBoxFuture<'static, Result<Bytes, ApiError>> {
    let checked = check_media(request.headers(), true).and_then(|()| {
        let length = request.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
        match length {
            Some(length) if length > limit as u64 => Err(ApiError::too_large(limit).closing()),
            _ => Ok(()),
        }
    });
    let payload = payload.take();
    Box::pin(async move {
        checked?;
        let reading = tokio::time::timeout(wait, collect(payload, limit));
        reading.await.unwrap_or_else(|_| {
            let text = format!("The body did not arrive within {} s.", wait.as_secs());
            Err(ApiError::malformed(text).closing())
        })
    })
}

async fn collect(mut payload: Payload, limit: usize) -> Result<Bytes, ApiError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| ApiError::malformed("The body ended early.").closing())?;
        if body.len() + chunk.len() > limit {
            return Err(ApiError::too_large(limit).closing());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// An id from the path. A malformed one is as unknown as any other: 404.
pub struct Id<T>(pub T);

/// An id in a path.
pub trait PathId: FromStr + 'static {
    /// The name of its segment in the route's pattern.
    const SEGMENT: &'static str = "id";
    /// What is unknown when the id is malformed.
    const WHAT: &'static str;
}

impl PathId for RunId {
    const WHAT: &'static str = "run";
}

impl PathId for ProjectId {
    const WHAT: &'static str = "project";
}

impl PathId for AgentId {
    const WHAT: &'static str = "agent";
}

impl PathId for RepoId {
    const SEGMENT: &'static str = "repo_id";
    const WHAT: &'static str = "repo";
}

impl PathId for MessageId {
    const SEGMENT: &'static str = "message_id";
    const WHAT: &'static str = "message in the queue of this run";
}

impl PathId for ApprovalId {
    const SEGMENT: &'static str = "approval_id";
    const WHAT: &'static str = "approval";
}

/// The number of a checkpoint.
impl PathId for u32 {
    const SEGMENT: &'static str = "number";
    const WHAT: &'static str = "checkpoint";
}

impl<T: PathId> FromRequest for Id<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let text = request.match_info().get(T::SEGMENT).unwrap_or_default();
        let id = text.parse().map(Self);
        ready(id.map_err(|_| ApiError::not_found(T::WHAT)))
    }
}

/// Parses an id in its hyphenated form, the only one that the API writes.
#[must_use]
pub fn parse_id(text: &str) -> Option<Uuid> {
    if text.len() == 36 {
        Uuid::try_parse(text).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::ResponseError;
    use actix_web::test::TestRequest;
    use futures_util::stream;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    struct Named {
        name: String,
    }

    async fn read<const LIMIT: usize>(kind: Option<&str>, body: &[u8]) -> Result<Named, ApiError> {
        let mut request = TestRequest::post().set_payload(body.to_vec());
        if let Some(kind) = kind {
            request = request.insert_header((header::CONTENT_TYPE, kind));
        }
        let (request, mut payload) = request.to_http_parts();
        let body = JsonBody::<Named, LIMIT>::from_request(&request, &mut payload).await;
        body.map(|JsonBody(value)| value)
    }

    fn status<T>(result: Result<T, ApiError>) -> u16 {
        result.map_or_else(|error| error.status_code().as_u16(), |_| 200)
    }

    #[actix_web::test]
    async fn bodies_need_the_type_and_fit_the_limit() {
        let body = br#"{"name":"x","unknown":[1]}"#;
        for kind in [
            "application/json",
            "Application/JSON; charset=utf-8",
            " application/json ",
        ] {
            assert_eq!(read::<1000>(Some(kind), body).await.unwrap().name, "x");
        }
        for kind in [
            "text/plain",
            "application/jsonx",
            "application/x-www-form-urlencoded",
            "",
        ] {
            assert_eq!(status(read::<1000>(Some(kind), body).await), 415, "{kind}");
        }
        assert_eq!(status(read::<1000>(None, body).await), 415);
        assert_eq!(
            status(read::<26>(Some("application/json"), body).await),
            200
        );
        assert_eq!(
            status(read::<25>(Some("application/json"), body).await),
            413
        );
        assert_eq!(
            status(read::<1000>(Some("application/json"), b"").await),
            400
        );
    }

    #[actix_web::test]
    async fn a_body_that_is_cut_off_is_refused() {
        let dripping = stream::iter([Ok(Bytes::from_static(b"{"))]).chain(stream::pending());
        let mut payload = Payload::Stream {
            payload: dripping.boxed_local(),
        };
        let request = TestRequest::post()
            .insert_header((header::CONTENT_TYPE, "application/json"))
            .to_http_request();
        let read = read_body(&request, &mut payload, 100, Duration::from_millis(20)).await;
        assert_eq!(
            read.unwrap_err().message(),
            "The body did not arrive within 0 s."
        );
    }

    #[actix_web::test]
    async fn hooks_are_objects_with_their_bytes() {
        let send = |body: &'static str| async move {
            let (request, mut payload) = TestRequest::post()
                .insert_header((header::CONTENT_TYPE, "application/json"))
                .set_payload(body)
                .to_http_parts();
            RawJson::from_request(&request, &mut payload).await
        };
        let hook = send(" {\"hook_event_name\":\"Stop\"}").await.unwrap();
        assert_eq!(hook.object["hook_event_name"], "Stop");
        assert!(hook.bytes.starts_with(b" {"));
        let hook = send(r#"{"text":"cut \ud83d"}"#).await.unwrap();
        assert_eq!(hook.object["text"], "cut \u{fffd}");
        assert_eq!(status(send("[1]").await), 400);
        assert_eq!(status(send("{").await), 400);
    }

    #[test]
    fn writes_without_a_body() {
        let check = |kind: &[&str], has_body| {
            let mut headers = HeaderMap::new();
            for kind in kind {
                headers.append(header::CONTENT_TYPE, kind.parse().unwrap());
            }
            status(check_media(&headers, has_body))
        };
        assert_eq!(check(&[], false), 200);
        assert_eq!(check(&[], true), 415);
        let coded = |coding: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
            headers.insert(header::CONTENT_ENCODING, coding.parse().unwrap());
            status(check_media(&headers, true))
        };
        assert_eq!(
            ["identity", "gzip", "br", "gzip, gzip"].map(coded),
            [200, 415, 415, 415]
        );
        assert_eq!(check(&["application/json"], false), 200);
        assert_eq!(check(&["text/plain"], false), 415);
        assert_eq!(check(&["application/json", "text/plain"], true), 415);
        assert_eq!(check(&[""], false), 415);
    }

    #[test]
    fn ids_are_hyphenated() {
        assert!(parse_id("6f1d6c3e-9a0b-4c53-8f57-0d6a4d1a2b3c").is_some());
        for text in [
            "",
            "x",
            "6f1d6c3e9a0b4c538f570d6a4d1a2b3c",
            "../../../../../../etc/passwd/1234567",
        ] {
            assert!(parse_id(text).is_none(), "{text}");
        }
        let request = TestRequest::default().param("id", "nope").to_http_request();
        let read = Id::<RunId>::from_request(&request, &mut Payload::None).into_inner();
        let error = read.map(|Id(id)| id).unwrap_err();
        assert_eq!(error.message(), "Unknown run.");
        assert_eq!(error.status_code().as_u16(), 404);
    }
}
