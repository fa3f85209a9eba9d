//! Durable hooks a second, beside one event a commit on the same disk, in one run.
//!
//! The server answers a hook after its event is on disk; group commit lets many share one flush.
//! `make bench`; the last line is the ratio of the medians.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench may fail loudly, and prints its table"
)]

use rusqlite::{Connection, params};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const ROUNDS: usize = 5;
const COMMITS: u32 = 1_000;
const CONNECTIONS: usize = 16;
const HOOKS_EACH: usize = 250;

struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn serve(folder: &Path) -> Server {
    let mut child = Command::new(env!("CARGO_BIN_EXE_abbado"))
        .args(["serve", "--bind", "127.0.0.1:0", "--data-dir"])
        .arg(folder.join("data"))
        .env("HOME", folder)
        .env("ABBADO_LOG", "error")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let stdout = child.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut first).unwrap();
    let address = first.trim().rsplit('/').next().unwrap().to_owned();
    Server { child, address }
}

/// A POST on an open connection; gives the body.
fn post(lines: &mut BufReader<TcpStream>, address: &str, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST /api/{path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    lines.get_mut().write_all(head.as_bytes()).unwrap();
    let (mut line, mut length) = (String::new(), 0);
    lines.read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 2"), "{path}: {line}");
    while line != "\r\n" {
        line.clear();
        lines.read_line(&mut line).unwrap();
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    lines.read_exact(&mut body).unwrap();
    body
}

fn connect(address: &str) -> BufReader<TcpStream> {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_nodelay(true).unwrap();
    BufReader::new(socket)
}

/// A run whose CLI does nothing.
fn run(server: &Server, folder: &Path) -> String {
    let repo = folder.join("repo");
    let git = |arguments: &[&str]| {
        let done = Command::new("git")
            .arg("-C")
            .arg(&repo)
            .args(arguments)
            .status();
        assert!(done.unwrap().success());
    };
    std::fs::create_dir(&repo).unwrap();
    git(&["init", "-q"]);
    git(&[
        "-c",
        "user.name=b",
        "-c",
        "user.email=b@b",
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "x",
    ]);
    let mut lines = connect(&server.address);
    let mut make = |path: &str, body: Value| -> Value {
        let answer = post(&mut lines, &server.address, path, &body.to_string());
        serde_json::from_slice(&answer).unwrap()
    };
    let project = make("projects", json!({"name": "bench"}));
    let id = project["id"].as_str().unwrap();
    make(
        &format!("projects/{id}/repos"),
        json!({"name": "repo", "repo_path": repo}),
    );
    let config = json!({"command": ["sleep", "1000"]});
    let agent = make(
        "agents",
        json!({"project_id": id, "name": "a", "cli_name": "command", "provider_config": config}),
    );
    let run = make("runs", json!({"agent_id": agent["id"], "task": "x"}));
    run["id"].as_str().unwrap().to_owned()
}

/// One event a commit, with the settings of the store: events a second.
fn alone(folder: &Path, round: usize, payload: &str) -> f64 {
    let path = folder.join(format!("alone{round}.db"));
    let connection = Connection::open(path).unwrap();
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .unwrap();
    connection
        .pragma_update(None, "synchronous", "FULL")
        .unwrap();
    let table = "CREATE TABLE events (id INTEGER PRIMARY KEY, payload TEXT)";
    connection.execute(table, []).unwrap();
    let mut insert = connection
        .prepare("INSERT INTO events (payload) VALUES (?1)")
        .unwrap();
    rate(COMMITS as usize, || {
        for _ in 0..COMMITS {
            insert.execute(params![payload]).unwrap();
        }
    })
}

/// Hooks a second that were answered as durable.
fn hooks(server: &Server, run: &str, payload: &str) -> f64 {
    let path = format!("runs/{run}/hook");
    rate(CONNECTIONS * HOOKS_EACH, || {
        std::thread::scope(|scope| {
            for _ in 0..CONNECTIONS {
                scope.spawn(|| {
                    let mut lines = connect(&server.address);
                    for _ in 0..HOOKS_EACH {
                        post(&mut lines, &server.address, &path, payload);
                    }
                });
            }
        });
    })
}

fn rate(count: usize, work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    count as f64 / begun.elapsed().max(Duration::from_nanos(1)).as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path());
    let run = run(&server, folder.path());
    let payload = json!({"hook_event_name": "Note", "text": "x".repeat(600)}).to_string();
    let (mut one, mut many) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        one.push(alone(folder.path(), round, &payload));
        many.push(hooks(&server, &run, &payload));
    }
    let (one, many) = (median(one), median(many));
    println!("one event a commit            {one:>9.0} /s");
    println!("hooks, 1 run, {CONNECTIONS} connections   {many:>9.0} /s");
    println!("ratio                         {:>9.2}", many / one);
    let mut lines = connect(&server.address);
    post(
        &mut lines,
        &server.address,
        &format!("runs/{run}/cancel"),
        "",
    );
}
