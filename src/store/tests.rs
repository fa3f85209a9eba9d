//! The store's contract, on a real database file.

mod catalog;
mod notified;
mod secrets;

use super::{
    Append, Batch, Location, Reader, RunFilter, StoreError, Writer, catalog::Idempotent, encode,
    migrate, open, projection::RunRow, rebuild,
};
use crate::domain::{
    RunId, Secrets, Time,
    run::{Event, Run},
};
use chrono::TimeZone;
use rusqlite::Connection;
use serde_json::Value;
use tokio::sync::mpsc;
use uuid::Uuid;

/// A stored sample of an event.
fn sample(name: &str) -> Event {
    let path = format!(
        "{}/schema/events/{name}.v1.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let sample: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    Event::decode(name, &sample["payload"].to_string()).unwrap()
}

fn at(seconds: i64) -> Time {
    chrono::Utc
        .timestamp_opt(1_700_000_000 + seconds, 0)
        .unwrap()
}

/// A run and the store it is written to.
struct History {
    id: RunId,
    run: Option<Run>,
    shown: Option<Box<Run>>,
}

impl History {
    fn new(number: u128) -> Self {
        Self {
            id: RunId(Uuid::from_u128(number)),
            run: None,
            shown: None,
        }
    }

    fn sequence(&self) -> u64 {
        self.run.as_ref().map_or(0, |run| run.last_sequence)
    }

    /// The append of these events after all before.
    fn next(&mut self, names: &[&str]) -> Append {
        let expected_sequence = self.sequence();
        let at = at(i64::try_from(expected_sequence).unwrap());
        let mut events = Vec::new();
        for name in names {
            let (event, payload) = encode(sample(name)).unwrap();
            match (&mut self.run, &event) {
                (None, Event::RunCreated(made)) => self.run = Some(Run::create(self.id, made, at)),
                (None, _) => panic!("a run begins with its creation"),
                (Some(run), event) => run.apply(event, at),
            }
            events.push(payload);
        }
        let run = self.run.as_ref().filter(|run| !run.deleted);
        let row = run.map(|run| RunRow::since(run, &mut self.shown));
        Append {
            run_id: self.id,
            expected_sequence,
            events,
            at,
            row,
            delivery: None,
            idempotent: None,
            secrets: Secrets::default(),
            stored: None,
        }
    }
}

struct Store {
    folder: tempfile::TempDir,
    writer: Writer,
    reader: Reader,
    batches: mpsc::Receiver<Batch>,
}

impl Store {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (sender, batches) = mpsc::channel(1024);
        let (writer, reader) = open(&Location::of(folder.path()), sender).unwrap();
        Self {
            folder,
            writer,
            reader,
            batches,
        }
    }

    async fn append(&self, append: Append) -> Result<(), StoreError> {
        self.writer.append(append).unwrap().outcome().await
    }

    fn raw(&self) -> Connection {
        Connection::open(Location::of(self.folder.path()).path()).unwrap()
    }

    /// Types in the log, and the sequences.
    fn log(&self, id: RunId) -> Vec<(u64, String)> {
        let events = self.reader.events_of_run(id, 0, None, None).unwrap();
        events
            .into_iter()
            .map(|e| (e.sequence, e.event_type))
            .collect()
    }

    /// Ids of the next so many events that are told of, in the order told.
    async fn told(&mut self, count: usize) -> Vec<i64> {
        let mut ids = Vec::new();
        while ids.len() < count {
            // A batch is told just after its answers.
            let wait = std::time::Duration::from_secs(90);
            let batch = tokio::time::timeout(wait, self.batches.recv()).await;
            let batch = batch.unwrap_or_else(|_| panic!("{} of {count} told", ids.len()));
            ids.extend(batch.unwrap().iter().map(|event| event.id));
        }
        assert!(self.batches.try_recv().is_err(), "more than {count} told");
        ids
    }
}

const LIFE: [&str; 6] = [
    "run.created",
    "worktree.created",
    "process.launching",
    "process.spawned",
    "run.started",
    "run.paused",
];

#[tokio::test]
async fn a_wrong_sequence_writes_nothing() {
    let mut store = Store::new();
    let mut run = History::new(1);
    store.append(run.next(&LIFE)).await.unwrap();
    for wrong in [0, 5, 7] {
        let mut append = History {
            run: run.run.clone(),
            ..History::new(1)
        }
        .next(&["run.started"]);
        append.expected_sequence = wrong;
        let refused = store.append(append).await;
        assert!(
            matches!(refused, Err(StoreError::WrongSequence { found: 6, .. })),
            "{refused:?}"
        );
    }
    assert_eq!(store.log(run.id).len(), 6);
    store.append(run.next(&["run.started"])).await.unwrap();
    assert_eq!(store.log(run.id).last(), Some(&(7, "run.started".into())));
    assert_eq!(store.told(7).await, [1, 2, 3, 4, 5, 6, 7]);
}

