//! The place from which an event stream goes on.

use abbado::http::fuzzing::{HeaderValue, resume_from};

/// The header up to the first line end, when it is not empty; the query after it, when there is
/// one. The header wins; only numbers of events are taken; a number that was given is taken.
pub fn last_event_id(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let header = parts.next().filter(|header| !header.is_empty());
    let query = parts.next().map(String::from_utf8_lossy);
    let Ok(header) = header.map(HeaderValue::from_bytes).transpose() else {
        return;
    };
    let told = match &header {
        Some(header) => Some(
            header
                .to_str()
                .map_or_else(|_| "?".to_owned(), str::to_owned),
        ),
        None => query.as_deref().map(str::to_owned),
    };
    match resume_from(header.as_ref(), query.as_deref()) {
        Ok(id) => {
            assert!(id >= 0, "{id}");
            assert_eq!(number(told.as_deref().unwrap_or_default()), Some(id));
            let again = id.to_string();
            assert_eq!(resume_from(None, Some(&again)).ok(), Some(id));
            let header = HeaderValue::from_str(&again).expect("digits");
            assert_eq!(resume_from(Some(&header), Some("none")).ok(), Some(id));
        }
        Err(error) => {
            assert_eq!(number(told.as_deref().unwrap_or_default()), None);
            assert_eq!(error.code(), "invalid");
            assert!(error.message().starts_with("`last_event_id` "), "{error}");
        }
    }
}

/// A number of at most 63 bits, with or without a sign; nothing told is 0.
fn number(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes() {
        [] => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().try_fold(0_i64, |value, digit| {
        value.checked_mul(10)?.checked_add(i64::from(digit - b'0'))
    })?;
    (value == 0 || !negative).then_some(value)
}
