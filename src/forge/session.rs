//! Requests to one forge with one token: paid from its budget, judged, and read as JSON.

use super::{
    budget,
    error::{ForgeError, clean},
    http::{Ask, Http, Response},
    remote::Remote,
    shared::Shared,
    token::Token,
};
use awc::http::{Method, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// What a GraphQL query gave.
pub(super) struct GraphQl {
    /// The data, or null.
    pub data: Value,
    /// The error that goes with it, if any.
    pub error: Option<ForgeError>,
}

impl GraphQl {
    /// Tells the log of an error beside data.
    pub(super) fn log_error(&self) {
        if let Some(error) = &self.error {
            log::debug!(error:% = error; "A forge omitted part of its answer.");
        }
    }
}

/// One repository of a forge, one token.
pub(super) struct Session<'a> {
    pub shared: &'a Shared,
    pub remote: &'a Remote,
    /// The host of the remote, for messages and budgets.
    pub host: &'a str,
    /// Base URL of the REST API, without `/` at its end.
    pub api: &'a str,
    /// What the URL of GraphQL, which lies beside REST, does not have of it at its end.
    pub version: &'static str,
    /// The budget that requests by GraphQL are paid from, and the one of all others.
    pub budgets: [&'static str; 2],
    pub token: Token,
    pub http: Http,
}

impl Session<'_> {
    /// Reads something; an answer that did not change is not paid for again.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, ForgeError> {
        self.shared.budgets.admit(self.host, self.shared.now())?;
        let url = self.http.url(&format!("{}{path}", self.api), query)?;
        let kept = self.shared.kept.get(&url);
        let ask = Ask {
            method: Method::GET,
            url: url.clone(),
            body: None,
            etag: kept.as_ref().map(|(etag, _)| etag.as_str()),
        };
        let answer = self.http.exchange(ask).await?;
        self.observe(&answer, self.budgets[1]);
        if let (StatusCode::NOT_MODIFIED, Some((_, body))) = (answer.status, &kept) {
            return self.read(body);
        }
        self.judge(&answer)?;
        if let Some(etag) = answer
            .headers
            .get(header::ETAG)
            .and_then(|tag| tag.to_str().ok())
        {
            self.shared.kept.put(url, etag, &answer.body);
        }
        self.read(&answer.body)
    }

    /// Changes something.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<T, ForgeError> {
        self.shared.budgets.admit(self.host, self.shared.now())?;
        let ask = Ask {
            method,
            url: format!("{}{path}", self.api),
            body: Some(body),
            etag: None,
        };
        let answer = self.http.exchange(ask).await?;
        self.observe(&answer, self.budgets[1]);
        self.judge(&answer)?;
        self.read(&answer.body)
    }

    /// Asks unbidden: stops before much of the budget is used.
    pub(super) async fn graphql(
        &self,
        query: &str,
        variables: Value,
    ) -> Result<GraphQl, ForgeError> {
        let (budgets, now) = (&self.shared.budgets, self.shared.now());
        budgets.admit_unbidden(self.host, self.budgets[0], now)?;
        let body = json!({"query": query, "variables": variables});
        let ask = Ask {
            method: Method::POST,
            url: graphql_url(self.version, self.api),
            body: Some(&body),
            etag: None,
        };
        let answer = self.http.exchange(ask).await?;
        self.observe(&answer, self.budgets[0]);
        self.judge(&answer)?;
        let mut whole: Value = self.read(&answer.body)?;
        let data = whole.get_mut("data").map(Value::take).unwrap_or_default();
        let Some(errors) = whole.get("errors").and_then(Value::as_array) else {
            return Ok(GraphQl { data, error: None });
        };
        let texts = errors.iter().filter_map(|error| error["message"].as_str());
        let message = self.clean(&texts.collect::<Vec<_>>().join("; "));
        let is_type = |name: &str| errors.iter().any(|error| error["type"] == name);
        if is_type("RATE_LIMITED") || message.to_ascii_lowercase().contains("rate limit") {
            return Err(self.limited(&answer, message));
        }
        let status = if is_type("NOT_FOUND") { 404 } else { 422 };
        let error = Some(self.refused(status, message));
        Ok(GraphQl { data, error })
    }

    /// An error of the forge's own.
    pub(super) fn refused(&self, status: u16, message: String) -> ForgeError {
        ForgeError::Refused {
            host: self.host.to_owned(),
            status,
            message,
        }
    }

    /// Takes a value apart, as the API says it is.
    pub(super) fn shape<T: DeserializeOwned>(&self, value: Value) -> Result<T, ForgeError> {
        serde_json::from_value(value).map_err(|error| self.unusable(&error))
    }

    fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, ForgeError> {
        serde_json::from_slice(body).map_err(|error| self.unusable(&error))
    }

    fn unusable(&self, error: &serde_json::Error) -> ForgeError {
        ForgeError::Unusable {
            host: self.host.to_owned(),
            what: self.clean(&error.to_string()),
        }
    }

    fn clean(&self, text: &str) -> String {
        clean(text, self.token.expose())
    }

    fn observe(&self, answer: &Response, resource: &str) {
        let (budgets, now) = (&self.shared.budgets, self.shared.now());
        budgets.observe(self.host, resource, &answer.headers, now);
    }

    fn limited(&self, answer: &Response, message: String) -> ForgeError {
        let (budgets, now) = (&self.shared.budgets, self.shared.now());
        let until = budgets.pause(self.host, &answer.headers, now);
        log::info!(host = self.host, until:% = until; "A forge asks to wait.");
        ForgeError::RateLimited {
            host: self.host.to_owned(),
            until,
            message,
        }
    }

    fn judge(&self, answer: &Response) -> Result<(), ForgeError> {
        let status = answer.status;
        if status.is_success() {
            return Ok(());
        }
        let reason = status.canonical_reason().unwrap_or("an error");
        let message = said(&answer.body).unwrap_or_else(|| format!("{reason}, without a message"));
        let message = self.clean(&message);
        let waits = answer.headers.contains_key(header::RETRY_AFTER);
        let forbidden = status == StatusCode::FORBIDDEN;
        if status == StatusCode::TOO_MANY_REQUESTS
            || (waits && status.is_server_error())
            || (forbidden && budget::is_limit(&answer.headers, &message))
        {
            return Err(self.limited(answer, message));
        }
        if status == StatusCode::UNAUTHORIZED {
            self.shared.forget_token(self.host);
        }
        Err(self.refused(status.as_u16(), message))
    }
}

