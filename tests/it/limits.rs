//! 429: each limit, reached over HTTP, says which it is and when to try again.

use crate::support::{PATIENCE, Reply, Server, Sse, World, pause};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Instant,
};

fn busy(reply: &Reply, bound: &str) {
    assert_eq!(reply.status, 429, "{reply:?}");
    assert_eq!(reply.kind, "text/plain; charset=utf-8", "{reply:?}");
    assert!(reply.text.contains(bound), "'{bound}' is not in {reply:?}");
    let wait: u32 = reply.retry_after.as_ref().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{reply:?}");
}

fn sleeper() -> Value {
    json!({"cli_name": "command", "provider_config": {"command": ["sh", "-c", "trap '' TERM; echo ready; sleep 100"]}})
}

/// Sends a request and leaves its answer unread.
fn send(server: &Server, path: &str) -> TcpStream {
    let mut socket = TcpStream::connect(&server.address).unwrap();
    let address = &server.address;
    write!(
        socket,
        "POST /api/{path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n"
    )
    .unwrap();
    socket
}

#[test]
fn sixty_four_commands_of_one_run_are_enough() {
    let world = World::new();
    let server = world.serve();
    let run = server.run(&server.agent(&world, sleeper()), "x");
    server.wait(&run, "it takes no SIGTERM", |_| {
        server
            .get(&format!("runs/{run}/logs"))
            .text
            .contains("ready")
    });
    // It takes the process five seconds to be ended: so long all these wait for the outcome.
    let cancel = || send(&server, &format!("runs/{run}/cancel"));
    let mut waiting: Vec<_> = (0..64).map(|_| cancel()).collect();
    let begun = Instant::now();
    let refused = loop {
        let reply = server.post(&format!("runs/{run}/notify"), &json!({"notify": true}));
        if reply.status == 429 {
            break reply;
        }
        assert!(begun.elapsed() < PATIENCE, "never busy");
        // The question may have stood in the place of a command that was refused for it.
        waiting.push(cancel());
        pause();
    };
    busy(&refused, "64");
    let outcomes = waiting.iter_mut().map(|socket| {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut head = [0; 12];
        socket.read_exact(&mut head).unwrap();
        String::from_utf8(head.to_vec()).unwrap()
    });
    let (done, others): (Vec<_>, Vec<_>) = outcomes.partition(|head| head == "HTTP/1.1 200");
    assert_eq!(done.len(), 64, "all that had a place: {others:?}");
    assert!(
        others.iter().all(|head| head == "HTTP/1.1 429"),
        "{others:?}"
    );
    server
        .post(&format!("runs/{run}/notify"), &json!({"notify": true}))
        .expect(200);
}

#[test]
fn live_runs_are_bounded() {
    let world = World::new();
    let server = world.serve_with(&[("ABBADO_LIVE_RUNS_MAX", "3")]);
    let agent = server.agent(
        &world,
        json!({"cli_name": "command", "provider_config": {"command": ["sleep", "100"]}}),
    );
    let runs: Vec<_> = (0..3).map(|_| server.run(&agent, "x")).collect();
    let one_more = json!({"agent_id": agent, "task": "x"});
    let refused = server.post("runs", &one_more);
    busy(&refused, "3 live runs");
    assert_eq!(server.get("runs").expect(200).as_array().unwrap().len(), 3);
    for run in &runs {
        server.wait(run, "its process lives", |view| {
            view["process"]["alive"] == true
        });
        server.post_empty(&format!("runs/{run}/cancel")).expect(200);
    }
    let run = server.run(&agent, "x");
    server.wait(&run, "its process lives", |view| {
        view["process"]["alive"] == true
    });
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
}

#[test]
fn readers_of_streams_are_bounded() {
    let world = World::new();
    // As many systems start a program: with fewer files than there may be readers.
    let mut program = std::process::Command::new("/bin/sh");
    program
        .args(["-c", "ulimit -S -n 1024; exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_abbado"));
    let server = world.serve_by(program, "127.0.0.1:0", &[]);
    let readers: Vec<_> = (0..1024)
        .map(|_| Sse::open(&server.address, "events/stream", 0).unwrap())
        .collect();
    busy(&server.get("events/stream"), "1024");
    drop(readers);
    // A client that disconnects is noticed even without events.
    let begun = Instant::now();
    while Sse::open(&server.address, "events/stream", 0).is_err() {
        assert!(begun.elapsed() < PATIENCE, "places do not become free");
        pause();
    }
}
