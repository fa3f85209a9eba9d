//! One HTTP exchange with a forge, bounded in time and size.

use super::{
    error::{ForgeError, clean},
    token::Token,
};
use awc::{
    Client, Connector,
    error::{ConnectError, PayloadError, SendRequestError},
    http::{
        Method, StatusCode, Uri,
        header::{self, HeaderMap, HeaderValue},
    },
};
use bytes::Bytes;
use std::{io, sync::Arc, time::Duration};

/// Longest answer, bytes.
pub const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most redirects followed, all within the host.
const REDIRECTS_MAX: usize = 3;
const AGENT: &str = concat!("abbado/", env!("CARGO_PKG_VERSION"));

/// A request.
pub(super) struct Ask<'a> {
    pub method: Method,
    pub url: String,
    pub body: Option<&'a serde_json::Value>,
    /// The ETag of the answer that we have.
    pub etag: Option<&'a str>,
}

/// An answer of any status.
pub(super) struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A connection to one host with one token.
pub(super) struct Http {
    client: Client,
    host: String,
    token: Token,
    limit: Duration,
}

impl Http {
    /// `tls` is needed for `https://` alone.
    pub(super) fn new(
        host: &str,
        token: Token,
        limit: Duration,
        tls: Option<Arc<rustls::ClientConfig>>,
    ) -> Self {
        let mut connector = Connector::new().timeout(limit).handshake_timeout(limit);
        if let Some(tls) = tls {
            connector = connector.rustls_0_23(tls);
        }
        // No `max_http_version`: it would drop `tls`, whose protocols say HTTP/1.1 anyway.
        let client = Client::builder()
            .connector(connector)
            .disable_timeout()
            .disable_redirects()
            .finish();
        Self {
            client,
            host: host.to_owned(),
            token,
            limit,
        }
    }

    /// The URL with its query, letters escaped.
    pub(super) fn url(&self, base: &str, query: &[(&str, &str)]) -> Result<String, ForgeError> {
        let request = self.client.get(base).query(&query);
        let request = request.map_err(|error| self.unusable(&error.to_string()))?;
        Ok(request.get_uri().to_string())
    }

    /// Sends a request, and reads the whole answer. Redirects are followed within the host.
    ///
    /// # Errors
    /// No connection, no answer in time, too long an answer, a redirect to another host.
    pub(super) async fn exchange(&self, mut ask: Ask<'_>) -> Result<Response, ForgeError> {
        let exchange = async {
            for _ in 0..=REDIRECTS_MAX {
                let answer = self.once(&ask).await?;
                match self.redirect(&ask, &answer)? {
                    Some(url) => ask.url = url,
                    None => return Ok(answer),
                }
            }
            Err(self.unusable("it redirects endlessly"))
        };
        let answer = tokio::time::timeout(self.limit, exchange).await;
        answer.unwrap_or_else(|_| Err(self.timed_out()))
    }

    async fn once(&self, ask: &Ask<'_>) -> Result<Response, ForgeError> {
        let bearer = format!("Bearer {}", self.token.expose());
        let mut bearer = HeaderValue::from_str(&bearer).map_err(|_| {
            self.unusable("its token contains characters that a header cannot have")
        })?;
        bearer.set_sensitive(true);
        let mut request = self
            .client
            .request(ask.method.clone(), ask.url.as_str())
            // A kept connection may be dead when it is used again; there are few requests.
            .force_close()
            .insert_header((header::USER_AGENT, AGENT))
            .insert_header((header::ACCEPT, "application/json"))
            .insert_header((header::AUTHORIZATION, bearer));
        if let Some(etag) = ask.etag {
            request = request.insert_header((header::IF_NONE_MATCH, etag));
        }
        let sent = match ask.body {
            Some(body) => request.send_json(body),
            None => request.send(),
        };
        let mut response = sent
            .await
            .map_err(|error| self.not_sent(&error))?
            .timeout(self.limit);
        let body = response.body().limit(ANSWER_BYTES_MAX).await;
        Ok(Response {
            status: response.status(),
            headers: response.headers().clone(),
            body: body.map_err(|error| self.not_read(&error))?,
        })
    }

    /// Where an answer redirects to: only ever another page of the same host and port.
    fn redirect(&self, ask: &Ask<'_>, answer: &Response) -> Result<Option<String>, ForgeError> {
        let repeatable = matches!(answer.status.as_u16(), 307 | 308)
            || (matches!(answer.status.as_u16(), 301 | 302) && ask.method == Method::GET);
        let target = answer.headers.get(header::LOCATION).filter(|_| repeatable);
        let Some(target) = target.and_then(|to| to.to_str().ok()) else {
            return Ok(None);
        };
        let bad = |_| self.unusable("a bad redirect");
        let parse = |url: &str| url.parse::<Uri>().map_err(bad);
        let (from, to) = (parse(&ask.url)?, parse(target)?);
        let (Some(scheme), Some(authority)) = (from.scheme_str(), from.authority()) else {
            return Ok(None);
        };
        let same = to.scheme_str().is_none_or(|other| other == scheme)
            && to.authority().is_none_or(|other| other == authority);
        let path = to.path_and_query().map_or("/", |path| path.as_str());
        if !same || !path.starts_with('/') {
            return Err(self.unusable("it redirects to another host, which is not followed"));
        }
        Ok(Some(format!("{scheme}://{authority}{path}")))
    }

    fn not_sent(&self, error: &SendRequestError) -> ForgeError {
        let late = matches!(
            error,
            SendRequestError::Timeout | SendRequestError::Connect(ConnectError::Timeout)
        );
        if late {
            return self.timed_out();
        }
        self.unreachable(error)
    }

    fn not_read(&self, error: &PayloadError) -> ForgeError {
        if matches!(error, PayloadError::Overflow) {
            return self.unusable(&format!("it is longer than {ANSWER_BYTES_MAX} bytes"));
        }
        if let PayloadError::Io(error) = error
            && error.kind() == io::ErrorKind::TimedOut
        {
            return self.timed_out();
        }
        self.unreachable(error)
    }

    fn unreachable(&self, error: &impl ToString) -> ForgeError {
        ForgeError::Unreachable {
            host: self.host.clone(),
            reason: self.clean(&error.to_string()),
        }
    }

    fn timed_out(&self) -> ForgeError {
        ForgeError::TimedOut {
            host: self.host.clone(),
            limit: self.limit,
        }
    }

    pub(super) fn unusable(&self, what: &str) -> ForgeError {
        ForgeError::Unusable {
            host: self.host.clone(),
            what: self.clean(what),
        }
    }

    /// What a forge or a library said, as a message may show it: on one line, without the token.
    pub(super) fn clean(&self, text: &str) -> String {
        clean(text, self.token.expose())
    }
}
