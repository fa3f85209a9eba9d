//! The notifier's place in the log.

use super::*;
use crate::domain::{run::notice::TELLING, settings::NotificationSettings};
use rusqlite::params;

fn to(url: &str) -> NotificationSettings {
    NotificationSettings {
        discord_webhook_url: url.into(),
        ..NotificationSettings::default()
    }
}

impl Store {
    async fn set(&self, url: &str) {
        let given = to(url);
        let changed = self.writer.change_notification_settings(|settings| {
            *settings = given;
            Ok::<_, StoreError>(())
        });
        changed.await.unwrap();
    }

    /// The event that comes next, by its type, after `handled`.
    fn next_type(&self, handled: i64) -> Option<String> {
        let untold = self.reader.next_to_notify(handled).unwrap();
        untold.event.map(|event| event.event_type)
    }

    fn remembered(&self) -> i64 {
        self.reader.next_to_notify(0).unwrap().remembered
    }
}

#[tokio::test]
async fn nothing_from_before_the_first_webhook_is_ever_next() {
    let store = Store::new();
    let mut run = History::new(1);
    store.append(run.next(&LIFE)).await.unwrap();
    store.append(run.next(&["run.failed"])).await.unwrap();
    assert_eq!(store.next_type(0), None, "no webhook, nothing to tell");
    store.set("http://127.0.0.1:9/a").await;
    assert_eq!(store.next_type(0), None);
    assert_eq!(store.remembered(), store.reader.head().unwrap());
    store.append(run.next(&["run.paused"])).await.unwrap();
    assert_eq!(store.next_type(0).as_deref(), Some("run.paused"));
    // Another receiver is told of what the first was not told of.
    store.set("http://127.0.0.1:9/b").await;
    assert_eq!(store.next_type(0).as_deref(), Some("run.paused"));
    // A pause without a receiver is never told of.
    store.set("").await;
    assert_eq!(store.next_type(0), None);
    store.append(run.next(&["run.failed"])).await.unwrap();
    store.set("http://127.0.0.1:9/a").await;
    assert_eq!(store.next_type(0), None);
}

#[tokio::test]
async fn what_was_told_is_remembered_across_a_restart() {
    let store = Store::new();
    store.set("http://127.0.0.1:9/a").await;
    let mut run = History::new(1);
    store
        .append(run.next(&["run.created", "run.paused"]))
        .await
        .unwrap();
    store.append(run.next(&["run.failed"])).await.unwrap();
    let first = store.reader.next_to_notify(0).unwrap();
    let paused = first.event.unwrap().id;
    assert_eq!(store.next_type(paused).as_deref(), Some("run.failed"));
    store.writer.set_notified(paused).await.unwrap();
    let location = Location::of(store.folder.path());
    let (sender, _batches) = mpsc::channel(1);
    let (writer, reader) = open(&location, sender).unwrap();
    let next = reader.next_to_notify(0).unwrap();
    assert_eq!(
        (next.remembered, next.event.unwrap().event_type.as_str()),
        (paused, "run.failed")
    );
    // Told late, an earlier place takes nothing back.
    writer.set_notified(paused - 1).await.unwrap();
    assert_eq!(reader.next_to_notify(0).unwrap().remembered, paused);
}

#[tokio::test]
async fn each_telling_event_is_found_and_no_other() {
    let store = Store::new();
    store.set("http://127.0.0.1:9/a").await;
    let mut run = History::new(1);
    let others = Event::TYPES.iter().copied();
    let others = others.filter(|name| !["run.created", "run.deleted"].contains(name));
    let names: Vec<&str> = ["run.created"].into_iter().chain(others).collect();
    store.append(run.next(&names)).await.unwrap();
    let mut found = std::collections::BTreeSet::new();
    let mut handled = 0;
    while let Some(event) = store.reader.next_to_notify(handled).unwrap().event {
        handled = event.id;
        found.insert(event.event_type);
    }
    assert_eq!(found, TELLING.map(str::to_owned).into_iter().collect());
}

#[tokio::test]
async fn the_runs_present_wish_comes_along() {
    let store = Store::new();
    store.set("http://127.0.0.1:9/a").await;
    let mut run = History::new(1);
    store
        .append(run.next(&["run.created", "run.paused"]))
        .await
        .unwrap();
    let wish = run.run.as_ref().unwrap().notify;
    assert_eq!(store.reader.next_to_notify(0).unwrap().notify, wish);
    store
        .append(run.next(&["run.notify_changed"]))
        .await
        .unwrap();
    let wish = run.run.as_ref().unwrap().notify;
    assert_eq!(store.reader.next_to_notify(0).unwrap().notify, wish);
    store
        .append(run.next(&["run.stop_requested", "run.deleted"]))
        .await
        .unwrap();
    assert_eq!(store.next_type(0), None, "the events went with their run");
}

#[tokio::test]
async fn a_run_is_walked_up_to_a_sequence() {
    let store = Store::new();
    let mut run = History::new(1);
    store.append(run.next(&LIFE)).await.unwrap();
    let mut seen = Vec::new();
    let see = |event: &crate::store::StoredEvent| {
        seen.push(event.sequence);
        Ok(())
    };
    store.reader.walk_run(run.id, 3, see).unwrap();
    assert_eq!(seen, [1, 2, 3]);
}

#[test]
fn a_database_from_before_begins_at_its_head() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::of(folder.path());
    let old = Connection::open(location.path()).unwrap();
    old.execute_batch(include_str!("../../../schema/0001_initial.sql"))
        .unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    let event = "INSERT INTO events (run_id, sequence, event_type, version, payload, created_at)
                 VALUES (?1, 1, 'run.failed', 1, '{}', 0)";
    for run in [[1_u8; 16], [2; 16]] {
        old.execute(event, params![run]).unwrap();
    }
    let document = serde_json::to_string(&to("http://127.0.0.1:9/a")).unwrap();
    old.execute(
        "INSERT INTO settings VALUES ('notifications', ?1)",
        [document],
    )
    .unwrap();
    drop(old);
    let (sender, _batches) = mpsc::channel(1);
    let (_writer, reader) = open(&location, sender).unwrap();
    let next = reader.next_to_notify(0).unwrap();
    assert_eq!((next.remembered, next.event.is_some()), (2, false));
    assert!(folder.path().join("abbado.db.v1.bak").exists());
}
