//! Reading hook payloads, also those that are not quite JSON.
//!
//! CLIs, their plugins and shells write what they write: a byte order mark, text in another
//! encoding, control characters as they are, `NaN`, numbers beyond all floats. What a person would
//! read in it is read; what stays unreadable is kept as it came. No hook of our hook program is lost.

use super::hooks::NAME_KEYS;
use serde_json::{Map, Number, Value};

/// The name under which an unreadable payload is recorded.
pub(crate) const UNREADABLE: &str = "unreadable";

/// The object in a payload: as it stands, or repaired.
///
/// # Errors
/// Why the payload cannot be read.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    if let Ok(object) = serde_json::from_slice(bytes) {
        return Ok(object);
    }
    serde_json::from_str(&repaired(bytes)).map_err(|error| error.to_string())
}

/// A hook that holds an unreadable payload and the reason.
#[must_use]
pub(crate) fn kept_raw(bytes: &[u8], error: &str) -> Map<String, Value> {
    named(decoded(bytes).into(), error)
}

/// Whether a payload says which hook it is of.
#[must_use]
pub(crate) fn has_name(payload: &Value) -> bool {
    let named = NAME_KEYS.iter().find_map(|key| payload.get(*key));
    named
        .and_then(Value::as_str)
        .is_some_and(|name| !name.is_empty())
}

/// A payload without a name, as a hook.
#[must_use]
pub(crate) fn named(payload: Value, error: &str) -> Map<String, Value> {
    let mut hook = Map::new();
    hook.insert(NAME_KEYS[0].into(), UNREADABLE.into());
    hook.insert("error".into(), error.into());
    hook.insert("raw".into(), payload);
    hook
}

/// The text of a payload: without its mark, and with each byte that is no UTF-8 read as Latin-1.
fn decoded(bytes: &[u8]) -> String {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| unit(*pair))
            .collect();
        String::from_utf16_lossy(&units)
    };
    let bytes = match bytes {
        [0xff, 0xfe, rest @ ..] => return wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => return wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => rest,
        bytes => bytes,
    };
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| char::from(*byte)));
    }
    text
}

/// JSON as near to the payload as can be: control characters in strings are escaped, lone
/// surrogates replaced, backslashes that escape nothing doubled, and words that are no values of
/// JSON put into quotes.
fn repaired(bytes: &[u8]) -> String {
    let text = decoded(bytes);
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text.as_str();
    while let Some(letter) = rest.chars().next() {
        match letter {
            '"' => rest = string(&rest[1..], &mut out),
            '{' | '}' | '[' | ']' | ',' | ':' | ' ' | '\t' | '\r' | '\n' => {
                out.push(letter);
                rest = &rest[1..];
            }
            '\0'..='\x1f' | '\u{feff}' => rest = &rest[letter.len_utf8()..],
            _ => {
                let ends = |letter: char| {
                    letter <= ' ' || matches!(letter, '"' | '{' | '}' | '[' | ']' | ',' | ':')
                };
                let end = rest.find(ends).unwrap_or(rest.len());
                word(&rest[..end], &mut out);
                rest = &rest[end..];
            }
        }
    }
    out
}

/// Copies a string, its first quote left out of `rest`; gives what comes behind it.
fn string<'a>(mut rest: &'a str, out: &mut String) -> &'a str {
    out.push('"');
    while let Some(letter) = rest.chars().next() {
        let len = letter.len_utf8();
        match letter {
            '"' => {
                out.push('"');
                return &rest[1..];
            }
            '\\' => {
                let escape = rest.as_bytes().get(1);
                let len = match escape {
                    Some(b'u') => {
                        let len = unicode_escape(rest);
                        match len {
                            Some(len) => out.push_str(&rest[..len]),
                            // A surrogate that is alone, or no number.
                            None if code(rest, 0).is_some() => out.push('\u{fffd}'),
                            None => out.push_str("\\\\u"),
                        }
                        len.unwrap_or(if code(rest, 0).is_some() { 6 } else { 2 })
                    }
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                        out.push_str(&rest[..2]);
                        2
                    }
                    Some(_) | None => {
                        out.push_str("\\\\");
                        1
                    }
                };
                rest = &rest[len..];
            }
            '\0'..='\x1f' => {
                out.push_str(&format!("\\u{:04x}", u32::from(letter)));
                rest = &rest[len..];
            }
            _ => {
                out.push(letter);
                rest = &rest[len..];
            }
        }
    }
    rest
}

