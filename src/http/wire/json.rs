//! JSON bodies: their meaning, with errors that a person can act on.
//!
//! Called by the extractors. Holds: serde_json's own limit of nesting is on, so that recursion, and
//! with it the stack, is bounded; a field that is wrong is named by its path.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, error::Category};

use super::error::ApiError;

/// Longest part of serde's own message that is passed on (it repeats values of the client).
const DETAIL_LEN_MAX: usize = 300;

/// Parses a body that must be one JSON object.
///
/// # Errors
/// 400: no JSON (with line and column), nested too deep, no object, or a field missing or wrong
/// (named).
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // What no field reads is skipped at any depth: the whole is read first.
    parse_object(bytes)?;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| misfit(&error))
}

/// Parses a body that may be any JSON object.
///
/// # Errors
/// As [`parse`].
pub fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        Category::Data => ApiError::malformed("The body must be a JSON object."),
        Category::Syntax | Category::Eof | Category::Io => broken(&error),
    })
}

/// Decodes an object that was parsed before.
///
/// # Errors
/// 400 that names the field that is missing or wrong.
pub fn decode<T: DeserializeOwned>(body: Value) -> Result<T, ApiError> {
    serde_path_to_error::deserialize(body).map_err(|error| misfit(&error))
}

fn broken(error: &serde_json::Error) -> ApiError {
    let detail = detail(error);
    if detail.starts_with("recursion limit") {
        return ApiError::malformed("The body is nested too deeply.");
    }
    let (line, column) = (error.line(), error.column());
    ApiError::malformed(format!(
        "The body is not valid JSON: {detail} at line {line}, column {column}."
    ))
}

/// Names the field by its path, and says what it must be.
fn misfit(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let detail = detail(error.inner());
    let path = error.path().to_string();
    // The body itself is ".".
    let path = if path == "." { "" } else { &path };
    let path: String = path.chars().take(DETAIL_LEN_MAX).collect();
    let inside = |field: &str| match path.as_str() {
        "" => field.to_owned(),
        path => format!("{path}.{field}"),
    };
    for (words, why) in [
        ("missing field `", "is missing"),
        ("duplicate field `", "is given twice"),
    ] {
        let rest = detail.strip_prefix(words);
        if let Some(field) = rest.and_then(|rest| rest.strip_suffix('`')) {
            return ApiError::invalid(&inside(field), why);
        }
    }
    if path.is_empty() {
        return ApiError::malformed(format!("Invalid body: {detail}.")).with_code("invalid");
    }
    ApiError::invalid(&path, readable(&detail))
}

