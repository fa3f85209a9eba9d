//! Answers that actix-http makes by itself, before any middleware: a status and nothing else.

use actix_web::http::StatusCode;
use bytes::Bytes;

use crate::http::error::ApiError;
use crate::http::gate::ANSWER_HEADERS;

/// Headers that such an answer has at most, in lower case.
const KNOWN: [&str; 3] = ["content-length: 0", "connection: close", "date: "];
/// Such an answer is shorter.
const LEN_MAX: usize = 256;

/// Finds an answer of actix-http's own at the end of `bytes`, which is where its last words are.
pub(super) fn find(bytes: &[u8]) -> Option<usize> {
    let last = bytes.len().saturating_sub(LEN_MAX);
    let tail = &bytes[last..];
    if !tail.ends_with(b"\r\n\r\n") {
        return None;
    }
    let at = tail.windows(9).rposition(|word| word == b"HTTP/1.1 ")?;
    status(&tail[at..])?;
    Some(last + at)
}

/// The status of an answer that is nothing but one.
fn status(answer: &[u8]) -> Option<StatusCode> {
    let head = std::str::from_utf8(answer).ok()?.strip_suffix("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let code = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    let code = code
        .parse()
        .ok()
        .and_then(|n| StatusCode::from_u16(n).ok())?;
    let mut is_empty = false;
    for line in lines {
        let line = line.to_ascii_lowercase();
        if !KNOWN.iter().any(|known| line.starts_with(known)) {
            return None;
        }
        is_empty |= line == KNOWN[0];
    }
    (is_empty && (code.is_client_error() || code.is_server_error())).then_some(code)
}

/// The same answer as all others of ours: with a sentence, a code, and the headers of rule 7.
pub(super) fn dress(answer: &[u8]) -> Bytes {
    let status = status(answer).unwrap_or(StatusCode::BAD_REQUEST);
    let text = match status {
        StatusCode::REQUEST_TIMEOUT => "The request did not arrive in time.",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "The head of the request is too large.",
        StatusCode::BAD_REQUEST => "The request is not well-formed.",
        _ => "The request was refused.",
    };
    let error = ApiError::malformed(text);
    let mut head = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nconnection: close\r\nx-error-code: {}\r\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
        error.message().len(),
        error.code(),
    );
    for (name, value) in ANSWER_HEADERS {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    Bytes::from(format!("{head}\r\n{}", error.message()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: &str = "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n\
                        connection: close\r\ndate: Wed, 25 Nov 2026 19:13:48 GMT\r\n\r\n";

    #[test]
    fn only_a_bare_answer_at_the_end_is_found() {
        assert_eq!(find(BARE.as_bytes()), Some(0));
        assert_eq!(find(format!("xyz{BARE}").as_bytes()), Some(3));
        let long = format!("{}{BARE}", "x".repeat(1000));
        assert_eq!(find(long.as_bytes()), Some(1000));
        for other in [
            "",
            "HTTP/1.1 ",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nx-frame-options: DENY\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 4\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\nmore",
        ] {
            assert_eq!(find(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_dressed_answer_has_text_and_headers() {
        let dressed = dress(BARE.as_bytes());
        let text = std::str::from_utf8(&dressed).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
        for (name, value) in ANSWER_HEADERS {
            assert!(head.contains(&format!("{name}: {value}")), "{head}");
        }
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())));
        assert_eq!(find(&dressed), None);
    }
}
