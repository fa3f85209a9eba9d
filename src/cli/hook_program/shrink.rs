//! Shrinks a payload that is too large for the server, so that its event is still recorded.

use super::PAYLOAD_BYTES_MAX;
use serde_json::{Map, Value};

/// Longest string that is not cut, in bytes, as in the log.
const STRING_BYTES_MAX: usize = 256 * 1024;

/// The payload with long strings cut, each with `<key>_truncated_bytes` beside it. If that is not
/// enough, only the short top-level values stay. None when the payload is not a JSON object.
pub(super) fn shrunk(payload: &[u8]) -> Option<Vec<u8>> {
    let Value::Object(mut fields) = serde_json::from_slice(payload).ok()? else {
        return None;
    };
    cut_fields(&mut fields);
    let bytes = serde_json::to_vec(&fields).ok()?;
    if bytes.len() <= PAYLOAD_BYTES_MAX {
        return Some(bytes);
    }
    fields.retain(|_, value| !value.is_object() && !value.is_array());
    let smaller = serde_json::to_vec(&fields).ok()?;
    (smaller.len() <= PAYLOAD_BYTES_MAX).then_some(smaller)
}

fn cut_fields(fields: &mut Map<String, Value>) {
    let mut notes = Vec::new();
    for (key, value) in &mut *fields {
        if let Value::String(text) = value {
            let end = text.floor_char_boundary(STRING_BYTES_MAX);
            if end < text.len() {
                notes.push((
                    format!("{key}_truncated_bytes"),
                    Value::from(text.len() - end),
                ));
                text.truncate(end);
            }
        } else {
            cut(value);
        }
    }
    fields.extend(notes);
}

fn cut(value: &mut Value) {
    match value {
        Value::Object(fields) => cut_fields(fields),
        Value::Array(items) => items.iter_mut().for_each(cut),
        Value::String(text) => text.truncate(text.floor_char_boundary(STRING_BYTES_MAX)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn long_strings_are_cut_and_the_event_stays() {
        let long = "é".repeat(5 << 20);
        let payload = json!({"hook_event_name": "PostToolUse", "tool_response": {"stdout": long, "list": [long]}});
        let bytes = shrunk(payload.to_string().as_bytes()).unwrap();
        let small: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(small["hook_event_name"], "PostToolUse");
        let cut = &small["tool_response"];
        assert_eq!(cut["stdout"].as_str().unwrap().len(), STRING_BYTES_MAX);
        assert_eq!(cut["stdout_truncated_bytes"], (10 << 20) - STRING_BYTES_MAX);
    }

    #[test]
    fn many_short_strings_go_as_a_whole() {
        let many: Vec<String> = (0..1_000_000).map(|n| format!("item {n}")).collect();
        let payload = json!({"hook_event_name": "Stop", "tool_input": many, "session_id": "s"});
        let bytes = shrunk(payload.to_string().as_bytes()).unwrap();
        let small: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(small, json!({"hook_event_name": "Stop", "session_id": "s"}));
        assert_eq!(shrunk(b"not json"), None);
    }
}
