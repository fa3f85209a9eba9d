//! What more events, readers and runs cost: `cargo bench --bench system -- growth`.
//!
//! Three plots into docs/performance, the numbers into bench-results/growth.json.

use crate::{
    Bench,
    hooks::payload,
    load::load,
    plot::{Panel, draw},
    prefilled,
    readers::Readers,
    report::{self, quantile},
    server::{Client, Server, cpu_of, repository, request_of, wait_for},
    startup::{resident_mb, start_ms},
};
use serde_json::json;
use std::{path::PathBuf, time::Duration};

/// Connections that send hooks at once.
const CONNECTIONS: usize = 16;
/// Hooks of each of them at one measurement.
const HOOKS: (usize, usize) = (200, 2);

/// Measures, and draws.
pub fn run(bench: &Bench) {
    let events = vec![events(bench)];
    let readers = vec![readers(bench)];
    let runs = runs(bench);
    let mut all = json!({});
    for (name, panels) in [("events", events), ("readers", readers), ("runs", runs)] {
        draw(&bench.plots().join(format!("growth-{name}.svg")), &panels);
        for panel in &panels {
            println!("{}, {}, by {}", panel.title, panel.y, panel.x);
            for (x, y) in &panel.points {
                println!("{x:>12} {y:>12.3}");
            }
            all[name][&panel.title] = json!({"unit": panel.y, "points": panel.points});
        }
    }
    report::keep("growth", &all);
}

/// A panel of the medians of several rounds.
fn panel(title: &str, x: &str, y: &str, rounds: Vec<(usize, Vec<f64>)>) -> Panel {
    let middle = |(x, mut values): (usize, Vec<f64>)| (x as f64, quantile(&mut values, 0.5));
    Panel {
        title: title.to_owned(),
        x: x.to_owned(),
        y: y.to_owned(),
        log_x: true,
        points: rounds.into_iter().map(middle).collect(),
    }
}

/// Waits until a server does nothing.
fn settle(server: &Server) {
    let mut last = Duration::ZERO;
    let mut quiet = 0;
    wait_for("rest", || {
        let now = cpu_of(server.pid());
        quiet = if now - last < Duration::from_micros(100) {
            quiet + 1
        } else {
            0
        };
        last = now;
        quiet == 20
    });
}

/// µs of the server's processor time for a hook to one run.
fn hook_us(server: &Server, run: &str, each: usize) -> f64 {
    let request = request_of(
        &server.address,
        &format!("runs/{run}/hook"),
        payload().as_bytes(),
    );
    let requests = || vec![request.clone(); CONNECTIONS];
    // The run's actor and the connection's caches are warm.
    load(&server.address, requests(), 3);
    settle(server);
    let before = cpu_of(server.pid());
    load(&server.address, requests(), each);
    (cpu_of(server.pid()) - before).as_secs_f64() * 1e6 / (CONNECTIONS * each) as f64
}

/// A hook's cost by the events that are in the log, in ten runs.
fn events(bench: &Bench) -> Panel {
    const RUNS: usize = 10;
    let counts: &[usize] = bench.pick(&[1_000, 10_000, 100_000, 1_000_000], &[100, 1_000]);
    let mut servers = Vec::new();
    let mut rounds = Vec::new();
    for count in counts {
        let folder = bench.folder.join(format!("events{count}"));
        prefilled::fill(&folder, RUNS, count / RUNS);
        let server = Server::start(&folder);
        let run = server.running(&server.agent(&folder.join("repo"), &["sleep", "1000"]));
        servers.push((server, run));
        rounds.push((*count, Vec::new()));
    }
    for round in 0..bench.rounds {
        let measure = |((server, run), (_, values)): (&(Server, String), &mut (_, Vec<f64>))| {
            values.push(hook_us(server, run, bench.count(HOOKS.0, HOOKS.1)));
        };
        let both = servers.iter().zip(&mut rounds);
        // There and back: none is always the last.
        if round % 2 == 0 {
            both.for_each(measure);
        } else {
            both.rev().for_each(measure);
        }
    }
    panel(
        "A hook to one run",
        "events in the log",
        "µs of server CPU",
        rounds,
    )
}

/// A delivery's cost by readers: one hook after the other, each waited for by all readers. The
/// hook's own cost is taken off.
fn readers(bench: &Bench) -> Panel {
    let counts: &[usize] = bench.pick(&[10, 30, 100, 300, 1_000], &[3, 10]);
    let deliveries = bench.count(30_000, 60);
    let folder = bench.folder.join("readers");
    let repo = folder.join("repo");
    repository(&repo, 1);
    let server = Server::start(&folder);
    let run = server.running(&server.agent(&repo, &["sleep", "1000"]));
    let path = format!("runs/{run}/hook");
    let mut client = server.client();
    let hook = |client: &mut Client| drop(client.post(&path, payload().as_bytes()));
    let mut rounds: Vec<_> = counts.iter().map(|count| (*count, Vec::new())).collect();
    for _ in 0..bench.rounds {
        for (count, values) in &mut rounds {
            let hooks = deliveries / *count;
            settle(&server);
            let before = cpu_of(server.pid());
            (0..hooks).for_each(|_| hook(&mut client));
            let alone = cpu_of(server.pid()) - before;
            let head = server.get("events/head")["last_event_id"].as_i64().unwrap();
            let mut readers = Readers::open(&server.address, *count, head);
            // Each reader has reached the live stream when it has one event of it.
            hook(&mut client);
            readers.wait(1);
            settle(&server);
            let before = cpu_of(server.pid());
            for _ in 0..hooks {
                hook(&mut client);
                readers.wait(1);
            }
            let together = cpu_of(server.pid()) - before;
            let more = together.saturating_sub(alone).as_secs_f64();
            values.push(more * 1e6 / (hooks * *count) as f64);
        }
    }
    panel(
        "A delivery to a reader",
        "readers",
        "µs of server CPU",
        rounds,
    )
}

/// A hook's cost, start-up and memory by the ended runs that are stored, of 100 events each.
fn runs(bench: &Bench) -> Vec<Panel> {
    let counts: &[usize] = bench.pick(&[10, 100, 1_000, 10_000], &[2, 20]);
    let folder = |count: &usize| -> PathBuf {
        let folder = bench.folder.join(format!("runs{count}"));
        prefilled::fill(&folder, *count, bench.count(100, 10));
        // Started once before: its files are in the page cache.
        Server::start(&folder).stop();
        folder
    };
    let folders: Vec<PathBuf> = counts.iter().map(folder).collect();
    let empty = || {
        counts
            .iter()
            .map(|count| (*count, Vec::new()))
            .collect::<Vec<_>>()
    };
    let (mut starts, mut resident, mut hooks) = (empty(), empty(), empty());
    for _ in 0..bench.rounds {
        for (at, folder) in folders.iter().enumerate() {
            let (took, server) = start_ms(folder);
            starts[at].1.push(took);
            settle(&server);
            resident[at].1.push(resident_mb(&server));
            let run = server.running(&server.agent(&folder.join("repo"), &["sleep", "1000"]));
            hooks[at]
                .1
                .push(hook_us(&server, &run, bench.count(HOOKS.0, HOOKS.1)));
            server.post(&format!("runs/{run}/cancel"), &json!(null));
            server.stop();
        }
    }
    let of = "ended runs";
    vec![
        panel("A hook to one run", of, "µs of server CPU", hooks),
        panel("Start-up", of, "ms", starts),
        panel("Resident after start-up", of, "MB", resident),
    ]
}
