//! Durable hooks, beside one event a commit, one flush of the disk, and an echo of the same bytes.

use crate::{
    Bench,
    load::{Load, is_whole, load},
    report::{Figure, Goal, quantile},
    server::{Server, repository, request_of},
};
use mio::{Events, Interest, Poll, Token, net::TcpListener};
use rusqlite::{Connection, params};
use serde_json::json;
use std::{
    fs::File,
    io::{ErrorKind, Read, Write},
    path::Path,
    time::{Duration, Instant},
};

const GROUP: &str = "hooks";
/// Runs and connections of the busy figure.
const MANY: usize = 64;

/// The figures.
pub fn figures(bench: &Bench) -> Vec<Figure> {
    let one = "one event a commit, synchronous=FULL";
    let mut busy = Figure::new(GROUP, "durable hooks, 64 runs on 64 connections", "/s")
        .beside(one, Goal::AtLeast(5.0))
        .beside("echo of the same body", Goal::AtLeast(0.2));
    let mut sixteen = Figure::new(GROUP, "durable hooks, 1 run on 16 connections", "/s")
        .beside(one, Goal::AtLeast(2.0));
    let mut single = Figure::new(GROUP, "durable hooks, 1 run on 1 connection", "/s")
        .beside(one, Goal::AtLeast(0.6));
    let flush = "one fdatasync of 4 KiB, median";
    let p99 = |title| Figure::new(GROUP, title, "ms").beside(flush, Goal::AtMost(5.0));
    let mut p99_sixteen = p99("p99 of an answer, 1 run on 16 connections");
    let mut p99_single = p99("p99 of an answer, 1 run on 1 connection");
    let all = [&busy, &sixteen, &single, &p99_sixteen, &p99_single];
    if !all.iter().any(|figure| bench.wants(GROUP, &figure.title)) {
        return Vec::new();
    }
    let folder = bench.folder.join("hooks");
    let repo = folder.join("repo");
    repository(&repo, 1);
    let server = Server::start(&folder);
    let agent = server.agent(&repo, &["sleep", "1000"]);
    let runs: Vec<String> = (0..MANY).map(|_| server.running(&agent)).collect();
    let payload = payload();
    let requests = |count: usize, runs: &[String]| -> Vec<Vec<u8>> {
        let of = |run| {
            request_of(
                &server.address,
                &format!("runs/{run}/hook"),
                payload.as_bytes(),
            )
        };
        runs.iter().cycle().take(count).map(of).collect()
    };
    let hooks = |count, runs: &[String], each| load(&server.address, requests(count, runs), each);
    let echo = echo();
    for _ in 0..bench.rounds {
        let commits = alone(&folder, bench.count(4_000, 50), &payload);
        let many = hooks(MANY, &runs, bench.count(10_000, 5));
        let echoed = load(&echo, requests(MANY, &runs), bench.count(5_000, 5));
        busy.round(many.rate, [commits, echoed.rate]);
        let flushed = flush_ms(&folder, bench.count(2_000, 20));
        let mut some = hooks(16, &runs[..1], bench.count(1_500, 5));
        let mut lone = hooks(1, &runs[..1], bench.count(4_000, 20));
        sixteen.round(some.rate, [commits]);
        single.round(lone.rate, [commits]);
        p99_sixteen.round(p99_ms(&mut some), [flushed]);
        p99_single.round(p99_ms(&mut lone), [flushed]);
    }
    vec![busy, sixteen, single, p99_sixteen, p99_single]
}

/// A hook of 1 KiB as a CLI sends it.
pub fn payload() -> String {
    let command = "x".repeat(600);
    json!({"session_id": "5f0c7d0e-1111-4222-8333-444455556666", "cwd": "/home/me/project",
           "hook_event_name": "Note", "tool_name": "Bash", "tool_input": {"command": command},
           "tool_use_id": "toolu_01ABCDEFGHIJKLMNOPQRSTUV", "permission_mode": "default",
           "transcript_path": "/home/me/.claude/projects/p/5f0c7d0e.jsonl"})
    .to_string()
}

fn p99_ms(load: &mut Load) -> f64 {
    quantile(&mut load.latencies, 0.99) * 1000.0
}

/// One event a commit, with the settings of the store: events a second.
fn alone(folder: &Path, count: usize, payload: &str) -> f64 {
    let path = folder.join("alone.db");
    // The first round has none.
    drop(std::fs::remove_file(&path));
    let connection = Connection::open(path).unwrap();
    let set = |name, value| connection.pragma_update(None, name, value).unwrap();
    set("journal_mode", "WAL");
    set("synchronous", "FULL");
    let table = "CREATE TABLE events (id INTEGER PRIMARY KEY, payload TEXT)";
    connection.execute(table, []).unwrap();
    let mut insert = connection
        .prepare("INSERT INTO events (payload) VALUES (?1)")
        .unwrap();
    let begun = Instant::now();
    for _ in 0..count {
        insert.execute(params![payload]).unwrap();
    }
    count as f64 / begun.elapsed().as_secs_f64()
}

/// How long 4 KiB take to reach the disk, in the middle.
fn flush_ms(folder: &Path, count: usize) -> f64 {
    let mut file = File::create(folder.join("flush")).unwrap();
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        file.write_all(&[7; 4096]).unwrap();
        let begun = Instant::now();
        file.sync_data().unwrap();
        took.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    quantile(&mut took, 0.5)
}

/// A server that answers with the bytes that it got, and nothing else; its address. It is
/// one thread, as the load is, and ends with the bench.
fn echo() -> String {
    let mut listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(256);
        let registry = poll.registry().try_clone().unwrap();
        registry
            .register(&mut listener, Token(0), Interest::READABLE)
            .unwrap();
        let mut connections: Vec<(mio::net::TcpStream, Vec<u8>)> = Vec::new();
        loop {
            match poll.poll(&mut events, None::<Duration>) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                outcome => outcome.unwrap(),
            }
            for event in &events {
                if event.token() == Token(0) {
                    while let Ok((mut socket, _)) = listener.accept() {
                        socket.set_nodelay(true).unwrap();
                        let token = Token(connections.len() + 1);
                        registry
                            .register(&mut socket, token, Interest::READABLE)
                            .unwrap();
                        connections.push((socket, Vec::new()));
                    }
                } else {
                    let (socket, bytes) = &mut connections[event.token().0 - 1];
                    answer(socket, bytes);
                }
            }
        }
    });
    address
}

/// Echoes whole requests. The answers are smaller than what a socket takes at once.
fn answer(socket: &mut mio::net::TcpStream, bytes: &mut Vec<u8>) {
    let mut piece = [0; 16 * 1024];
    loop {
        match socket.read(&mut piece) {
            // The load has ended.
            Ok(0) => return,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("{error}"),
        }
        if is_whole(bytes) {
            let head = memchr::memmem::find(bytes, b"\r\n\r\n").unwrap() + 4;
            let body = &bytes[head..];
            let status = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            socket
                .write_all(&[status.as_bytes(), body].concat())
                .unwrap();
            bytes.clear();
        }
    }
}