/// The number in an escape `\uXXXX` at this place.
fn code(text: &str, at: usize) -> Option<u32> {
    let digits = text.get(at..)?.strip_prefix("\\u")?.get(..4)?;
    let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

/// The length of the escape of a whole character at the beginning of the text.
fn unicode_escape(text: &str) -> Option<usize> {
    match code(text, 0)? {
        0xd800..=0xdbff => {
            let low = code(text, 6)?;
            (0xdc00..=0xdfff).contains(&low).then_some(12)
        }
        0xdc00..=0xdfff => None,
        _ => Some(6),
    }
}

fn word(word: &str, out: &mut String) {
    let is_value = matches!(word, "true" | "false" | "null");
    if is_value || serde_json::from_str::<Number>(word).is_ok() {
        out.push_str(word);
    } else {
        out.push_str(&Value::from(word).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_a_person_would_read_is_read() {
        let utf16 = |text: &str, unit: fn(u16) -> [u8; 2]| {
            let units = "\u{feff}".encode_utf16().chain(text.encode_utf16());
            units.flat_map(unit).collect::<Vec<u8>>()
        };
        let cases: Vec<(Vec<u8>, Value)> = vec![
            (b"\xef\xbb\xbf{\"a\":1}".to_vec(), json!({"a": 1})),
            (utf16("{\"a\":\"ä\"}", u16::to_le_bytes), json!({"a": "ä"})),
            (utf16("{\"a\":\"ä\"}", u16::to_be_bytes), json!({"a": "ä"})),
            (
                b"{\"a\":\"caf\xe9 \xc3\xa9\"}".to_vec(),
                json!({"a": "café é"}),
            ),
            (
                b"{\"a\":\"\x1b[0m\n\t\0\"}".to_vec(),
                json!({"a": "\u{1b}[0m\n\t\0"}),
            ),
            (
                b"{\"a\":1e999,\"b\":-1e999}".to_vec(),
                json!({"a": "1e999", "b": "-1e999"}),
            ),
            (
                b"{\"a\":NaN,\"b\":-Infinity,\"c\":undefined}".to_vec(),
                json!({"a": "NaN", "b": "-Infinity", "c": "undefined"}),
            ),
            (
                b"{\"a\":007,\"b\":.5,\"c\":+1}".to_vec(),
                json!({"a": "007", "b": ".5", "c": "+1"}),
            ),
            (
                br#"{"a":"C:\Users\x"}"#.to_vec(),
                json!({"a": "C:\\Users\\x"}),
            ),
            (
                br#"{"a":"C:\Users\\x"}"#.to_vec(),
                json!({"a": "C:\\Users\\x"}),
            ),
            (
                br#"{"a":"\ud83d","b":"\ude00 \ud83d\ude00","c":"\u12"}"#.to_vec(),
                json!({"a": "\u{fffd}", "b": "\u{fffd} 😀", "c": "\\u12"}),
            ),
            (b"{\"a\":1}\0\0".to_vec(), json!({"a": 1})),
            (b"\0\x0c{\"a\":1}".to_vec(), json!({"a": 1})),
            // The last of two wins, as everywhere.
            (b"{\"a\":1,\"a\":2}".to_vec(), json!({"a": 2})),
            (
                b"{\"a\":123456789012345678901234567890}".to_vec(),
                json!({"a": 1.234_567_890_123_456_8e29}),
            ),
        ];
        for (bytes, meant) in cases {
            let read = object(&bytes).map(Value::Object);
            assert_eq!(read, Ok(meant), "{:?}", String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn what_nobody_reads_is_kept_with_the_reason() {
        for bytes in [
            &b"{\"a\": \"cut off"[..],
            b"[1]",
            b"",
            b"hello",
            b"{}{}",
            b"{\"a\" 1}",
        ] {
            let error = object(bytes).unwrap_err();
            let kept = kept_raw(bytes, &error);
            assert_eq!(kept["hook_event_name"], UNREADABLE);
            assert_eq!(kept["raw"], String::from_utf8_lossy(bytes).as_ref());
            assert!(!kept["error"].as_str().unwrap().is_empty());
        }
        let deep = [b"{\"a\":".repeat(200), b"1".to_vec(), b"}".repeat(200)].concat();
        assert!(object(&deep).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_kept_and_json_is_not_touched(bytes in prop::collection::vec(any::<u8>(), 0..200), text in ".*") {
            drop(object(&bytes));
            let valid = json!({"text": text, "list": [1, -2.5e3, null, true]});
            let written = valid.to_string();
            prop_assert_eq!(&repaired(written.as_bytes()), &written);
            prop_assert_eq!(object(written.as_bytes()).map(Value::Object), Ok(valid));
        }
    }
}