/// serde's message without its own " at line 1 column 2", and not too long.
fn detail(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let suffix = format!(" at line {} column {}", error.line(), error.column());
    let text = text.strip_suffix(&suffix).unwrap_or(&text);
    let mut cut: String = text.chars().take(DETAIL_LEN_MAX).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

/// serde's words in those of JSON: "must be a string, not the number 5".
fn readable(detail: &str) -> String {
    if detail.starts_with("UUID parsing failed") {
        return "must be a UUID".to_owned();
    }
    let mismatch = ["invalid type: ", "invalid value: "];
    let mismatch = mismatch.iter().find_map(|words| detail.strip_prefix(words));
    match mismatch.and_then(|rest| rest.rsplit_once(", expected ")) {
        Some((given, wanted)) => format!("must be {}, not {}", kind(wanted), thing(given)),
        None => format!("is wrong: {detail}"),
    }
}

/// What serde expected.
fn kind(wanted: &str) -> &str {
    match wanted {
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or greater and not too large",
        "i64" => "a whole number",
        "f64" => "a number",
        "a map" => "an object",
        wanted if wanted.starts_with("struct ") => "an object",
        wanted if wanted.contains("UUID") => "a UUID",
        wanted => wanted,
    }
}

/// What serde found.
fn thing(given: &str) -> String {
    let number = given
        .strip_prefix("integer ")
        .or_else(|| given.strip_prefix("floating point "));
    if let Some(number) = number {
        return format!("the number {}", number.trim_matches('`'));
    }
    match given.strip_prefix("string ") {
        Some(text) => format!("the text {text}"),
        None => match given {
            "map" => "an object".to_owned(),
            "sequence" => "a list".to_owned(),
            "unit value" | "Option value" => "null".to_owned(),
            given => given
                .strip_prefix("boolean ")
                .unwrap_or(given)
                .replace('`', ""),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::{Map, Value};

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its reading is tested")]
    struct Body {
        name: String,
        max_turns: Option<u32>,
        inner: Option<Inner>,
        list: Option<Vec<Inner>>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its reading is tested")]
    struct Inner {
        bin: String,
    }

    #[track_caller]
    fn refused(body: &str, expected: &str) {
        let error = parse::<Body>(body.as_bytes()).unwrap_err();
        assert_eq!(error.message(), expected);
    }

    #[test]
    fn wrong_fields_are_named() {
        refused("{}", "`name` is missing.");
        for (value, given) in [
            ("5", "the number 5"),
            ("1.5", "the number 1.5"),
            ("true", "true"),
            ("null", "null"),
            ("{}", "an object"),
            ("[]", "a list"),
        ] {
            let expected = format!("`name` must be a string, not {given}.");
            refused(&format!(r#"{{"name": {value}}}"#), &expected);
        }
        refused(r#"{"name":"x","inner":{}}"#, "`inner.bin` is missing.");
        refused(
            r#"{"name":"x","inner":3}"#,
            "`inner` must be an object, not the number 3.",
        );
        refused(
            r#"{"name":"x","list":{}}"#,
            "`list` must be a list, not an object.",
        );
        refused(
            "{\"name\":\"x\",\n \"list\":[{\"bin\":\"a,]\\\"\"},\n{\"bin\":false}]}",
            "`list[1].bin` must be a string, not false.",
        );
        refused(r#"{"name":"x","name":"y"}"#, "`name` is given twice.");
        for (value, given) in [("\"many\"", "the text \"many\""), ("-1", "the number -1")] {
            let number = "a whole number, 0 or greater and not too large";
            let expected = format!("`max_turns` must be {number}, not {given}.");
            refused(&format!(r#"{{"name":"x","max_turns":{value}}}"#), &expected);
        }
        let bytes = br#"{"name":"x","list":[{"bin":1}]}"#;
        let value: Value = serde_json::from_slice(bytes).unwrap();
        let (first, second) = (parse::<Body>(bytes), decode::<Body>(value));
        assert_eq!(first.unwrap_err().message(), second.unwrap_err().message());
    }

    #[test]
    fn broken_json_tells_where() {
        for body in [
            "",
            "{",
            "nope",
            "{\"name\":\"x\"} x",
            "{\"name\":\"x\",}",
            "\u{feff}{}",
        ] {
            let error = parse::<Body>(body.as_bytes()).unwrap_err();
            assert!(
                error.message().contains("line 1, column"),
                "{body}: {error}"
            );
        }
        assert!(parse::<Body>(b"{\"name\":\"\xff\"}").is_err());
        refused("[\"x\"]", "The body must be a JSON object.");
        refused("3", "The body must be a JSON object.");
    }

    #[test]
    fn a_long_value_is_not_repeated_in_full() {
        let body = format!(
            "{{\"name\":\"x\",\"max_turns\":\"{}\"}}",
            "a".repeat(100_000)
        );
        assert!(parse::<Body>(body.as_bytes()).unwrap_err().message().len() < 600);
    }

    fn nested(depth: usize, open: &str, close: &str) -> String {
        format!(
            "{{\"a\":{}1{}}}",
            open.repeat(depth - 1),
            close.repeat(depth - 1)
        )
    }

    #[test]
    fn what_is_nested_deep_is_read_and_deeper_is_refused() {
        for (open, close) in [("[", "]"), ("{\"k\":", "}")] {
            let body = nested(100, open, close);
            parse::<Map<String, Value>>(body.as_bytes()).unwrap();
            parse_object(body.as_bytes()).unwrap();
            for depth in [200, 100_000] {
                let body = nested(depth, open, close);
                let refused = parse_object(body.as_bytes()).unwrap_err();
                assert_eq!(refused.message(), "The body is nested too deeply.");
                let refused = parse::<Body>(body.as_bytes()).unwrap_err();
                assert_eq!(refused.message(), "The body is nested too deeply.");
            }
        }
        let text = format!("{{\"a\":\"{}\\\"{}\"}}", "[".repeat(300), "{".repeat(300));
        parse_object(text.as_bytes()).unwrap();
    }

    #[test]
    fn the_deepest_body_fits_a_small_stack() {
        let mixed = nested(60, "{\"k\":[", "]}");
        let reading = std::thread::Builder::new()
            .stack_size(512 * 1024)
            .spawn(move || parse::<Map<String, Value>>(mixed.as_bytes()).map(drop));
        reading.unwrap().join().unwrap().unwrap();
    }
}
