//! Logs of a wanted length, made of a real event.

use crate::server::{Server, repository};
use rusqlite::{Connection, params};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    time::Instant,
};

/// Events of each made-up run.
const RUN_LEN: usize = 100;

/// What is posted: as large as a common hook, with room for the time at which it is sent.
pub fn hook() -> Vec<u8> {
    let body = json!({"hook_event_name": "Note", "sent": "0".repeat(20), "text": "x".repeat(120)});
    body.to_string().into_bytes()
}

/// A server over `folder` whose log has `count` events more than its first run gave it.
pub fn server(folder: &Path, count: usize) -> Server {
    let server = Server::start(folder);
    let repo = folder.join("repo");
    repository(&repo, 1);
    let agent = server.agent(&repo, &["sleep", "1000"]);
    let run = server.running(&agent);
    server.client().post(&format!("runs/{run}/hook"), &hook());
    server.post(&format!("runs/{run}/cancel"), &json!(null));
    server.wait_status(&run, "cancelled");
    server.stop();
    fill(&database(folder), count);
    Server::start(folder)
}

/// Where a server over this folder has its log.
pub fn database(folder: &Path) -> PathBuf {
    folder.join("data/abbado.db")
}

/// Copies the newest hook's event, as events of runs of their own.
fn fill(database: &Path, count: usize) {
    let mut connection = Connection::open(database).unwrap();
    connection
        .pragma_update(None, "synchronous", "OFF")
        .unwrap();
    let filling = connection.transaction().unwrap();
    let first: i64 = filling
        .query_row(
            "SELECT MAX(id) FROM events WHERE event_type = 'hook.received'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let mut copy = filling
        .prepare(
            "INSERT INTO events (run_id, sequence, event_type, version, payload, created_at)
             SELECT ?1, ?2, event_type, version, payload, created_at FROM events WHERE id = ?3",
        )
        .unwrap();
    for number in 0..count {
        let run = ((number / RUN_LEN) as u128 + 1) << 16;
        copy.execute(params![run.to_be_bytes(), number % RUN_LEN + 1, first])
            .unwrap();
    }
    drop(copy);
    filling.commit().unwrap();
}

/// Reads all columns of all events in the order of their ids: events a second. Every byte is
/// looked at, and nothing is parsed.
pub fn scan(database: &Path) -> f64 {
    let connection = Connection::open(database).unwrap();
    let mut query = connection
        .prepare("SELECT * FROM events ORDER BY id")
        .unwrap();
    let columns = query.column_count();
    let begun = Instant::now();
    let mut rows = query.query([]).unwrap();
    let (mut count, mut sum) = (0, 0);
    while let Some(row) = rows.next().unwrap() {
        for column in 0..columns {
            // Numbers are read, and have no bytes.
            let value = row.get_ref(column).unwrap();
            let Ok(bytes) = value.as_bytes() else {
                continue;
            };
            sum = bytes.iter().fold(sum, |sum: u8, byte| sum ^ byte);
        }
        count += 1;
    }
    std::hint::black_box(sum);
    f64::from(count) / begun.elapsed().as_secs_f64()
}