#[tokio::test]
async fn a_delivery_is_recorded_once() {
    let mut store = Store::new();
    let mut run = History::new(1);
    store.append(run.next(&LIFE)).await.unwrap();
    let delivery = Some(Uuid::from_u128(77));
    let again = run.run.clone();
    let first = Append {
        delivery,
        ..run.next(&["hook.received"])
    };
    store.append(first).await.unwrap();
    assert!(store.reader.delivered(Uuid::from_u128(77)).unwrap());
    let mut late = History {
        run: again,
        ..History::new(1)
    };
    late.run.as_mut().unwrap().last_sequence = run.sequence();
    let second = Append {
        delivery,
        ..late.next(&["hook.received"])
    };
    assert_eq!(store.append(second).await, Err(StoreError::Duplicate));
    assert_eq!(store.log(run.id).len(), 7);
    assert_eq!(store.told(7).await.len(), 7);
}

#[tokio::test]
async fn an_answer_is_remembered_with_its_event_or_not_at_all() {
    let store = Store::new();
    let record = |answer: &str| Idempotent {
        scope: "POST /api/runs".into(),
        key: "k".into(),
        fingerprint: vec![1],
        status: 201,
        answer: answer.into(),
    };
    let (mut first, mut second) = (History::new(1), History::new(2));
    let idempotent = Some(record("one"));
    store
        .append(Append {
            idempotent,
            ..first.next(&LIFE)
        })
        .await
        .unwrap();
    let idempotent = Some(record("two"));
    let refused = store
        .append(Append {
            idempotent,
            ..second.next(&LIFE)
        })
        .await;
    assert!(refused.is_err(), "{refused:?}");
    assert!(store.log(second.id).is_empty());
    let kept = store
        .reader
        .remembered("POST /api/runs", "k", at(10))
        .unwrap();
    assert_eq!(kept.unwrap().answer, "one");
}

#[tokio::test]
async fn one_that_fails_takes_none_of_its_batch_with_it() {
    let mut store = Store::new();
    let mut runs: Vec<_> = (1..=50).map(History::new).collect();
    // Handed over without waiting: they share transactions.
    let mut answers = Vec::new();
    for (number, run) in runs.iter_mut().enumerate() {
        let mut append = run.next(&LIFE);
        if number % 7 == 3 {
            append.expected_sequence = 9;
        }
        answers.push(store.writer.append(append).unwrap());
    }
    for (number, answer) in answers.into_iter().enumerate() {
        let outcome = answer.outcome().await;
        assert_eq!(outcome.is_err(), number % 7 == 3, "{number}: {outcome:?}");
    }
    let stored = runs
        .iter()
        .filter(|run| store.log(run.id).len() == 6)
        .count();
    let empty = runs
        .iter()
        .filter(|run| store.log(run.id).is_empty())
        .count();
    assert_eq!((stored, empty), (43, 7));
    let told = store.told(43 * 6).await;
    assert_eq!(told.len(), 43 * 6);
    assert!(told.is_sorted(), "{told:?}");
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_leaves_nothing_half() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::of(folder.path());
    let connection = migrate::open(&location).unwrap();
    let pages: i64 = connection
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    connection
        .pragma_update(None, "max_page_count", pages + 20)
        .unwrap();
    let (sender, _batches) = mpsc::channel(1024);
    let (writer, reader) = (
        Writer::start(connection, sender).unwrap(),
        Reader::open(&location).unwrap(),
    );
    let mut run = History::new(1);
    let mut stored = 0;
    let error = loop {
        let outcome = writer.append(run.next(&LIFE)).unwrap().outcome().await;
        match outcome {
            Ok(()) => stored += 1,
            Err(error) => break error,
        }
        let id = run.id.0.as_u128() + 1;
        run = History::new(id);
        assert!(stored < 10_000, "it is never full");
    };
    assert_eq!(error, StoreError::Full);
    assert!(stored > 0);
    // The refused one is nowhere, also after those that follow; what was acknowledged is whole.
    let mut small = History::new(99_999);
    let refused = writer.append(small.next(&LIFE)).unwrap().outcome().await;
    assert_eq!(refused, Err(StoreError::Full));
    let events = reader.events_after(None, 0, 1_000_000).unwrap();
    assert_eq!(events.len(), stored * 6);
    assert!(
        reader
            .events_of_run(run.id, 0, None, None)
            .unwrap()
            .is_empty()
    );
    assert_eq!(reader.run_view(run.id).unwrap(), None);
    // With room again, the same store goes on.
    drop(writer);
    let (sender, _batches) = mpsc::channel(1024);
    let (writer, _) = open(&location, sender).unwrap();
    writer
        .append(History::new(99_999).next(&LIFE))
        .unwrap()
        .outcome()
        .await
        .unwrap();
}

