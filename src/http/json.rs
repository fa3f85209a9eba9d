//! JSON bodies: depth first, then meaning, with errors that a person can act on.
//!
//! Called by the extractors. Holds: nothing deeper than [`DEPTH_MAX`] reaches serde, whose own
//! limit is off (it would refuse at 128); so recursion, and with it the stack, is bounded here.

use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::error::ApiError;

/// Deepest nesting taken; the outermost value counts.
pub const DEPTH_MAX: usize = 128;

/// Longest part of serde's own message that is passed on (it repeats values of the client).
const DETAIL_LEN_MAX: usize = 300;

/// Parses a body that must be one JSON object.
///
/// # Errors
/// 400: too deep, no JSON (with line and column), no object, or a field missing or wrong (named).
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    check_depth(bytes)?;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    reader.disable_recursion_limit();
    let parsed = T::deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    let is_object = bytes.trim_ascii_start().first() == Some(&b'{');
    match parsed {
        Ok(value) if is_object => Ok(value),
        Err(error) if error.classify() != Category::Data => Err(broken(&error)),
        Ok(_) => Err(not_an_object()),
        Err(_) if !is_object => Err(not_an_object()),
        Err(error) => Err(misfit(&error, bytes)),
    }
}

fn not_an_object() -> ApiError {
    ApiError::malformed("The body must be a JSON object.")
}

fn broken(error: &serde_json::Error) -> ApiError {
    let detail = detail(error);
    let (line, column) = (error.line(), error.column());
    ApiError::malformed(format!(
        "The body is no valid JSON: {detail} at line {line}, column {column}."
    ))
}

