//! One HTTP request of a channel, bounded in time and size.

use super::error::DeliveryError;
use crate::{domain::Time, fault, tls};
use awc::{
    Connector,
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
pub(super) const REQUEST_LIMIT: Duration = Duration::from_secs(20);
/// Longest answer that is read; a longer one is as good as an empty one.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Most characters of the receiver's own words that are passed on.
const WORDS_CHARS_MAX: usize = 200;
/// Segments of the URL's path that are shorter are words like `api`, not secrets.
const SECRET_CHARS_MIN: usize = 8;
const AGENT: &str = concat!("abbado/", env!("CARGO_PKG_VERSION"));

/// Sends the requests of all channels.
#[derive(Default)]
pub struct Client {
    tls: tokio::sync::OnceCell<Arc<rustls::ClientConfig>>,
}

/// What a receiver answered.
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Null when it is no JSON.
    pub body: Value,
}

impl Client {
    /// Posts a JSON document. Stays on the thread it was called on.
    ///
    /// # Errors
    /// `Unreachable`, `TimedOut` and `Unusable`.
    pub(super) async fn post(&self, uri: &Uri, document: &Value) -> Result<Answer, DeliveryError> {
        let limit = fault::wait("notify.request", REQUEST_LIMIT);
        let exchange = tokio::time::timeout(limit, self.exchange(uri, document, limit)).await;
        exchange.unwrap_or(Err(DeliveryError::TimedOut(limit)))
    }

    async fn exchange(
        &self,
        uri: &Uri,
        document: &Value,
        limit: Duration,
    ) -> Result<Answer, DeliveryError> {
        let mut connector = Connector::new().timeout(limit).handshake_timeout(limit);
        if uri.scheme_str() == Some("https") {
            connector = connector.rustls_0_23(self.tls().await?);
        }
        let client = awc::Client::builder()
            .connector(connector)
            .disable_timeout()
            .disable_redirects()
            .finish();
        let sent = client
            .post(uri)
            // A kept connection may be dead when it is used again; there are few requests.
            .force_close()
            .insert_header((header::USER_AGENT, AGENT))
            .send_json(document);
        let mut answer = sent.await.map_err(|error| not_sent(&error, uri, limit))?;
        let body = if answer.status().is_success() {
            Value::Null
        } else {
            let body = answer.body().limit(ANSWER_BYTES_MAX).await;
            serde_json::from_slice(&body.unwrap_or_default()).unwrap_or(Value::Null)
        };
        Ok(Answer {
            status: answer.status(),
            headers: answer.headers().clone(),
            body,
        })
    }

    async fn tls(&self) -> Result<Arc<rustls::ClientConfig>, DeliveryError> {
        let made = self.tls.get_or_try_init(|| async {
            let made = tokio::task::spawn_blocking(tls::client).await;
            made.unwrap_or_else(|_| Err("reading root certificates failed".to_owned()))
        });
        made.await.cloned().map_err(DeliveryError::Unreachable)
    }
}

fn not_sent(error: &SendRequestError, uri: &Uri, limit: Duration) -> DeliveryError {
    let late = matches!(
        error,
        SendRequestError::Timeout | SendRequestError::Connect(ConnectError::Timeout)
    );
    if late {
        return DeliveryError::TimedOut(limit);
    }
    if let SendRequestError::Url(_) = error {
        return DeliveryError::Unusable;
    }
    DeliveryError::Unreachable(clean(&error.to_string(), uri))
}

impl Answer {
    /// What an answer means: 2xx that the message was taken, 429 and 5xx that it may be later.
    /// `words` and `wait` are what its body says of the reason and of the time to wait.
    ///
    /// # Errors
    /// `Refused` and `Busy`.
    pub(super) fn judge(
        &self,
        words: Option<&str>,
        wait: Option<Duration>,
        uri: &Uri,
        now: Time,
    ) -> Result<(), DeliveryError> {
        if self.status.is_success() {
            return Ok(());
        }
        let words = words.map(|words| clean(words, uri));
        let words = words.filter(|words| !words.is_empty()).unwrap_or_else(|| {
            let reason = self.status.canonical_reason();
            reason.unwrap_or("no reason given").to_owned()
        });
        let again = self.status == StatusCode::TOO_MANY_REQUESTS || self.status.is_server_error();
        let status = self.status.as_u16();
        if !again {
            return Err(DeliveryError::Refused { status, words });
        }
        // A body may be exact where the header is rounded; the longer one is on the safe side.
        let wait = wait.max(retry_after(&self.headers, now));
        Err(DeliveryError::Busy {
            status,
            words,
            wait,
        })
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

/// A time that a receiver names, if it is valid.
pub(super) fn seconds(count: f64) -> Option<Duration> {
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
