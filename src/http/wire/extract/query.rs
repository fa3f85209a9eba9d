//! Queries: read as typed values, with errors that name the parameter.

use crate::http::wire::error::ApiError;
use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use serde::de::DeserializeOwned;
use std::future::{Ready, ready};

/// The query as a typed value; unknown parameters are ignored.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parse_query(request.query_string()).map(Self))
    }
}

/// Parameters looked at when one is wrong; more than any call of the API has.
const PARAMETERS_MAX: usize = 64;

/// Parses a query.
///
/// # Errors
/// 400 that names the parameter: the one without which the query reads, or reads no worse than
/// lacking it. (The form decoder's own message names none.)
pub(super) fn parse_query<T: DeserializeOwned>(query: &str) -> Result<T, ApiError> {
    let read = |text: &str| web::Query::<T>::from_query(text).map(web::Query::into_inner);
    let error = match read(query) {
        Ok(value) => return Ok(value),
        Err(error) => query_detail(&error),
    };
    let pairs: Vec<&str> = query.split('&').collect();
    for (at, pair) in pairs.iter().enumerate().take(PARAMETERS_MAX) {
        let mut rest = pairs.clone();
        rest.remove(at);
        let name = pair.split('=').next().unwrap_or_default();
        let blames_it = match read(&rest.join("&")) {
            Ok(_) => true,
            Err(other) => query_detail(&other) == format!("missing field `{name}`"),
        };
        if blames_it {
            let name: String = name.chars().take(100).collect();
            let why = format!("is invalid in the query: {error}");
            return Err(ApiError::invalid(&name, why));
        }
    }
    Err(ApiError::malformed(format!("Invalid query: {error}")).with_code("invalid"))
}

fn query_detail(error: &actix_web::error::QueryPayloadError) -> String {
    let text = error.to_string();
    let detail = text.strip_prefix("Query deserialize error: ");
    detail.unwrap_or(&text).chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    struct Page {
        run_id: String,
        limit: Option<u32>,
        cols: Option<u16>,
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        let page: Page = parse_query("run_id=a%20b&limit=3&other=1").unwrap();
        assert_eq!(
            (page.run_id.as_str(), page.limit, page.cols),
            ("a b", Some(3), None)
        );
        let wrong = |query| parse_query::<Page>(query).unwrap_err().message().to_owned();
        assert!(wrong("run_id=x&limit=many").starts_with("`limit` is invalid"));
        assert!(wrong("cols=-1&run_id=x").starts_with("`cols` is invalid"));
        assert!(wrong("limit=1").contains("missing field `run_id`"));
        assert!(wrong("run_id=x&run_id=y").starts_with("`run_id` is invalid"));
    }
}
