//! The kinds of load, each on a thread of its own until it is over. What each makes it deletes.

use crate::{
    hooks::payload,
    server::{Client, Server},
};
use serde_json::Value;
use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};
use tungstenite::{Message, stream::MaybeTlsStream};

/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a run.
const LOOK: Duration = Duration::from_millis(50);
/// Hooks a second.
const HOOKS_A_SECOND: u32 = 100;
/// Hooks to one run before it is deleted.
const HOOKS_A_RUN: usize = 1_000;
/// Streams that one thread opens at once.
const STREAMS: usize = 8;

/// What each thread does.
pub const ALL: &[fn(&World)] = &[
    short_runs,
    short_runs,
    short_runs,
    cancelled_runs,
    floods,
    floods,
    hooks,
    readers,
    readers,
];

/// What the threads share.
pub struct World<'a> {
    server: &'a Server,
    /// All end as soon as they have deleted what they made.
    pub over: AtomicBool,
    runs: AtomicU64,
    hooks: AtomicU64,
    streams: AtomicU64,
    viewers: AtomicU64,
    short: String,
    failing: String,
    idle: String,
    flood: String,
}

impl<'a> World<'a> {
    /// The agents of all threads.
    pub fn new(server: &'a Server, repo: &Path) -> Self {
        let shell = |script: &str| server.agent(repo, &["sh", "-c", script]);
        let flood = "sleep 0.5; head -c 3000000 /dev/zero | tr '\\0' x | fold -w 100; sleep 0.5";
        Self {
            server,
            over: AtomicBool::new(false),
            runs: AtomicU64::new(0),
            hooks: AtomicU64::new(0),
            streams: AtomicU64::new(0),
            viewers: AtomicU64::new(0),
            short: shell("for i in 1 2 3; do echo line $i; echo $i >> new$i; sleep 0.2; done"),
            failing: shell("echo no; exit 3"),
            idle: server.agent(repo, &["sleep", "1000"]),
            flood: shell(flood),
        }
    }

    /// Whether the threads end.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Waits, for less when it is over meanwhile.
    #[expect(
        clippy::disallowed_methods,
        reason = "a paced load waits for the clock alone"
    )]
    pub fn pause(&self, long: Duration) {
        let begun = Instant::now();
        while !self.is_over() && begun.elapsed() < long {
            std::thread::sleep(long.saturating_sub(begun.elapsed()).min(LOOK));
        }
    }

    /// How much was done.
    pub fn done(&self) -> String {
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        format!(
            "{} runs were made and deleted; {} hooks, {} streams and {} viewers came",
            count(&self.runs),
            count(&self.hooks),
            count(&self.streams),
            count(&self.viewers)
        )
    }

    fn client(&self) -> Client {
        self.server.client()
    }

    /// Waits until a run has one of these states.
    #[expect(
        clippy::disallowed_methods,
        reason = "a client that looks now and then"
    )]
    fn wait(&self, client: &mut Client, run: &str, states: &[&str]) {
        let begun = Instant::now();
        loop {
            let view: Value = serde_json::from_slice(&client.get(&format!("runs/{run}"))).unwrap();
            if states.contains(&view["status"].as_str().unwrap()) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "no {states:?}: {view:#}");
            std::thread::sleep(LOOK);
        }
    }

    /// Has a run's numbers told, and deletes it.
    fn delete(&self, client: &mut Client, run: &str) {
        client.get(&format!("runs/{run}/diff-stats"));
        client.delete(&format!("runs/{run}"));
        self.runs.fetch_add(1, Ordering::Relaxed);
    }

    fn cancel(&self, client: &mut Client, run: &str) {
        client.post(&format!("runs/{run}/cancel"), b"{}");
        self.wait(client, run, &["cancelled"]);
    }
}

/// Runs that write some files, or fail.
fn short_runs(world: &World<'_>) {
    while !world.is_over() {
        for agent in [&world.short, &world.failing] {
            let run = world.server.run(agent);
            let mut client = world.client();
            world.wait(&mut client, &run, &["completed", "failed"]);
            world.delete(&mut client, &run);
        }
    }
}