/// Both forges serve GraphQL beside REST: `/api/v3` and `/api/v4` have `/api/graphql`.
fn graphql_url(version: &str, api: &str) -> String {
    let base = api.strip_suffix(version).unwrap_or(api);
    format!("{base}/graphql")
}

/// A forge's own words: GitHub's `message` and `errors`, GitLab's `message` (a text, a list, or
/// lists by field) or `error`.
fn said(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let mut parts = Vec::new();
    for key in ["message", "error", "error_description", "errors"] {
        collect(&body[key], None, &mut parts);
    }
    let text = parts.join("; ");
    (!text.is_empty()).then_some(text)
}

fn collect(value: &Value, field: Option<&str>, parts: &mut Vec<String>) {
    match value {
        Value::String(text) => parts.push(match field.filter(|field| *field != "base") {
            Some(field) => format!("{field}: {text}"),
            None => text.clone(),
        }),
        Value::Array(items) => items.iter().for_each(|item| collect(item, field, parts)),
        Value::Object(fields) => match (fields.get("message"), fields.get("code")) {
            (Some(message), _) => collect(message, field, parts),
            (None, Some(code)) => {
                let of = fields.get("field").and_then(Value::as_str);
                collect(code, of, parts);
            }
            (None, None) => {
                for (name, value) in fields {
                    collect(value, Some(name), parts);
                }
            }
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forges_own_words_are_found_in_every_form_it_has() {
        for (body, words) in [
            (
                r#"{"message":"Not Found","documentation_url":"https://x"}"#,
                Some("Not Found"),
            ),
            (
                r#"{"message":"Validation Failed","errors":[{"message":"No commits between a and b"}]}"#,
                Some("Validation Failed; No commits between a and b"),
            ),
            (
                r#"{"message":"Validation Failed","errors":[{"resource":"P","field":"base","code":"invalid"},
                   {"field":"head","code":"missing"}, "plain"]}"#,
                Some("Validation Failed; invalid; head: missing; plain"),
            ),
            (
                r#"{"message":["Another open one exists: !5"]}"#,
                Some("Another open one exists: !5"),
            ),
            (
                r#"{"message":{"base":["no"],"title":["is long"]}}"#,
                Some("no; title: is long"),
            ),
            (
                r#"{"error":"invalid_token","error_description":"Expired"}"#,
                Some("invalid_token; Expired"),
            ),
            ("{}", None),
            ("<html>502</html>", None),
            ("", None),
        ] {
            assert_eq!(said(body.as_bytes()).as_deref(), words, "{body}");
        }
    }

    #[test]
    fn graphql_lies_beside_rest() {
        for (version, api, url) in [
            (
                "/v3",
                "https://api.github.com",
                "https://api.github.com/graphql",
            ),
            (
                "/v3",
                "https://ghe.corp/api/v3",
                "https://ghe.corp/api/graphql",
            ),
            (
                "/v4",
                "https://gitlab.com/api/v4",
                "https://gitlab.com/api/graphql",
            ),
        ] {
            assert_eq!(graphql_url(version, api), url);
        }
    }
}
