//! Requests to one forge with one token: within its budget, checked for errors, and read as JSON.

use super::{
    budget,
    error::ForgeError,
    http::{Ask, Http, Response},
    remote::Remote,
    shared::Shared,
};
use awc::http::{Method, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// One repository of a forge, one token.
pub(super) struct Session<'a> {
    pub shared: &'a Shared,
    pub remote: &'a Remote,
    /// The host of the remote, for messages and budgets.
    pub host: &'a str,
    /// Base URL of the REST API, without `/` at its end.
    pub api: &'a str,
    /// The end of that URL, which the URL of GraphQL does not have.
    pub version: &'static str,
    /// The budgets of GraphQL and of all other requests.
    pub budgets: [&'static str; 2],
    /// Path of the repository below the base URL.
    pub repository: String,
    pub http: Http,
}

impl Session<'_> {
    /// Reads something; an answer that did not change does not count against the budget.
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
        let answer = self.exchange(ask, self.budgets[1]).await?;
        if let (StatusCode::NOT_MODIFIED, Some((_, body))) = (answer.status, &kept) {
            return self.read(body);
        }
        let etag = answer.headers.get(header::ETAG);
        if let Some(etag) = etag.and_then(|tag| tag.to_str().ok()) {
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
        let answer = self.exchange(ask, self.budgets[1]).await?;
        self.read(&answer.body)
    }

    /// Asks unbidden for what stands at a JSON pointer of the answer: stops before much of the budget is
    /// used. Errors that go with it, of a part that the token may not see, go to the log.
    ///
    /// # Errors
    /// Those of the answer, or 404 with the message `gone`, when there is nothing.
    pub(super) async fn graphql(
        &self,
        query: &str,
        variables: Value,
        pointer: &str,
        gone: &str,
    ) -> Result<Value, ForgeError> {
        let (budgets, now) = (&self.shared.budgets, self.shared.now());
        budgets.admit_background(self.host, self.budgets[0], now)?;
        let body = json!({"query": query, "variables": variables});
        let ask = Ask {
            method: Method::POST,
            url: graphql_url(self.version, self.api),
            body: Some(&body),
            etag: None,
        };
        let answer = self.exchange(ask, self.budgets[0]).await?;
        let mut whole: Value = self.read(&answer.body)?;
        let found = whole.pointer_mut(pointer).map(Value::take);
        let found = found.filter(|found| !found.is_null());
        let Some(errors) = whole.get("errors").and_then(Value::as_array) else {
            return found.ok_or_else(|| self.refused(404, gone.to_owned()));
        };
        let texts = errors.iter().filter_map(|error| error["message"].as_str());
        let message = self.http.clean(&texts.collect::<Vec<_>>().join("; "));
        let is_type = |name: &str| errors.iter().any(|error| error["type"] == name);
        if is_type("RATE_LIMITED") || message.to_ascii_lowercase().contains("rate limit") {
            return Err(self.limited(&answer, message));
        }
        let status = if is_type("NOT_FOUND") { 404 } else { 422 };
        let error = self.refused(status, message);
        let Some(found) = found else {
            return Err(error);
        };
        log::debug!(error:% = error; "A forge omitted part of its answer.");
        Ok(found)
    }

    /// One request against a budget. An unsuccessful answer is an error, unless it says that the answer
    /// that we have is unchanged.
    async fn exchange(&self, ask: Ask<'_>, budget: &str) -> Result<Response, ForgeError> {
        let conditional = ask.etag.is_some();
        let answer = self.http.exchange(ask).await?;
        let (budgets, now) = (&self.shared.budgets, self.shared.now());
        budgets.observe(self.host, budget, &answer.headers, now);
        if !(conditional && answer.status == StatusCode::NOT_MODIFIED) {
            self.judge(&answer)?;
        }
        Ok(answer)
    }

    /// An error of the forge's own.
    pub(super) fn refused(&self, status: u16, message: String) -> ForgeError {
        ForgeError::Refused {
            host: self.host.to_owned(),
            status,
            message,
        }
    }

    /// Reads a part of an answer.
    pub(super) fn shape<T: DeserializeOwned>(&self, value: Value) -> Result<T, ForgeError> {
        serde_json::from_value(value).map_err(|error| self.http.unusable(&error.to_string()))
    }

    fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, ForgeError> {
        serde_json::from_slice(body).map_err(|error| self.http.unusable(&error.to_string()))
    }

    fn limited(&self, answer: &Response, message: String) -> ForgeError {
        let (budgets, now) = (&self.shared.budgets, self.shared.now());
        let until = budgets.pause(self.host, &answer.headers, now);
        log::info!(host = self.host, until:% = until; "A forge asks to wait.");
        ForgeError::rate_limited(self.host, until, message)
    }

    fn judge(&self, answer: &Response) -> Result<(), ForgeError> {
        let status = answer.status;
        if status.is_success() {
            return Ok(());
        }
        let reason = status.canonical_reason().unwrap_or("an error");
        let message =
            message_in(&answer.body).unwrap_or_else(|| format!("{reason}, without a message"));
        let message = self.http.clean(&message);
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

/// A forge's own message: GitHub's `message` and `errors`, GitLab's `message` (a text, a list, or
/// lists by field) or `error`.
fn message_in(body: &[u8]) -> Option<String> {
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
            assert_eq!(message_in(body.as_bytes()).as_deref(), words, "{body}");
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