/// Names the field: a missing one is in serde's message, a wrong one is where reading stopped.
fn misfit(error: &serde_json::Error, bytes: &[u8]) -> ApiError {
    let detail = detail(error);
    let place = format!("(line {}, column {})", error.line(), error.column());
    let path = path_at(bytes, offset_of(bytes, error.line(), error.column()));
    let text = if detail.starts_with("missing field") || detail.starts_with("duplicate field") {
        let inside = if path.is_empty() {
            String::new()
        } else {
            format!(" in `{path}`")
        };
        format!("The body is wrong: {detail}{inside} {place}.")
    } else if path.is_empty() {
        format!("The body is wrong: {detail} {place}.")
    } else {
        format!("`{path}` is wrong: {detail} {place}.")
    };
    ApiError::malformed(text).with_code("invalid")
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

/// Refuses nesting beyond [`DEPTH_MAX`], looking at bytes outside strings only.
///
/// # Errors
/// 400 for the 129th level.
pub fn check_depth(bytes: &[u8]) -> Result<(), ApiError> {
    let mut depth = 0_usize;
    let mut walker = Walker::default();
    for &byte in bytes {
        if walker.is_structure(byte) {
            match byte {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > DEPTH_MAX {
                let text = format!("The body is nested deeper than {DEPTH_MAX} levels.");
                return Err(ApiError::malformed(text));
            }
        }
    }
    Ok(())
}

/// Tells bytes inside strings from those outside. Works on UTF-8 as it is: no byte of a longer
/// character is a quote or a backslash.
#[derive(Default)]
struct Walker {
    in_string: bool,
    escaped: bool,
}

impl Walker {
    /// Takes the next byte; true when it stands outside strings (quotes themselves do not).
    fn is_structure(&mut self, byte: u8) -> bool {
        if !self.in_string {
            self.in_string = byte == b'"';
            return !self.in_string;
        }
        if self.escaped {
            self.escaped = false;
        } else if byte == b'\\' {
            self.escaped = true;
        } else if byte == b'"' {
            self.in_string = false;
        }
        false
    }
}

/// serde counts lines and columns (in bytes) from one.
fn offset_of(bytes: &[u8], line: usize, column: usize) -> usize {
    let starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let start = if line <= 1 {
        0
    } else {
        starts.map(|(at, _)| at + 1).nth(line - 2).unwrap_or(0)
    };
    (start + column).min(bytes.len())
}

enum Step {
    /// In an object; the key that was read last, once its colon was seen.
    Key(Option<String>),
    Index(usize),
}

/// Follows keys and indices up to a place in valid JSON and writes them as `a.b[2]`.
fn path_at(bytes: &[u8], end: usize) -> String {
    let mut steps: Vec<Step> = Vec::new();
    let mut walker = Walker::default();
    let mut last_string = (0, 0);
    for (at, &byte) in bytes.iter().take(end).enumerate() {
        let was_inside = walker.in_string;
        let structure = walker.is_structure(byte);
        match (was_inside, walker.in_string) {
            (false, true) => last_string.0 = at,
            (true, false) => last_string.1 = at + 1,
            _ => {}
        }
        if structure {
            follow(
                &mut steps,
                byte,
                bytes.get(last_string.0..last_string.1).unwrap_or_default(),
            );
        }
    }
    let mut path = String::new();
    for step in &steps {
        match step {
            Step::Key(Some(key)) if path.is_empty() => path.push_str(key),
            Step::Key(Some(key)) => path.push_str(&format!(".{key}")),
            Step::Index(index) => path.push_str(&format!("[{index}]")),
            Step::Key(None) => {}
        }
    }
    path.chars().take(DETAIL_LEN_MAX).collect()
}

fn follow(steps: &mut Vec<Step>, byte: u8, last_string: &[u8]) {
    match byte {
        b'{' => steps.push(Step::Key(None)),
        b'[' => steps.push(Step::Index(0)),
        b'}' | b']' => {
            steps.pop();
        }
        b':' => {
            if let Some(Step::Key(key)) = steps.last_mut() {
                *key = serde_json::from_slice(last_string).ok();
            }
        }
        b',' => match steps.last_mut() {
            Some(Step::Key(key)) => *key = None,
            Some(Step::Index(index)) => *index += 1,
            None => {}
        },
        _ => {}
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
        refused(
            "{}",
            "The body is wrong: missing field `name` (line 1, column 2).",
        );
        refused(
            r#"{"name": 3}"#,
            "`name` is wrong: invalid type: integer `3`, expected a string (line 1, column 10).",
        );
        let error = parse::<Body>(br#"{"name":"x","inner":{}}"#).unwrap_err();
        assert!(error.message().contains("missing field `bin`"), "{error}");
        let body = "{\"name\":\"x\",\n \"list\":[{\"bin\":\"a,]\\\"\"},\n{\"bin\":false}]}";
        let error = parse::<Body>(body.as_bytes()).unwrap_err();
        assert!(
            error.message().starts_with("`list[1].bin` is wrong"),
            "{error}"
        );
        let error = parse::<Body>(br#"{"name":"x","max_turns":"many"}"#).unwrap_err();
        assert!(
            error.message().starts_with("`max_turns` is wrong"),
            "{error}"
        );
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
    fn depth_128_is_read_and_129_is_not() {
        for (open, close) in [("[", "]"), ("{\"k\":", "}")] {
            parse::<Map<String, Value>>(nested(128, open, close).as_bytes()).unwrap();
            let error = parse::<Map<String, Value>>(nested(129, open, close).as_bytes());
            assert!(error.unwrap_err().message().contains("128"));
        }
        let text = format!("{{\"a\":\"{}\\\"{}\"}}", "[".repeat(300), "{".repeat(300));
        parse::<Map<String, Value>>(text.as_bytes()).unwrap();
        assert!(check_depth("[".repeat(10_000_000).as_bytes()).is_err());
    }

    #[test]
    fn depth_128_fits_a_small_stack() {
        let mixed = nested(64, "{\"k\":[", "]}");
        let reading = std::thread::Builder::new()
            .stack_size(512 * 1024)
            .spawn(move || {
                parse::<Map<String, Value>>(mixed.as_bytes()).map(drop)?;
                parse::<Map<String, Value>>(nested(128, "[", "]").as_bytes()).map(drop)
            });
        reading.unwrap().join().unwrap().unwrap();
    }
}
