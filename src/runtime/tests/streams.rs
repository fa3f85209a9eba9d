//! What readers of a run's stream see when the run is deleted.

use crate::{
    domain::{
        RunId, Secrets, Time,
        run::{Event, Run},
    },
    runtime::stream::{
        broadcaster::{BOUNDS, Joined, Ring, Subscribe},
        replay::{Next, Replay},
    },
    store::{Append, Batch, Location, RunRow, StoredEvent, encode, open},
};
use chrono::TimeZone;
use serde_json::Value;
use uuid::Uuid;

const ID: RunId = RunId(Uuid::from_u128(1));

fn now() -> Time {
    chrono::Utc.timestamp_opt(1_700_000_000, 0).unwrap()
}

/// A stored sample of an event.
fn sample(name: &str) -> Event {
    let folder = env!("CARGO_MANIFEST_DIR");
    let path = format!("{folder}/schema/events/{name}.v1.json");
    let sample: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    Event::decode(name, &sample["payload"].to_string()).unwrap()
}

/// These events, as the next of a run.
fn append(run: &mut Option<Run>, names: &[&str]) -> Append {
    let expected_sequence = run.as_ref().map_or(0, |run| run.last_sequence);
    let mut events = Vec::new();
    for name in names {
        let (event, payload) = encode(sample(name)).unwrap();
        match (run.as_mut(), &event) {
            (Some(run), event) => run.apply(event, now()),
            (None, Event::RunCreated(made)) => *run = Some(Run::create(ID, made, now())),
            (None, _) => panic!("a run begins with its creation"),
        }
        events.push(payload);
    }
    let there = run.as_ref().filter(|run| !run.deleted);
    Append {
        run_id: ID,
        expected_sequence,
        events,
        at: now(),
        row: there.map(|run| RunRow::since(run, &mut None)),
        delivery: None,
        idempotent: None,
        secrets: Secrets::default(),
        stored: None,
    }
}

#[tokio::test]
async fn a_reader_in_the_middle_of_a_log_that_goes_gets_no_event_behind_a_hole() {
    for (page_len, whole) in [(2, false), (3, true)] {
        let folder = tempfile::tempdir().unwrap();
        let (sender, _batches) = tokio::sync::mpsc::channel::<Batch>(1024);
        let (writer, reader) = open(&Location::of(folder.path()), sender).unwrap();
        let mut run = None;
        let begun = ["run.created", "run.quiet", "run.quiet"];
        let begun = writer.append(append(&mut run, &begun)).unwrap();
        begun.outcome().await.unwrap();
        let mut replay = Replay::new(Some(ID), 0, page_len);
        let page = replay.read(&reader).unwrap();
        let (first, next) = replay.take(page);
        assert_eq!((count(&first), next), (page_len as usize, Next::Page));

        let deleted = writer.append(append(&mut run, &["run.deleted"])).unwrap();
        deleted.outcome().await.unwrap();
        let page = replay.read(&reader).unwrap();
        let (rest, next) = replay.take(page);
        assert_eq!((count(&rest), next), (usize::from(whole), Next::End));
        // One who comes only now has missed all of it.
        let mut late = Replay::new(Some(ID), 0, page_len);
        let page = late.read(&reader).unwrap();
        let (nothing, next) = late.take(page);
        assert_eq!((count(&nothing), next), (0, Next::End));
        // The stream of all runs tells of the deletion alone.
        let mut all = Replay::new(None, 0, page_len);
        let page = all.read(&reader).unwrap();
        assert_eq!(count(&all.take(page).0), 1);
    }
}

fn count(frames: &[u8]) -> usize {
    let frames = std::str::from_utf8(frames).unwrap();
    frames.matches("\n\n").count()
}

#[test]
fn who_joins_after_the_deletion_has_a_stream_that_ends() {
    let event = |id, event_type: &str| StoredEvent {
        id,
        run_id: ID,
        sequence: u64::try_from(id).unwrap(),
        event_type: event_type.to_owned(),
        payload: "{}".to_owned(),
        created_at: now(),
    };
    let mut ring = Ring::new(0, BOUNDS);
    ring.publish(&[event(1, "run.created"), event(2, "run.deleted")]);
    for (run_id, ends) in [(Some(ID), true), (None, false)] {
        let ask = Subscribe { run_id, after: 1 };
        let Joined::Live(mut live) = ring.join(&ask) else {
            panic!("the ring has all of it")
        };
        assert_eq!(live.backlog.len(), 1);
        let ended =
            live.live.try_recv() == Err(tokio::sync::mpsc::error::TryRecvError::Disconnected);
        assert_eq!(ended, ends);
    }
}
