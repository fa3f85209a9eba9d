//! Errors as the API promises them: a status and one plain-text sentence.
//!
//! Every handler and extractor answers with [`ApiError`]; the gate brings what actix answers by
//! itself into the same form ([`ApiError::from_status`]).
//! Holds: the text of a fault never reaches the client, and is logged exactly once, here.

use actix_web::body::BoxBody;
use actix_web::http::header::{self, ContentType, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, ResponseError};
use std::error::Error as StdError;
use std::fmt;
use uuid::Uuid;

/// Carries the stable code of an error; the sentence is for people and may change.
pub const ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");
/// Carries the path of the field whose value was refused; what is no visible ASCII, and `%`, is
/// percent-encoded.
pub const ERROR_FIELD: HeaderName = HeaderName::from_static("x-error-field");
/// Carries the id under which a fault is found in the log.
pub const FAULT_ID: HeaderName = HeaderName::from_static("x-fault-id");

/// Longest message that leaves the server: what git says, up to 4 KiB a repo, fits with the words
/// around it.
const MESSAGE_LEN_MAX: usize = 16 * 1024;

/// A refusal or failure: status, sentence, stable code.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    field: Option<Box<str>>,
    retry_after_s: Option<u32>,
    fault: Option<Uuid>,
    allow: Option<String>,
    close: bool,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl fmt::Display) -> Self {
        Self {
            status,
            code,
            message: sentence(message.to_string()),
            field: None,
            retry_after_s: None,
            fault: None,
            allow: None,
            close: false,
        }
    }

    /// 400: the value of a field breaks a rule; reads "`field` why".
    #[must_use]
    pub fn invalid(field: &str, why: impl fmt::Display) -> Self {
        let text = format!("`{field}` {why}");
        let mut error = Self::new(StatusCode::BAD_REQUEST, "invalid", text);
        error.field = Some(field.into());
        error
    }

    /// 400: the request cannot be read at all.
    #[must_use]
    pub fn malformed(why: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", why)
    }

    /// 401: a token is needed and none, or a wrong one, came.
    #[must_use]
    pub fn unauthorized() -> Self {
        let text = "This server needs its token: send `Authorization: Bearer <token>`, or open \
                    `/?token=<token>` in a browser.";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", text)
    }

    /// 403: refused for every caller.
    #[must_use]
    pub fn forbidden(why: impl fmt::Display) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", why)
    }

    /// 404: reads "Unknown `what`."
    #[must_use]
    pub fn not_found(what: impl fmt::Display) -> Self {
        Self::missing(format!("Unknown {what}."))
    }

    /// 404 in a sentence of its own.
    #[must_use]
    pub fn missing(why: impl fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", why)
    }

    /// 405: the path exists, the method does not; `allow` lists those that do.
    #[must_use]
    pub fn method_not_allowed(allow: &[&Method]) -> Self {
        let allow: Vec<&str> = allow.iter().map(|method| method.as_str()).collect();
        let allow = allow.join(", ");
        let text = format!("This path accepts only {allow}.");
        let mut error = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", text);
        error.allow = Some(allow);
        error
    }

    /// 409: the present state forbids it; `why` names the state.
    #[must_use]
    pub fn conflict(why: impl fmt::Display) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", why)
    }

    /// 413: the body is longer than `limit_bytes`.
    #[must_use]
    pub fn too_large(limit_bytes: usize) -> Self {
        let text = format!("The body is too large: the limit is {limit_bytes} bytes.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", text)
    }

    /// 415: the body is not declared as JSON.
    #[must_use]
    pub fn unsupported_media() -> Self {
        let text = "The body must be JSON: send `Content-Type: application/json`.";
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media",
            text,
        )
    }

    /// 415: a body that is compressed.
    #[must_use]
    pub fn compressed() -> Self {
        let text = "The body must not be compressed: omit `Content-Encoding`.";
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media",
            text,
        )
    }

    /// 429: a bound is reached; try again after that many seconds.
    #[must_use]
    pub fn busy(why: impl fmt::Display, retry_after_s: u32) -> Self {
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", why);
        error.retry_after(retry_after_s)
    }

    /// 500: an internal failure. Logs `source` with its causes; the client gets only an id.
    #[must_use]
    pub fn fault(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let source = source.into();
        let id = fault_id();
        let causes = causes(source.as_ref());
        log::error!(fault_id:% = id; "Fault {id}: {causes}.");
        let text = format!("The server failed; its log has the details under fault {id}.");
        let mut error = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "fault", text);
        error.fault = Some(id);
        error
    }

    /// 502: a remote server or program refused or failed, in whole sentences.
    #[must_use]
    pub fn remote(why: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "remote_failed", why)
    }

    /// 503: shutting down, or the store takes nothing; try again after that many seconds.
    #[must_use]
    pub fn unavailable(why: impl fmt::Display, retry_after_s: u32) -> Self {
        let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", why);
        error.retry_after(retry_after_s)
    }

    /// The error for a status that actix chose, when no better sentence is known.
    #[must_use]
    pub fn from_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::not_found("path"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::unsupported_media(),
            StatusCode::UNAUTHORIZED => Self::unauthorized(),
            other if other.is_server_error() => {
                let mut error = Self::fault(format!("actix answered {other}"));
                error.status = other;
                error
            }
            other => {
                let reason = other.canonical_reason().unwrap_or("refused");
                let text = format!("The request was refused: {reason}.");
                Self::new(other, "malformed", text)
            }
        }
    }

    /// Replaces the general code by one of a single rule (`run_already_ended`).
    #[must_use]
    pub const fn with_code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }

    /// Closes the connection after the answer: the rest of the request is not worth waiting for.
    #[must_use]
    pub const fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The stable code, as sent in `X-Error-Code`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// The sentence, as sent in the body.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The id of the fault in the log, for 500 only.
    #[must_use]
    pub const fn fault_id(&self) -> Option<Uuid> {
        self.fault
    }

    fn put_headers(&self, headers: &mut HeaderMap) {
        headers.insert(ERROR_CODE, HeaderValue::from_static(self.code));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        let texts = [
            (ERROR_FIELD, self.field.as_deref().map(encoded)),
            (FAULT_ID, self.fault.map(|id| id.to_string())),
            (header::ALLOW, self.allow.clone()),
        ];
        for (name, text) in texts {
            if let Some(Ok(value)) = text.map(HeaderValue::try_from) {
                headers.insert(name, value);
            }
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl StdError for ApiError {}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut answer = HttpResponse::build(self.status);
        answer.insert_header(ContentType::plaintext());
        answer.insert_header((header::CACHE_CONTROL, "no-store"));
        if self.close {
            answer.force_close();
        }
        let mut answer = answer.body(self.message.clone());
        self.put_headers(answer.headers_mut());
        answer
    }
}

