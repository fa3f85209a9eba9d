//! Event streams: how fast and how soon events reach readers, live and from the log, beside nginx
//! with nchan and beside SQLite.
//!
//! Both sides get the same load from the same thread: hooks posted on kept connections, and readers
//! that count events. Ours is durable before it is answered or seen; nchan keeps it in memory.

mod fill;
mod load;
mod nchan;
mod wire;

use crate::{
    Bench,
    report::{Figure, Goal, quantile},
    server::{Server, repository, request_of, wait_for},
};
use load::{Load, Side};
use nchan::Nchan;
use std::{cell::LazyCell, io::Read, path::Path, time::Instant};

const GROUP: &str = "streams";
/// Runs, and connections that hooks come from.
const RUNS: usize = 64;

/// The figures of streams.
pub fn figures(bench: &Bench) -> Vec<Figure> {
    allow_open_files();
    let both = LazyCell::new(|| Both::start(bench));
    let mut figures = Vec::new();
    for (readers, goal) in [(10, 1.5), (100, 2.0), (1000, 3.0)] {
        let title = format!("SSE deliveries to {readers} readers");
        if bench.wants(GROUP, &title) {
            let figure = Figure::new(GROUP, title, "/s");
            figures.push(flat_out(
                bench,
                &both,
                readers,
                figure.beside("nchan", Goal::AtLeast(goal)),
            ));
        }
    }
    for readers in [100, 1000] {
        let title = format!("SSE p99 to {readers} readers, 50,000 deliveries/s");
        if bench.wants(GROUP, &title) {
            figures.extend(paced(bench, &both, readers, title));
        }
    }
    let title = "SSE replay of 100,000 events";
    if bench.wants(GROUP, title) {
        let figure = Figure::new(GROUP, title, "/s");
        figures.push(replay(
            bench,
            figure.beside("SQLite, in id order", Goal::AtLeast(0.1)),
        ));
    }
    figures
}

/// Our server with live runs.
struct Ours {
    server: Server,
    runs: Vec<String>,
}

impl Ours {
    fn start(bench: &Bench, folder: &Path) -> Self {
        let server = Server::start(folder);
        let repo = folder.join("repo");
        repository(&repo, 1);
        let agent = server.agent(&repo, &["sleep", "1000"]);
        let runs: Vec<String> = (0..bench.count(RUNS, 4))
            .map(|_| server.run(&agent))
            .collect();
        for run in &runs {
            server.wait_status(run, "running");
        }
        Self { server, runs }
    }

    /// Waits until those who left are seen to have gone.
    fn wait_readers(&self, readers: usize) {
        let wanted = format!("\nabbado_sse_readers {readers}\n");
        wait_for("readers to leave", || {
            let told = self.server.client().get("metrics");
            String::from_utf8_lossy(&told).contains(&wanted)
        });
    }

    fn last_id(&self) -> i64 {
        self.server.get("events/head")["last_event_id"]
            .as_i64()
            .unwrap()
    }

    fn side(&self) -> Side {
        let (address, last) = (&self.server.address, self.last_id());
        let post = |run| request_of(address, &format!("runs/{run}/hook"), &fill::hook());
        Side {
            address: address.clone(),
            stream: format!("/api/events/stream?last_event_id={last}"),
            posts: self.runs.iter().map(post).collect(),
            last: Some(last),
        }
    }

    /// The JSON of an event as readers get it.
    fn event(&self) -> String {
        let run = &self.runs[0];
        self.server
            .client()
            .post(&format!("runs/{run}/hook"), &fill::hook());
        let events = self.server.get(&format!("runs/{run}/events"));
        events.as_array().unwrap().last().unwrap().to_string()
    }
}

/// Both sides at work, one after the other in each round.
struct Both {
    ours: Ours,
    nchan: Nchan,
    peer: Side,
}

impl Both {
    fn start(bench: &Bench) -> Self {
        let ours = Ours::start(bench, &bench.folder.join("streams"));
        let nchan = Nchan::start(&bench.folder.join("nchan"));
        // As many publishers as ours, and messages as large as our events.
        let post = request_of(&nchan.address, "publish", ours.event().as_bytes());
        let peer = Side {
            address: nchan.address.clone(),
            stream: "/api/events/stream".to_owned(),
            posts: vec![post; ours.runs.len()],
            last: None,
        };
        Self { ours, nchan, peer }
    }

    /// What the same work with so many readers gives on ours and on theirs.
    fn round<T>(&self, readers: usize, work: impl Fn(&mut Load) -> T) -> (T, T) {
        self.ours.wait_readers(0);
        let mine = work(&mut Load::connect(&self.ours.side(), readers));
        self.nchan.wait_readers(0);
        let mut load = Load::connect(&self.peer, readers);
        self.nchan.wait_readers(readers);
        (mine, work(&mut load))
    }
}

fn flat_out(bench: &Bench, both: &Both, readers: usize, mut figure: Figure) -> Figure {
    // About two seconds of the slower side.
    let events = bench.count(400_000 / (readers + 10), 50);
    for _ in 0..bench.rounds {
        let (mine, theirs) = both.round(readers, |load| {
            load.publish(events / 10);
            load.flat(events)
        });
        figure.round(mine, [theirs]);
    }
    figure
}

fn paced(bench: &Bench, both: &Both, readers: usize, title: String) -> [Figure; 2] {
    let rate = 50_000 / readers;
    let events = bench.count(rate * 6, 20);
    let middle = Figure::new(GROUP, title.replace("p99", "p50"), "ms").beside("nchan", Goal::None);
    let late = Figure::new(GROUP, title, "ms").beside("nchan", Goal::AtMost(1.0));
    let mut figures = [late, middle];
    for _ in 0..bench.rounds {
        let (mut mine, mut theirs) = both.round(readers, |load| {
            load.paced(events / 10, rate);
            load.paced(events, rate)
        });
        for (figure, part) in figures.iter_mut().zip([0.99, 0.5]) {
            figure.round(quantile(&mut mine, part), [quantile(&mut theirs, part)]);
        }
    }
    figures
}

fn replay(bench: &Bench, mut figure: Figure) -> Figure {
    let folder = bench.folder.join("replay");
    let server = fill::server(&folder, bench.count(100_000, 1000));
    let last = server.get("events/head")["last_event_id"].as_i64().unwrap();
    for _ in 0..bench.rounds {
        let mine = replayed(&server, last);
        figure.round(mine, [fill::scan(&fill::database(&folder))]);
    }
    drop(server);
    std::fs::remove_dir_all(&folder).unwrap();
    figure
}

/// Events a second of one reader that starts at the beginning.
fn replayed(server: &Server, last: i64) -> f64 {
    let begun = Instant::now();
    let stream = "/api/events/stream?last_event_id=0";
    let (mut socket, mut events) = load::open(&server.address, stream, Some(0));
    let mut buffer = vec![0; 256 * 1024];
    while events.last != Some(last) {
        let length = socket.read(&mut buffer).unwrap();
        assert!(length > 0, "the server ended a stream");
        events.take(&buffer[..length], &mut |_| {});
    }
    last as f64 / begun.elapsed().as_secs_f64()
}

/// A connection is a file, and 1,024 of them are often the limit.
fn allow_open_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard.min(8192), hard).unwrap();
}
