//! What live runs cost that do nothing, beside as many sessions of tmux.

use crate::{
    Bench,
    report::{Figure, Goal},
    server::{Server, cpu_of, kib_of, repository},
    terminal::TmuxServer,
};
use std::time::{Duration, Instant};

const GROUP: &str = "idle";
const TITLES: [&str; 2] = [
    "50 live idle runs, share of a core",
    "memory of a holder of an idle run",
];
const RUNS: usize = 50;
const PROGRAM: [&str; 2] = ["sleep", "10000"];

/// Processor time of these processes so far, in nanoseconds.
fn time_of(pids: &[u32]) -> f64 {
    pids.iter().map(|pid| cpu_of(*pid).as_nanos() as f64).sum()
}

/// The proportional memory of one of these processes, in MB.
fn memory_of(pids: &[u32]) -> f64 {
    let kib: f64 = pids
        .iter()
        .map(|pid| kib_of(*pid, "smaps_rollup", "Pss:"))
        .sum();
    kib * 1024.0 / 1e6 / pids.len() as f64
}

/// Processor time and memory.
pub fn figures(bench: &Bench) -> Vec<Figure> {
    if !TITLES.iter().any(|title| bench.wants(GROUP, title)) {
        return Vec::new();
    }
    let folder = bench.folder.join("idle");
    let server = Server::start(&folder);
    let repo = folder.join("repo");
    repository(&repo, 1);
    let agent = server.agent(&repo, &PROGRAM);
    let runs: Vec<_> = (0..RUNS).map(|_| server.run(&agent)).collect();
    for run in &runs {
        server.wait_status(run, "running");
    }
    let holders = abbado::pty::holders(&folder.join("data/runs")).unwrap();
    let holders: Vec<_> = holders.iter().map(|holder| holder.pid).collect();
    assert_eq!(holders.len(), RUNS);
    let ours = [&holders[..], &[server.pid()]].concat();

    let tmux = TmuxServer::new(&bench.folder, "idle.tmux");
    for _ in 0..RUNS {
        tmux.session(&PROGRAM);
    }
    let its: u32 = tmux
        .run(&["display-message", "-p", "#{pid}"])
        .trim()
        .parse()
        .unwrap();

    let mut share = Figure::new(GROUP, TITLES[0], "%")
        .beside("the limit", Goal::AtMost(1.0))
        .beside("tmux, 50 sessions", Goal::None);
    let mut memory = Figure::new(GROUP, TITLES[1], "MB")
        .beside("the limit", Goal::AtMost(1.0))
        .beside("tmux, a session", Goal::None);
    for _ in 0..bench.rounds {
        let (begun, before) = (Instant::now(), [time_of(&ours), time_of(&[its])]);
        pause(Duration::from_secs(bench.count(20, 1) as u64));
        let share_of =
            |now: f64, before: f64| (now - before) / begun.elapsed().as_nanos() as f64 * 100.0;
        let [all, one] = [
            share_of(time_of(&ours), before[0]),
            share_of(time_of(&[its]), before[1]),
        ];
        share.round(all, [0.5, one]);
        memory.round(memory_of(&holders), [3.0, memory_of(&[its]) / RUNS as f64]);
    }
    vec![share, memory]
}

#[expect(clippy::disallowed_methods, reason = "nothing is to happen meanwhile")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
