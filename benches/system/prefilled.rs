//! Data folders with many ended runs: one real run, and its rows and files many times over.

use crate::server::{Server, repository};
use rusqlite::{Connection, Transaction, params};
use std::{
    fs, iter,
    path::{Path, PathBuf},
};
use uuid::{Builder, Uuid};

/// Runs in one transaction.
const AT_ONCE: usize = 500;

/// A row of `events`, without its run and its place.
struct Event {
    event_type: String,
    version: u32,
    payload: String,
    created_at: i64,
}

/// The run that is there, as it is stored.
struct Pattern {
    id: Uuid,
    events: Vec<Event>,
    view: String,
    head: String,
    last_sequence: i64,
    created_at: i64,
    folder: PathBuf,
}

/// Fills the data folder of `folder` with this many ended runs of this many events each, which are
/// runs to the server in all: rows, events that fold to them, and run folders.
pub fn fill(folder: &Path, runs: usize, events_each: usize) {
    let pattern = pattern(folder);
    let mut connection = Connection::open(folder.join("data/abbado.db")).unwrap();
    // A bench that ends early makes it again.
    connection
        .pragma_update(None, "synchronous", "OFF")
        .unwrap();
    // Random as those of runs are: rows of neighbours in time are no neighbours in the index.
    let random = || Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid();
    let ids: Vec<Uuid> = iter::repeat_with(random).take(runs - 1).collect();
    for some in ids.chunks(AT_ONCE) {
        let transaction = connection.transaction().unwrap();
        for id in some {
            rows(&transaction, &pattern, *id, events_each);
            files(&pattern, *id);
        }
        transaction.commit().unwrap();
    }
    let whole = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    assert_eq!(whole, Ok(0));
    drop(connection);
    // What is not on the disk yet would be written while something is measured.
    nix::unistd::sync();
}

/// Has a real run made, and reads what it left.
fn pattern(folder: &Path) -> Pattern {
    let repo = folder.join("repo");
    repository(&repo, 1);
    let server = Server::start(folder);
    let run = server.run(&server.agent(&repo, &["true"]));
    server.wait_status(&run, "completed");
    server.stop();
    let run_folder = folder.join("data/runs").join(&run);
    let connection = Connection::open(folder.join("data/abbado.db")).unwrap();
    let mut query = connection
        .prepare("SELECT event_type, version, payload, created_at FROM events ORDER BY sequence")
        .unwrap();
    let events = query.query_map([], |row| {
        Ok(Event {
            event_type: row.get(0)?,
            version: row.get(1)?,
            payload: row.get(2)?,
            created_at: row.get(3)?,
        })
    });
    let events = events.unwrap().map(Result::unwrap).collect();
    let (view, head, last_sequence, created_at) = connection
        .query_row(
            "SELECT view, document, document ->> 'last_sequence', created_at FROM runs, run_heads",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .unwrap();
    Pattern {
        id: run.parse().unwrap(),
        events,
        view,
        head,
        last_sequence,
        created_at,
        folder: run_folder,
    }
}

/// A text of the pattern, of another run; branches have the first digits of its id.
fn of(text: &str, pattern: Uuid, id: Uuid) -> String {
    let (old, new) = (pattern.to_string(), id.to_string());
    text.replace(&old, &new).replace(&old[..8], &new[..8])
}

/// The rows of one more run. What there are more events of are hooks that change nothing, between
/// its beginning and its end.
fn rows(transaction: &Transaction<'_>, pattern: &Pattern, id: Uuid, events_each: usize) {
    let hook = Event {
        event_type: "hook.received".to_owned(),
        version: 1,
        payload: hook_received(),
        created_at: pattern.created_at,
    };
    let more = events_each.saturating_sub(pattern.events.len());
    let (begun, ended) = pattern.events.split_at(pattern.events.len() - 2);
    let all = begun.iter().chain(iter::repeat_n(&hook, more)).chain(ended);
    let mut insert = transaction
        .prepare_cached(
            "INSERT INTO events (run_id, sequence, event_type, version, payload, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .unwrap();
    for (sequence, event) in (1..).zip(all) {
        // Only the first ones speak of the run.
        let payload = match event.event_type.as_str() {
            "hook.received" => event.payload.clone(),
            _ => of(&event.payload, pattern.id, id),
        };
        let (name, version) = (&event.event_type, event.version);
        let row = params![
            id.as_bytes(),
            sequence,
            name,
            version,
            payload,
            event.created_at
        ];
        insert.execute(row).unwrap();
    }
    let (old, new) = (pattern.last_sequence, pattern.last_sequence + more as i64);
    let last = |of| format!("\"last_sequence\":{of}");
    let head = pattern.head.replace(&last(old), &last(new));
    transaction
        .prepare_cached("INSERT INTO run_heads VALUES (?1, ?2)")
        .unwrap()
        .execute(params![id.as_bytes(), head])
        .unwrap();
    let view = of(&pattern.view, pattern.id, id);
    transaction
        .prepare_cached(
            "INSERT INTO runs SELECT ?1, project_id, agent_id, status, live, process_alive,
               created_at, ?2, tasks, queue FROM runs WHERE id = ?3",
        )
        .unwrap()
        .execute(params![id.as_bytes(), view, pattern.id.as_bytes()])
        .unwrap();
}

/// The payload of the event that a hook of about 300 bytes becomes.
fn hook_received() -> String {
    let payload = serde_json::json!({
        "session_id": "5f0c7d0e-1111-4222-8333-444455556666", "cwd": "/home/me/project",
        "hook_event_name": "Note", "tool_name": "Bash",
        "tool_input": {"command": "cargo test --locked --all-targets 2>&1 | tail -n 40"},
        "tool_use_id": "toolu_01ABCDEFGHIJKLMNOPQRSTUV", "permission_mode": "default"});
    serde_json::json!({"hook_event_name": "Note", "payload": payload}).to_string()
}

/// The folder of one more run, with the files that an ended run has.
fn files(pattern: &Pattern, id: Uuid) {
    let folder = pattern.folder.with_file_name(id.to_string());
    fs::create_dir(&folder).unwrap();
    for entry in fs::read_dir(&pattern.folder).unwrap() {
        let entry = entry.unwrap();
        let copy = folder.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            fs::create_dir(copy).unwrap();
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path()).unwrap(), copy).unwrap();
        } else {
            fs::copy(entry.path(), copy).unwrap();
        }
    }
}