/// Runs that are ended from outside.
fn cancelled_runs(world: &World<'_>) {
    while !world.is_over() {
        let run = world.server.run(&world.idle);
        let mut client = world.client();
        world.wait(&mut client, &run, &["running"]);
        world.pause(Duration::from_millis(fastrand::u64(0..3_000)));
        world.cancel(&mut client, &run);
        world.delete(&mut client, &run);
    }
}

/// Runs that print some MB, with viewers: one that stays, one that leaves early, one that does not
/// read for a while.
fn floods(world: &World<'_>) {
    while !world.is_over() {
        let run = world.server.run(&world.flood);
        let mut client = world.client();
        world.wait(&mut client, &run, &["running", "completed"]);
        std::thread::scope(|scope| {
            scope.spawn(|| view(world, &run, Duration::ZERO, PATIENCE));
            scope.spawn(|| view(world, &run, Duration::ZERO, Duration::from_millis(700)));
            scope.spawn(|| view(world, &run, Duration::from_millis(900), PATIENCE));
        });
        world.wait(&mut client, &run, &["completed"]);
        world.delete(&mut client, &run);
    }
}

/// One viewer, which reads after `late` and leaves after `stays`, or when the program ended.
fn view(world: &World<'_>, run: &str, late: Duration, stays: Duration) {
    let url = format!("ws://{}/api/terminal?run_id={run}", world.server.address);
    let (mut socket, _) = tungstenite::connect(url).unwrap();
    let MaybeTlsStream::Plain(stream) = socket.get_ref() else {
        panic!("no TLS on loopback")
    };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    world.viewers.fetch_add(1, Ordering::Relaxed);
    world.pause(late);
    let begun = Instant::now();
    while begun.elapsed() < stays {
        match socket.read() {
            Ok(Message::Text(text)) if text.contains("\"exit\"") => return,
            Ok(Message::Close(_)) => return,
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Hooks at a steady pace to a run that lives for a while.
fn hooks(world: &World<'_>) {
    let payload = payload();
    while !world.is_over() {
        let run = world.server.running(&world.idle);
        let mut client = world.client();
        let path = format!("runs/{run}/hook");
        for _ in 0..HOOKS_A_RUN {
            let begun = Instant::now();
            client.post(&path, payload.as_bytes());
            world.hooks.fetch_add(1, Ordering::Relaxed);
            let every = Duration::from_secs(1) / HOOKS_A_SECOND;
            world.pause(every.saturating_sub(begun.elapsed()));
            if world.is_over() {
                break;
            }
        }
        world.cancel(&mut client, &run);
        world.delete(&mut client, &run);
    }
}

/// Streams that come, half of them for all of the log, and go.
fn readers(world: &World<'_>) {
    while !world.is_over() {
        let head = world.server.get("events/head")["last_event_id"]
            .as_i64()
            .unwrap();
        let open = |at: usize| {
            let after = if at.is_multiple_of(2) { head } else { 0 };
            let address = &world.server.address;
            let mut socket = TcpStream::connect(address).unwrap();
            write!(
                socket,
                "GET /api/events/stream HTTP/1.1\r\nHost: {address}\r\nLast-Event-ID: {after}\r\n\r\n"
            )
            .unwrap();
            socket.set_nonblocking(true).unwrap();
            world.streams.fetch_add(1, Ordering::Relaxed);
            socket
        };
        let mut sockets: Vec<TcpStream> = (0..STREAMS).map(open).collect();
        let (begun, stays) = (
            Instant::now(),
            Duration::from_millis(fastrand::u64(200..4_000)),
        );
        while begun.elapsed() < stays && !world.is_over() {
            sockets.iter_mut().for_each(drain);
            world.pause(Duration::from_millis(20));
        }
    }
}

/// Reads what is there.
fn drain(socket: &mut TcpStream) {
    let mut piece = [0; 64 * 1024];
    loop {
        match socket.read(&mut piece) {
            // One that was too slow is hung up on, and comes again with the next ones.
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("{error}"),
        }
    }
}
