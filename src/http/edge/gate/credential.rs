//! Which credential a request carries, and whether it is right (rule 4, with a token).

use actix_web::dev::ServiceRequest;
use actix_web::http::header;

use crate::http::edge::token::Secret;

/// The `token` parameter of `GET /`.
pub(super) enum QueryToken {
    Absent,
    /// Given once, percent-decoded.
    Given(String),
    /// Given more than once, or undecodable.
    Unclear,
}

/// Reads `?token=`.
pub(super) fn query_token(request: &ServiceRequest) -> QueryToken {
    let query = request.query_string();
    match actix_web::web::Query::<Vec<(String, String)>>::from_query(query) {
        Err(_) if query.contains("token=") => QueryToken::Unclear,
        Err(_) => QueryToken::Absent,
        Ok(pairs) => {
            let pairs = pairs.into_inner().into_iter();
            let mut tokens = pairs.filter(|(name, _)| name == "token");
            match (tokens.next(), tokens.next()) {
                (None, _) => QueryToken::Absent,
                (Some((_, token)), None) => QueryToken::Given(token),
                (Some(_), Some(_)) => QueryToken::Unclear,
            }
        }
    }
}

/// What became of the credential.
pub(super) enum Credential {
    Right,
    Wrong,
    Missing,
}

/// Judges the first credential that is there: query (only where it may be), header, cookie.
pub(super) fn credential(
    request: &ServiceRequest,
    query: QueryToken,
    cookie_name: &str,
    token: &Secret,
    cookie: &Secret,
) -> Credential {
    let judge = |right: bool| match right {
        true => Credential::Right,
        false => Credential::Wrong,
    };
    match query {
        QueryToken::Given(sent) => return judge(token.matches(sent.as_bytes())),
        QueryToken::Unclear => return Credential::Wrong,
        QueryToken::Absent => {}
    }
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    if let Some(value) = headers.next() {
        let sent = bearer(value.as_bytes());
        let right = headers.next().is_none() && sent.is_some_and(|sent| token.matches(sent));
        return judge(right);
    }
    let Ok(cookies) = request.cookies() else {
        return Credential::Missing;
    };
    let sent = cookies.iter().filter(|sent| sent.name() == cookie_name);
    let mut sent = sent.peekable();
    if sent.peek().is_none() {
        return Credential::Missing;
    }
    judge(sent.any(|sent| cookie.matches(sent.value().as_bytes())))
}

/// The token of `Bearer <token>`; the scheme in any case.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
}
