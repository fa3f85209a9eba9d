//! Values that a run's agent was given.

use super::*;
use crate::domain::Secrets;
use serde_json::json;

fn values(env: &Value) -> Secrets {
    let config = json!({ "env": env });
    Secrets::of(config.as_object().unwrap())
}

#[tokio::test]
async fn secrets_live_as_long_as_their_run() {
    let store = Store::new();
    let (mut one, mut other) = (History::new(1), History::new(2));
    let secrets = values(&json!({"KEY": "sk-1"}));
    let first = Append {
        secrets: secrets.clone(),
        ..one.next(&LIFE)
    };
    store.append(first).await.unwrap();
    let theirs = Append {
        secrets: values(&json!({"KEY": "sk-2"})),
        ..other.next(&LIFE)
    };
    store.append(theirs).await.unwrap();
    assert_eq!(store.reader.run_secrets(one.id), Ok(secrets));
    store.append(other.next(&["run.deleted"])).await.unwrap();
    assert_eq!(store.reader.run_secrets(other.id), Ok(Secrets::default()));
    let raw = store.raw();
    let rows = "SELECT count(*) FROM run_secrets";
    let count = || -> i64 { raw.query_row(rows, [], |row| row.get(0)).unwrap() };
    assert_eq!(count(), 1);
    drop(store.writer);
    rebuild(&Location::of(store.folder.path())).unwrap();
    assert_eq!(count(), 1);
}

#[tokio::test]
async fn secrets_are_kept_with_the_creation_or_not_at_all() {
    let store = Store::new();
    let mut run = History::new(1);
    let refused = Append {
        secrets: values(&json!({"KEY": "sk-1"})),
        expected_sequence: 7,
        ..run.next(&LIFE)
    };
    assert!(store.append(refused).await.is_err());
    assert_eq!(store.reader.run_secrets(run.id), Ok(Secrets::default()));
}

/// The sample is of a version that had the values in the log.
#[tokio::test]
async fn values_in_an_old_log_are_used_and_not_shown() {
    let store = Store::new();
    let mut run = History::new(1);
    store.append(run.next(&LIFE)).await.unwrap();
    let known = values(&json!({"A": "b"}));
    assert_eq!(store.reader.run_secrets(run.id), Ok(known));
    let log = store
        .reader
        .events_of_run(run.id, 0, Some(1), None)
        .unwrap();
    let mut expected: Value = serde_json::from_str(&log[0].payload).unwrap();
    assert_eq!(expected["agent"]["provider_config"]["env"]["A"], "b");
    expected["agent"]["provider_config"]["env"]["A"] = json!("***");
    let wire: Value = serde_json::from_str(&log[0].wire()).unwrap();
    assert_eq!(wire["payload"], expected);
}
