//! Mixed load for a while, and what grew: `cargo bench --bench system -- soak --minutes 30`.
//!
//! Runs start, end and are deleted; readers of the stream and viewers of floods come and go; hooks
//! come at a steady pace. Nothing is kept, so nothing may grow. Samples go into
//! bench-results/soak.json, the plot into docs/performance.

mod sample;
mod work;

use crate::{
    Bench,
    plot::{Panel, draw},
    report::{self, quantile},
    server::{Server, git_says, repository, wait_for},
};
use sample::{QUANTITIES, Sample};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};
use work::World;

/// Left out of the comparison: caches and pools fill.
const WARM_UP: f64 = 0.15;

/// Puts the load on, samples, compares, and looks at what is left.
pub fn run(bench: &Bench) {
    let folder = bench.folder.join("soak");
    let repo = folder.join("repo");
    repository(&repo, 20);
    let server = Server::start(&folder);
    let whole = Duration::from_secs_f64(bench.minutes * 60.0);
    let world = World::new(&server, &repo);
    let every = Duration::from_secs_f64((bench.minutes * 60.0 / 30.0).clamp(0.2, 10.0));
    let mut samples = vec![sample::take(&server, &repo, 0.0)];
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let _stop = Stop(&world.over);
        for work in work::ALL {
            let world = &world;
            scope.spawn(|| {
                // One that fails ends all.
                let _stop = Stop(&world.over);
                work(world);
            });
        }
        while begun.elapsed() < whole && !world.is_over() {
            world.pause(every);
            let minutes = begun.elapsed().as_secs_f64() / 60.0;
            samples.push(sample::take(&server, &repo, minutes));
        }
    });
    println!("{}", world.done());
    let grown = compare(&samples[1..]);
    let left = left(&server, &repo, &samples[0]);
    let later = after_retention(server, &repo, &samples[0]);
    plot(bench, &samples[1..]);
    let names: Vec<_> = QUANTITIES
        .iter()
        .map(|it| format!("{}, {}", it.name, it.unit))
        .collect();
    let rows: Vec<Value> = samples
        .iter()
        .map(|it| json!([it.minutes, it.values]))
        .collect();
    let all = json!({"minutes": bench.minutes, "quantities": names, "samples": rows,
                     "grown": grown, "left": left, "after retention": later});
    report::keep("soak", &all);
}

/// Ends the load when it goes.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The middle of the first third beside that of the last, after the warm-up.
fn compare(samples: &[Sample]) -> Vec<Value> {
    let warm = &samples[(samples.len() as f64 * WARM_UP) as usize..];
    let third = warm.len().div_ceil(3);
    let (first, last) = (&warm[..third], &warm[warm.len() - third..]);
    let middle = |some: &[Sample], at: usize| {
        let mut values: Vec<f64> = some.iter().map(|sample| sample.values[at]).collect();
        quantile(&mut values, 0.5)
    };
    let mut rows = Vec::new();
    for (at, quantity) in QUANTITIES.iter().enumerate() {
        let (before, after) = (middle(first, at), middle(last, at));
        let grew = after > before * 1.05 + quantity.noise;
        let verdict = if grew { "GREW" } else { "flat" };
        println!(
            "{:<44} {before:>10.2} {after:>10.2} {:<4} {verdict}",
            quantity.name, quantity.unit
        );
        rows.push(
            json!({"name": quantity.name, "unit": quantity.unit, "first": before,
                         "last": after, "grew": grew}),
        );
    }
    rows
}

fn plot(bench: &Bench, samples: &[Sample]) {
    let panel = |(at, quantity): (usize, &sample::Quantity)| Panel {
        title: quantity.name.to_owned(),
        x: "minutes".to_owned(),
        y: quantity.unit.to_owned(),
        log_x: false,
        points: samples
            .iter()
            .map(|it| (it.minutes, it.values[at]))
            .collect(),
    };
    let panels: Vec<Panel> = QUANTITIES.iter().enumerate().map(panel).collect();
    draw(&bench.plots().join("soak.svg"), &panels);
}

/// Everything was deleted: says what is there all the same.
fn left(server: &Server, repo: &Path, begun: &Sample) -> Value {
    let data = server.folder.join("data");
    let entries = |name: &str| fs::read_dir(data.join(name)).map_or(0, Iterator::count);
    // The last holders go once they have the word that their exit was recorded.
    wait_for("end of all processes", || {
        sample::processes(server).is_empty()
    });
    let lines = |arguments: &[&str]| git_says(repo, arguments).lines().count();
    let after = sample::take(server, repo, 0.0);
    let at = |name: &str| QUANTITIES.iter().position(|it| it.name == name).unwrap();
    let files = at("open files");
    let left = json!({
        "runs": server.get("runs").as_array().unwrap().len(),
        "processes": sample::processes(server).len(),
        "run folders": entries("runs"),
        "folders of worktrees": entries("worktrees"),
        "worktrees that git knows": lines(&["worktree", "list"]) - 1,
        "branches of runs": lines(&["branch", "--list", "abbado/*"]),
        "refs of deleted runs (kept for 30 days)": lines(&["for-each-ref", "refs/abbado"]),
        "open files more than at first": after.values[files] - begun.values[files],
        "open files": sample::open_files(server),
    });
    println!("left when everything was deleted: {left:#}");
    left
}

/// What the disk holds a month later, when the work of deleted runs is let go and git has
/// collected it. The clock can be moved only in a build with `test-faults`.
fn after_retention(server: Server, repo: &Path, begun: &Sample) -> Value {
    if !cfg!(feature = "test-faults") {
        println!(
            "what is left a month later was not looked at: that needs the feature test-faults"
        );
        return Value::Null;
    }
    let folder = server.folder.clone();
    server.stop();
    let clock = folder.join("clock");
    fs::write(&clock, (31_u64 * 24 * 60 * 60 * 1000).to_string()).unwrap();
    let server = Server::start_with(&folder, Some(("ABBADO_CLOCK", &clock)));
    let refs = || {
        git_says(repo, &["for-each-ref", "refs/abbado"])
            .lines()
            .count()
    };
    wait_for("end of what deleted runs left", || refs() == 0);
    for arguments in [
        &["reflog", "expire", "--expire=now", "--all"][..],
        &["gc", "--quiet", "--prune=now"],
    ] {
        git_says(repo, arguments);
    }
    let after = sample::take(&server, repo, 0.0);
    let row = |(at, quantity): (usize, &sample::Quantity)| {
        let (before, after) = (begun.values[at], after.values[at]);
        json!({"name": quantity.name, "unit": quantity.unit, "before": before, "after": after})
    };
    let disk = QUANTITIES.iter().enumerate();
    let disk: Vec<Value> = disk.filter(|(_, it)| it.on_disk()).map(row).collect();
    println!("the disk a month later: {:#}", json!(disk));
    json!(disk)
}
