//! What the log must contain after a history.

use super::history::Said;
use crate::support::World;
use abbado::store::DATABASE;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A row of the log.
pub struct Row {
    id: i64,
    run: String,
    sequence: i64,
    event_type: String,
    payload: Value,
}

fn open(world: &World) -> rusqlite::Connection {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    rusqlite::Connection::open_with_flags(world.data().join(DATABASE), flags).unwrap()
}

/// The last id of the log.
pub fn head(world: &World) -> i64 {
    let query = "SELECT max(id) FROM events";
    open(world).query_row(query, [], |row| row.get(0)).unwrap()
}

/// The whole log, and how many deliveries it names.
pub fn events(world: &World) -> (Vec<Row>, usize) {
    let log = open(world);
    let mut query = log
        .prepare(
            "SELECT id, run_id, sequence, event_type, payload, delivery FROM events ORDER BY id",
        )
        .unwrap();
    let mut deliveries = Vec::new();
    let rows = query
        .query_map([], |row| {
            let run: [u8; 16] = row.get(1)?;
            let payload: String = row.get(4)?;
            let delivery: Option<Vec<u8>> = row.get(5)?;
            deliveries.extend(delivery);
            Ok(Row {
                id: row.get(0)?,
                run: uuid::Uuid::from_bytes(run).to_string(),
                sequence: row.get(2)?,
                event_type: row.get(3)?,
                payload: serde_json::from_str(&payload).unwrap(),
            })
        })
        .unwrap();
    let rows: Vec<Row> = rows.map(Result::unwrap).collect();
    let different: HashSet<_> = deliveries.iter().collect();
    assert_eq!(
        different.len(),
        deliveries.len(),
        "a delivery is there twice"
    );
    (rows, deliveries.len())
}

fn number(row: &Row) -> Option<&str> {
    row.payload["payload"]["number"].as_str()
}

/// What was acknowledged about a run is in the log once.
pub fn said_once(rows: &[Row], said: &[Said], of: &str) {
    let count =
        |is: &dyn Fn(&Row) -> bool| rows.iter().filter(|row| row.run == of && is(row)).count();
    for said in said {
        let (run, found) = match said {
            Said::Hook { run, number: n } => (run, count(&|row| number(row) == Some(n))),
            Said::Event { run, event_type } => (run, count(&|row| row.event_type == *event_type)),
            Said::Message { run, text } => {
                let is =
                    |row: &Row| row.event_type == "user.message" && row.payload["text"] == **text;
                (run, count(&is))
            }
        };
        // Two stops may be asked for in one history: of a pause and a cancel there are two requests.
        let requests = matches!(
            said,
            Said::Event {
                event_type: "run.stop_requested",
                ..
            }
        );
        let fine = found == 1 || (requests && found == 2);
        assert!(run != of || fine, "{found} times in the log: {said:?}");
    }
    let numbers: Vec<&str> = rows
        .iter()
        .filter(|row| row.run == of)
        .filter_map(number)
        .collect();
    let different: BTreeSet<&str> = numbers.iter().copied().collect();
    assert_eq!(
        different.len(),
        numbers.len(),
        "a hook is there twice: {numbers:?}"
    );
    // The worker's own are there without a hole, in order.
    let own: Vec<&&str> = numbers
        .iter()
        .filter(|number| number.starts_with('w'))
        .collect();
    let all = ["w1", "w2", "w3", "w4", "w5", "w6"];
    let all: Vec<&&str> = all.iter().take(own.len()).collect();
    assert_eq!(own, all);
}

/// Judges the log, and what a reader of its stream saw.
pub fn judge(world: &World, said: &[Said], seen: &[(i64, String, i64)], left: &[String]) {
    let (rows, _) = events(world);
    let ids: Vec<i64> = seen.iter().map(|(id, ..)| *id).collect();
    assert!(
        ids.windows(2).all(|two| two[0] < two[1]),
        "the reader saw {ids:?}"
    );
    let mut runs: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in &rows {
        runs.entry(&row.run).or_default().push(row);
    }
    for (run, rows) in &runs {
        let deleted = rows.iter().any(|row| row.event_type == "run.deleted");
        let logged: Vec<(i64, i64)> = rows.iter().map(|row| (row.id, row.sequence)).collect();
        let of_run = seen.iter().filter(|(_, of, _)| of == run);
        let read: Vec<(i64, i64)> = of_run.map(|(id, _, sequence)| (*id, *sequence)).collect();
        if deleted {
            assert_eq!(logged.len(), 1, "of a deleted run one event is left");
            assert_eq!(
                read.last(),
                logged.last(),
                "the reader was told of the deletion"
            );
            assert!(
                !left.iter().any(|it| it == run),
                "a run was deleted by itself"
            );
            continue;
        }
        assert!(left.iter().any(|it| it == run), "nobody made run {run}");
        let holes: Vec<i64> = rows.iter().map(|row| row.sequence).collect();
        let whole: Vec<i64> = (1..).take(rows.len()).collect();
        assert_eq!(holes, whole, "sequences of {run}");
        assert_eq!(
            read, logged,
            "the reader saw all of run {run} once and in order"
        );
        said_once(&self::events(world).0, said, run);
        let launches = rows
            .iter()
            .filter(|row| row.event_type == "process.spawned");
        let ends = rows.iter().filter(|row| row.event_type == "process.exited");
        assert_eq!(
            launches.count(),
            ends.count(),
            "starts and ends of run {run}"
        );
        let lost = rows.iter().any(|row| row.payload["by"] == "lost");
        assert!(!lost, "run {run} was called lost, and its holder lived");
    }
    let deletions = said.iter().filter_map(|said| match said {
        Said::Event {
            run,
            event_type: "run.deleted",
        } => Some(run),
        Said::Event { .. } | Said::Hook { .. } | Said::Message { .. } => None,
    });
    for run in deletions {
        let events: Vec<_> = runs.get(run.as_str()).into_iter().flatten().collect();
        assert_eq!(events.len(), 1, "deleted run {run}");
    }
}
