//! One sample of each stored type lies in `schema/events`. A sample is never edited, only added:
//! what was written once must be read for ever.

use crate::domain::run::{
    Event,
    event::{DecodeError, EVENT_VERSION},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::PathBuf};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schema/events")
}

/// (file name, sample) of each.
fn samples() -> Vec<(String, Value)> {
    let mut samples: Vec<(String, Value)> = fs::read_dir(folder())
        .expect("the samples")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a text");
            let name = path.file_name().expect("a file").to_string_lossy();
            let sample = serde_json::from_str(&text).expect("JSON");
            (name.into_owned(), sample)
        })
        .collect();
    samples.sort_by(|a, b| a.0.cmp(&b.0));
    samples
}

fn decode(sample: &Value) -> Event {
    let event_type = sample["event_type"].as_str().expect("a name");
    Event::decode(event_type, &sample["payload"].to_string())
        .unwrap_or_else(|error| panic!("{event_type}: {error:?}"))
}

fn encode(event: &Event) -> Value {
    serde_json::from_str(&event.encode().expect("JSON")).expect("JSON")
}

#[test]
fn every_type_has_a_sample_named_after_it() {
    let mut types = BTreeSet::new();
    for (file, sample) in samples() {
        let event_type = sample["event_type"].as_str().expect("a name");
        let version = sample["version"].as_u64().expect("a version");
        assert_eq!(file, format!("{event_type}.v{version}.json"));
        assert!(version <= u64::from(EVENT_VERSION), "{file}");
        types.insert(event_type.to_owned());
    }
    let known: BTreeSet<String> = Event::TYPES.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(known.len(), Event::TYPES.len(), "a name is there twice");
    assert_eq!(types, known);
}

#[test]
fn every_sample_is_read_and_written_again_as_it_is() {
    for (file, sample) in samples() {
        let event = decode(&sample);
        assert_eq!(event.event_type(), sample["event_type"], "{file}");
        assert_eq!(encode(&event), sample["payload"], "{file}");
    }
}

#[test]
fn fields_of_later_versions_are_passed_over() {
    for (file, mut sample) in samples() {
        let payload = sample["payload"].as_object_mut().expect("an object");
        let before = payload.clone();
        payload.insert("later".into(), json!({"a": [1]}));
        payload.insert("text_truncated_bytes".into(), json!(5));
        assert_eq!(encode(&decode(&sample)), Value::Object(before), "{file}");
    }
}

#[test]
fn what_is_no_event_is_refused_with_its_name() {
    let unknown = Event::decode("run.exploded", "{}");
    assert!(matches!(unknown, Err(DecodeError::UnknownType(name)) if name == "run.exploded"));
    for broken in ["", "[]", "{", r#"{"by":"nobody"}"#, r#"{"by":"stop"} x"#] {
        let error = Event::decode("run.paused", broken).expect_err("no payload");
        assert_eq!(error.to_string(), "payload of run.paused does not decode");
    }
}

#[test]
fn a_payload_as_deep_as_the_door_lets_in_is_read_again() {
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    let payload = format!(r#"{{"hook_event_name":"X","payload":{}}}"#, deep(128));
    let event = Event::decode("hook.received", &payload).expect("128 below the event");
    assert_eq!(event.encode().expect("JSON"), payload.replace(' ', ""));
}

#[test]
fn costs_come_back_to_the_last_bit() {
    for cost in [
        0.1_f64 + 0.2,
        5e-324,
        1.797_693_134_862_315_7e308,
        0.318_600_000_000_000_03,
    ] {
        let text = serde_json::to_string(&cost).expect("a number");
        let read: f64 = serde_json::from_str(&text).expect("a number");
        assert_eq!(read.to_bits(), cost.to_bits());
    }
}
