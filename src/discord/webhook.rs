//! One delivery to a webhook, bounded in time and size.

use crate::{domain::Time, fault, tls};
use awc::{
    Client, Connector,
    error::{ConnectError, SendRequestError},
    http::{
        StatusCode, Uri,
        header::{self, HeaderMap},
    },
};
use chrono::DateTime;
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// Longest time from asking to the last byte of the answer.
const REQUEST_LIMIT: Duration = Duration::from_secs(20);
/// Longest answer that is read; a longer one is as good as an empty one.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Most characters of the receiver's own words that are passed on.
const WORDS_CHARS_MAX: usize = 200;
/// Segments of the URL's path that are shorter are words like `api`, not secrets.
const SECRET_CHARS_MIN: usize = 8;
const AGENT: &str = concat!("abbado/", env!("CARGO_PKG_VERSION"));

/// Why a message was not taken. Reads on after "the message was not delivered: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// The receiver will not have it, now or later.
    #[error("the receiver answered {status}: {words}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The receiver's own words.
        words: String,
    },
    /// The receiver asks us to come again.
    #[error("the receiver answered {status}: {words}")]
    Busy {
        /// HTTP status.
        status: u16,
        /// The receiver's own words.
        words: String,
        /// How long it wants us to wait.
        wait: Option<Duration>,
    },
    /// No connection, or it broke.
    #[error("the receiver cannot be reached: {0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("the receiver did not answer within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// The stored URL cannot be used.
    #[error("the webhook's URL cannot be used")]
    Unusable,
}

impl WebhookError {
    /// True when the same message may be taken later.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::Unreachable(_) | Self::TimedOut(_) => true,
            Self::Refused { .. } | Self::Unusable => false,
        }
    }

    /// How long the receiver wants us to wait.
    #[must_use]
    pub const fn asked_wait(&self) -> Option<Duration> {
        match self {
            Self::Busy { wait, .. } => *wait,
            Self::Refused { .. } | Self::Unreachable(_) | Self::TimedOut(_) | Self::Unusable => {
                None
            }
        }
    }
}

/// The way to webhooks.
#[derive(Default)]
pub struct Webhook {
    tls: tokio::sync::OnceCell<Arc<rustls::ClientConfig>>,
}

impl Webhook {
    /// Delivers a message. Stays on the thread it was called on.
    ///
    /// # Errors
    /// Why it was not taken. After [`WebhookError::Unreachable`] and [`WebhookError::TimedOut`] it
    /// may have been all the same: nobody knows.
    pub async fn send(&self, url: &str, message: &Value, now: Time) -> Result<(), WebhookError> {
        let limit = fault::wait("notify.request", REQUEST_LIMIT);
        let exchange = tokio::time::timeout(limit, self.exchange(url, message, limit, now)).await;
        exchange.unwrap_or(Err(WebhookError::TimedOut(limit)))
    }

    async fn exchange(
        &self,
        url: &str,
        message: &Value,
        limit: Duration,
        now: Time,
    ) -> Result<(), WebhookError> {
        let uri = confirming(url).ok_or(WebhookError::Unusable)?;
        let mut connector = Connector::new().timeout(limit).handshake_timeout(limit);
        if uri.scheme_str() == Some("https") {
            connector = connector.rustls_0_23(self.tls().await?);
        }
        let client = Client::builder()
            .connector(connector)
            .disable_timeout()
            .disable_redirects()
            .finish();
        let sent = client
            .post(&uri)
            // A kept connection may be dead when it is used again; there are few requests.
            .force_close()
            .insert_header((header::USER_AGENT, AGENT))
            .send_json(message);
        let mut answer = sent.await.map_err(|error| not_sent(&error, &uri, limit))?;
        if answer.status().is_success() {
            return Ok(());
        }
        let body = answer.body().limit(ANSWER_BYTES_MAX).await;
        let body = serde_json::from_slice(&body.unwrap_or_default()).unwrap_or(Value::Null);
        Err(judged(answer.status(), answer.headers(), &body, &uri, now))
    }

    async fn tls(&self) -> Result<Arc<rustls::ClientConfig>, WebhookError> {
        let made = self.tls.get_or_try_init(|| async {
            let made = tokio::task::spawn_blocking(tls::client).await;
            made.unwrap_or_else(|_| Err("reading root certificates failed".to_owned()))
        });
        made.await.cloned().map_err(WebhookError::Unreachable)
    }
}

/// The URL that answers when the message is stored; without `wait` Discord says yes to messages
/// that it drops.
fn confirming(url: &str) -> Option<Uri> {
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}wait=true").parse().ok()
}

fn not_sent(error: &SendRequestError, uri: &Uri, limit: Duration) -> WebhookError {
    let late = matches!(
        error,
        SendRequestError::Timeout | SendRequestError::Connect(ConnectError::Timeout)
    );
    if late {
        return WebhookError::TimedOut(limit);
    }
    if let SendRequestError::Url(_) = error {
        return WebhookError::Unusable;
    }
    WebhookError::Unreachable(clean(&error.to_string(), uri))
}

