//! A viewer that never reads, beside one that does: what it costs the other, and the server.

use super::{
    GROUP,
    flood::{file, flood, script},
    running,
    sides::{Ours, Side},
};
use crate::{
    Bench,
    report::{Figure, Goal},
    server::kib_of,
};
use std::fs;

const TITLES: [&str; 2] = [
    "terminal, flood beside a viewer that never reads",
    "server grown by a viewer that never reads",
];

/// A flood's MB/s, and how many MiB the server had at most meanwhile above `before`.
fn watched(side: &mut dyn Side, pid: u32, before: f64, number: usize, bytes: usize) -> (f64, f64) {
    // The highest mark starts anew.
    fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
    let rate = flood(side, number, bytes);
    (rate, (kib_of(pid, "status", "VmHWM") - before) / 1024.0)
}

pub fn figures(bench: &Bench) -> Vec<Figure> {
    if !TITLES.iter().any(|title| bench.wants(GROUP, title)) {
        return Vec::new();
    }
    let (path, bytes) = file(bench);
    let (server, run) = running(bench, "silent", &script(&path));
    let mut reading = Ours::attach(&server, &run);
    reading.until("@READY@");
    let mut number = 1..;
    let mut next = || number.next().unwrap();
    flood(&mut reading, next(), bytes);
    let mut rate = Figure::new(GROUP, TITLES[0], "MB/s").beside("without it", Goal::AtLeast(0.95));
    let mut grown = Figure::new(GROUP, TITLES[1], "MiB").beside("the limit", Goal::AtMost(1.0));
    for _ in 0..bench.rounds {
        let pid = server.pid();
        let without = flood(&mut reading, next(), bytes);
        let before = kib_of(pid, "status", "VmRSS");
        let never_reads = Ours::attach(&server, &run);
        let (with, most) = watched(&mut reading, pid, before, next(), bytes);
        drop(never_reads);
        rate.round(with, [without]);
        grown.round(most, [4.0]);
    }
    vec![rate, grown]
}
