//! Start-up and memory with many ended runs, beside an empty server.

use crate::{
    Bench, prefilled,
    report::{Figure, Goal, quantile},
    server::{Server, kib_of},
};
use std::{path::Path, time::Instant};

const GROUP: &str = "startup";
const RUNS: usize = 10_000;
const EVENTS_EACH: usize = 100;
/// Starts of each in one round, in turn.
const STARTS: usize = 5;
/// What is promised of resident memory, in MB.
const RESIDENT_MB: f64 = 60.0;

/// The figures.
pub fn figures(bench: &Bench) -> Vec<Figure> {
    let mut start = Figure::new(GROUP, "start-up, 10,000 ended runs, 1,000,000 events", "ms")
        .beside("start-up of an empty server", Goal::AtMost(1.2));
    let memory =
        |title| Figure::new(GROUP, title, "MB").beside("the promised 60 MB", Goal::AtMost(1.0));
    let mut first = memory("resident after that start-up");
    let mut later = memory("resident after a list of 50 runs, too");
    let all = [&start, &first, &later];
    if !all.iter().any(|figure| bench.wants(GROUP, &figure.title)) {
        return Vec::new();
    }
    let (full, empty) = (bench.folder.join("full"), bench.folder.join("empty"));
    prefilled::fill(&full, bench.count(RUNS, 30), bench.count(EVENTS_EACH, 10));
    // Both have been started before: their files are made, and in the page cache.
    for folder in [&full, &empty] {
        Server::start(folder).stop();
    }
    for _ in 0..bench.rounds {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let mut resident = (Vec::new(), Vec::new());
        for _ in 0..bench.count(STARTS, 1) {
            let (took, server) = start_ms(&empty);
            theirs.push(took);
            server.stop();
            let (took, server) = start_ms(&full);
            ours.push(took);
            resident.0.push(resident_mb(&server));
            server.get("runs?limit=50");
            server.get("health");
            resident.1.push(resident_mb(&server));
            server.stop();
        }
        start.round(quantile(&mut ours, 0.5), [quantile(&mut theirs, 0.5)]);
        first.round(quantile(&mut resident.0, 0.5), [RESIDENT_MB]);
        later.round(quantile(&mut resident.1, 0.5), [RESIDENT_MB]);
    }
    vec![start, first, later]
}

/// From the start of the program to its word that it listens.
pub fn start_ms(folder: &Path) -> (f64, Server) {
    let begun = Instant::now();
    let server = Server::start(folder);
    (begun.elapsed().as_secs_f64() * 1000.0, server)
}

/// Resident memory of a server.
pub fn resident_mb(server: &Server) -> f64 {
    kib_of(server.pid(), "status", "VmRSS:") * 1024.0 / 1e6
}