#[tokio::test]
async fn the_log_takes_no_change() {
    let store = Store::new();
    let mut run = History::new(1);
    store.append(run.next(&LIFE)).await.unwrap();
    let raw = store.raw();
    for forbidden in [
        "UPDATE events SET payload = '{}'",
        "UPDATE events SET sequence = sequence + 100",
        "DELETE FROM events",
        "DELETE FROM events WHERE sequence = 6",
    ] {
        let refused = raw.execute(forbidden, []).unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{forbidden}: {refused}");
    }
    assert_eq!(store.log(run.id).len(), 6);
}

#[tokio::test]
async fn no_table_in_memory_is_made_to_write_an_event() {
    let store = Store::new();
    let raw = store.raw();
    let sql = "EXPLAIN INSERT INTO events (run_id, sequence, event_type, version, payload,
                                           created_at, delivery)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let mut query = raw.prepare(sql).unwrap();
    let codes = query
        .query_map([rusqlite::types::Null; 7], |row| row.get(1))
        .unwrap();
    let codes: Vec<String> = codes.map(Result::unwrap).collect();
    assert!(codes.iter().any(|code| code == "OpenWrite"), "{codes:?}");
    assert!(
        !codes.iter().any(|code| code == "OpenEphemeral"),
        "{codes:?}"
    );
}

#[tokio::test]
async fn of_a_deleted_run_one_event_stays_and_readers_see_no_hole() {
    let mut store = Store::new();
    let mut run = History::new(1);
    store.append(run.next(&LIFE)).await.unwrap();
    store
        .append(run.next(&["run.stop_requested", "run.deleted"]))
        .await
        .unwrap();
    assert_eq!(store.log(run.id), [(8, "run.deleted".to_owned())]);
    assert_eq!(store.reader.run_view(run.id).unwrap(), None);
    assert!(store.reader.fold_run(run.id).unwrap().is_none());
    assert_eq!(store.told(8).await, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[tokio::test]
async fn the_projection_is_made_again_to_the_same_json() {
    let store = Store::new();
    let all: Vec<&str> = Event::TYPES
        .iter()
        .copied()
        .filter(|name| !["run.created", "run.deleted"].contains(name))
        .collect();
    let mut runs: Vec<_> = (1..=5).map(History::new).collect();
    for (number, run) in runs.iter_mut().enumerate() {
        store.append(run.next(&LIFE)).await.unwrap();
        for round in 0..4 {
            let names: Vec<_> = all
                .iter()
                .skip(number * 3 + round)
                .step_by(2)
                .copied()
                .collect();
            store.append(run.next(&names)).await.unwrap();
        }
    }
    let mut gone = History::new(9);
    store
        .append(gone.next(&["run.created", "run.deleted"]))
        .await
        .unwrap();
    let rows = |connection: &Connection| -> Vec<(Vec<u8>, String, String, i64, String, String)> {
        let sql = "SELECT id, view, tasks || queue, live, document, status
                   FROM runs JOIN run_heads ON run_id = id ORDER BY id";
        let mut query = connection.prepare(sql).unwrap();
        let rows = query.query_map([], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
            ))
        });
        rows.unwrap().map(Result::unwrap).collect()
    };
    let location = Location::of(store.folder.path());
    let raw = store.raw();
    let before = rows(&raw);
    assert_eq!(before.len(), 5);
    let damage = "UPDATE runs SET view = '{}', status = 'failed', live = 1;
                  UPDATE run_heads SET document = '{}'";
    raw.execute_batch(damage).unwrap();
    drop(store.writer);
    assert_eq!(rebuild(&location).unwrap(), 5);
    assert_eq!(rows(&raw), before);
}

#[tokio::test]
async fn a_closed_store_has_stored_all_and_its_file_alone_is_whole() {
    let store = Store::new();
    let mut run = History::new(1);
    let asked: Vec<_> = (0..50)
        .map(|round| {
            let names: &[&str] = if round == 0 {
                &LIFE
            } else {
                &["hook.received"]
            };
            store.writer.append(run.next(names)).unwrap()
        })
        .collect();
    store.writer.close().await;
    for commit in asked {
        commit.outcome().await.unwrap();
    }
    let late = store.append(run.next(&["hook.received"])).await;
    assert_eq!(late, Err(StoreError::Closed));
    store.writer.close().await;
    // The copy of a person who knows nothing of a WAL.
    let copy = tempfile::tempdir().unwrap();
    let copied = Location::of(copy.path());
    std::fs::copy(Location::of(store.folder.path()).path(), copied.path()).unwrap();
    let copied = Reader::open(&copied).unwrap();
    assert_eq!(copied.damage().unwrap(), None);
    assert_eq!(copied.head().unwrap(), 55);
}

#[test]
fn what_a_file_system_lacks_is_said() {
    use rusqlite::ffi;
    for code in [ffi::SQLITE_PROTOCOL, ffi::SQLITE_IOERR_SHMMAP] {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        let said = StoreError::from(error).to_string();
        assert!(
            said.contains("does not support locks or shared memory"),
            "{said}"
        );
    }
    let other = rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_IOERR_READ), None);
    assert!(matches!(StoreError::from(other), StoreError::Database(_)));
}