fn encoded(field: &str) -> String {
    let bytes = field.bytes().map(|byte| match byte {
        b'%' => "%25".to_owned(),
        byte if byte.is_ascii_graphic() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    bytes.collect()
}

/// Generates a fault's id. Not in `runtime::ids`: a fault must be reported without a runtime too.
fn fault_id() -> Uuid {
    let mut bytes = [0_u8; 16];
    match getrandom::fill(&mut bytes) {
        Ok(()) => uuid::Builder::from_random_bytes(bytes).into_uuid(),
        Err(_) => Uuid::nil(),
    }
}

fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// Cuts an over-long message and ends it with a full stop.
fn sentence(mut text: String) -> String {
    if text.len() > MESSAGE_LEN_MAX {
        let cut = (0..=MESSAGE_LEN_MAX)
            .rev()
            .find(|&at| text.is_char_boundary(at));
        text.truncate(cut.unwrap_or(0));
        text.push('…');
    }
    if !text.ends_with(['.', '!', '?', '…']) {
        text.push('.');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(error: &ApiError, name: &str) -> Option<String> {
        let answer = error.error_response();
        answer
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn every_constructor_has_its_status_and_is_plain_text() {
        let table = [
            (ApiError::invalid("name", "must not be blank"), 400),
            (ApiError::malformed("x"), 400),
            (ApiError::unauthorized(), 401),
            (ApiError::forbidden("x"), 403),
            (ApiError::not_found("run"), 404),
            (ApiError::method_not_allowed(&[&Method::GET]), 405),
            (ApiError::conflict("x"), 409),
            (ApiError::too_large(1), 413),
            (ApiError::unsupported_media(), 415),
            (ApiError::busy("x", 1), 429),
            (ApiError::fault("x"), 500),
            (ApiError::remote("x"), 502),
            (ApiError::unavailable("x", 1), 503),
        ];
        for (error, status) in table {
            assert_eq!(error.status_code().as_u16(), status);
            let kind = header_of(&error, "content-type").unwrap();
            assert_eq!(kind, "text/plain; charset=utf-8");
            assert_eq!(header_of(&error, "x-error-code").unwrap(), error.code());
            assert!(error.message().ends_with('.'), "{error}");
        }
    }

    #[test]
    fn a_fault_keeps_its_text_to_itself() {
        let error = ApiError::fault("no such table: /home/dev/secret.db");
        assert!(!error.message().contains("secret"));
        let id = error.fault_id().unwrap().to_string();
        assert!(error.message().contains(&id));
        assert_eq!(header_of(&error, "x-fault-id").unwrap(), id);
    }

    #[test]
    fn the_refused_field_is_named_in_a_header() {
        let error = ApiError::invalid("provider_config.env.Ü 1%", "must be a string");
        let field = header_of(&error, "x-error-field");
        assert_eq!(field.as_deref(), Some("provider_config.env.%C3%9C%201%25"));
        assert_eq!(header_of(&ApiError::conflict("x"), "x-error-field"), None);
    }

    #[test]
    fn waiting_times_are_told() {
        assert_eq!(
            header_of(&ApiError::busy("x", 7), "retry-after").unwrap(),
            "7"
        );
        assert_eq!(
            header_of(&ApiError::unavailable("x", 2), "retry-after").unwrap(),
            "2"
        );
        assert_eq!(
            header_of(&ApiError::unauthorized(), "www-authenticate").unwrap(),
            "Bearer"
        );
    }

    #[test]
    fn long_messages_are_cut_at_a_character() {
        let error = ApiError::malformed("ä".repeat(MESSAGE_LEN_MAX));
        assert!(error.message().len() < MESSAGE_LEN_MAX + 8);
        assert!(error.message().ends_with('…'));
    }
}