fn judged(
    status: StatusCode,
    headers: &HeaderMap,
    body: &Value,
    uri: &Uri,
    now: Time,
) -> WebhookError {
    let words = body["message"].as_str().map(|words| clean(words, uri));
    let words = words.filter(|words| !words.is_empty()).unwrap_or_else(|| {
        let reason = status.canonical_reason();
        reason.unwrap_or("no reason given").to_owned()
    });
    let again = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
    let status = status.as_u16();
    if !again {
        return WebhookError::Refused { status, words };
    }
    // Discord's body is exact where its header is rounded; the longer one is on the safe side.
    let told = body["retry_after"].as_f64().and_then(seconds);
    let wait = told.max(retry_after(headers, now));
    WebhookError::Busy {
        status,
        words,
        wait,
    }
}

/// The header: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Time) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(count) = value.parse() {
        return seconds(count);
    }
    let at = DateTime::parse_from_rfc2822(value).ok()?.to_utc();
    (at - now).to_std().ok()
}

fn seconds(count: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(count).ok()
}

/// One short line without the secret parts of the URL.
fn clean(text: &str, uri: &Uri) -> String {
    let secrets = uri.path().split('/');
    let secrets =
        secrets.filter(|segment| segment.len() >= SECRET_CHARS_MIN && *segment != "webhooks");
    let blanked = secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "***"));
    let words: Vec<&str> = blanked
        .split(|letter: char| letter.is_control() || letter.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ").chars().take(WORDS_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use awc::http::header::HeaderValue;
    use serde_json::json;

    const URL: &str = "https://discord.com/api/webhooks/123456789012345678/s3cret-t0ken";

    fn judge(status: u16, retry_after: Option<&str>, body: &Value) -> WebhookError {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            let value = HeaderValue::from_str(value).unwrap();
            headers.insert(header::RETRY_AFTER, value);
        }
        let now = DateTime::parse_from_rfc3339("2027-01-15T08:00:00Z").unwrap();
        let uri = confirming(URL).unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        judged(status, &headers, body, &uri, now.to_utc())
    }

    #[test]
    fn too_much_and_the_receivers_own_failures_pass_and_nothing_else_does() {
        for status in [429, 500, 502, 503, 504] {
            assert!(judge(status, None, &Value::Null).may_pass(), "{status}");
        }
        for status in [301, 302, 400, 401, 403, 404, 405, 410, 413] {
            assert!(!judge(status, None, &Value::Null).may_pass(), "{status}");
        }
        assert!(WebhookError::TimedOut(REQUEST_LIMIT).may_pass());
        assert!(WebhookError::Unreachable(String::new()).may_pass());
    }

    #[test]
    fn the_longer_wait_of_header_and_body_counts() {
        let wait = |header, body: Value| judge(429, header, &body).asked_wait();
        let millis = |count| Some(Duration::from_millis(count));
        assert_eq!(wait(Some("2"), Value::Null), millis(2000));
        assert_eq!(wait(Some("1"), json!({"retry_after": 1.25})), millis(1250));
        assert_eq!(
            wait(Some("65"), json!({"retry_after": 0.5})),
            millis(65_000)
        );
        assert_eq!(wait(None, json!({"retry_after": 0.3})), millis(300));
        let date = Some("Fri, 15 Jan 2027 08:00:30 GMT");
        assert_eq!(wait(date, Value::Null), millis(30_000));
        for odd in [
            "soon",
            "-1",
            "inf",
            "1e300",
            "Fri, 15 Jan 2027 07:00:00 GMT",
        ] {
            assert_eq!(wait(Some(odd), Value::Null), None, "{odd}");
        }
    }

    #[test]
    fn the_receivers_words_are_one_short_line_without_the_url() {
        let said = format!("No\n{URL}\u{1b}[31m {}", "x".repeat(500));
        let error = judge(404, None, &json!({"message": said})).to_string();
        assert!(error.starts_with("the receiver answered 404: No https://"));
        assert!(
            error.chars().count() < 250 && !error.contains('\n'),
            "{error}"
        );
        assert!(
            !error.contains("s3cret") && !error.contains("1234567"),
            "{error}"
        );
        let plain = judge(404, None, &Value::Null).to_string();
        assert_eq!(plain, "the receiver answered 404: Not Found");
    }

    #[test]
    fn the_receiver_is_asked_to_confirm() {
        let path = |url: &str| {
            confirming(url)
                .unwrap()
                .path_and_query()
                .unwrap()
                .to_string()
        };
        assert_eq!(path("http://127.0.0.1:9/x"), "/x?wait=true");
        assert_eq!(
            path("http://127.0.0.1:9/x?thread_id=1"),
            "/x?thread_id=1&wait=true"
        );
        assert_eq!(confirming("http://127.0.0.1:9/<x y>"), None);
    }
}
