//! From the request for a run to the start of its process, beside `git worktree add`.

use super::{GROUP, LARGE, MEDIUM, packed, seconds, settled};
use crate::{
    Bench,
    report::{Figure, Goal, quantile},
    server::{Server, git, wait_for},
};
use serde_json::json;
use std::{
    fs,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

const COLD: &str = "run to process start, 50,000 files, cold";
const SPARE: &str = "run to process start, 50,000 files, spare worktree";
const CROWD: &str = "20 runs at once, 10,000 files each";
const HEALTH: &str = "health p99 while 20 runs are set up";

/// The peers of a checkout.
const ADD: &str = "git worktree add";
const ADD_PARALLEL: &str = "git -c checkout.workers=2 worktree add";

/// Cold starts in one round, each beside a checkout by two workers; the medians count.
const PAIRS: usize = 4;
/// Runs at once.
const RUNS: usize = 20;
/// What health may take, in milliseconds.
const HEALTH_MILLIS: f64 = 10.0;

/// A server, a repository, and an agent whose program writes down when it began.
struct World {
    server: Server,
    repo: PathBuf,
    agent: String,
    /// Where the programs write.
    began: PathBuf,
    /// Worktrees of the peer so far.
    peers: AtomicUsize,
}

impl World {
    fn new(bench: &Bench, name: &str, files: usize) -> Self {
        let folder = bench.folder.join(name);
        let (repo, began) = (folder.join("repo"), folder.join("began"));
        packed(&repo, files);
        fs::create_dir(&began).unwrap();
        let server = Server::start(&folder);
        // No program beside the shell: twenty at once are measured, and are no part of the peer.
        let script = format!(": >'{}'/$ABBADO_RUN_ID", began.display());
        let agent = server.agent(&repo, &["sh", "-c", &script]);
        Self {
            server,
            repo,
            agent,
            began,
            peers: AtomicUsize::new(0),
        }
    }

    /// When a run's program began, since 1970: the time of its file, at most a tick of the kernel's
    /// clock (4 ms) early.
    fn began(&self, run: &str) -> Duration {
        let path = self.began.join(run);
        wait_for("start of a program", || path.exists());
        since_1970(fs::metadata(path).unwrap().modified().unwrap())
    }

    /// From the request to the start of the program, and its end.
    fn start(&self) -> f64 {
        nix::unistd::sync();
        let begun = now();
        let run = self.server.run(&self.agent);
        let took = seconds(self.began(&run) - begun);
        self.server.wait_status(&run, "completed");
        took
    }

    /// The peer: a worktree with a branch of its own.
    fn add(&self, settings: &[&str]) -> f64 {
        settled(|| self.add_one(settings)).0
    }

    fn add_one(&self, settings: &[&str]) {
        let name = format!("peer{}", self.peers.fetch_add(1, Ordering::SeqCst));
        // In the file system of the runs' worktrees.
        let path = self.server.folder.join(&name);
        let path = path.to_str().unwrap();
        let add = ["worktree", "add", "-q", "-b", &name, path];
        git(&self.repo, &[settings, &add].concat());
    }

    /// Asks for spare worktrees, and waits until one is ready.
    fn spare(&self) {
        let projects = self.server.get("projects");
        let id = projects[0]["id"].as_str().unwrap();
        let change = json!({"spare_worktrees": true}).to_string();
        let mut client = self.server.client();
        client.put(&format!("projects/{id}"), change.as_bytes());
        wait_for("spare worktree", || {
            let metrics = client.get("metrics");
            let text = String::from_utf8(metrics).unwrap();
            text.lines().any(|line| line == "abbado_spare_worktrees 1")
        });
    }
}

fn now() -> Duration {
    #[expect(
        clippy::disallowed_methods,
        reason = "compared with what the kernel read from the same clock"
    )]
    since_1970(SystemTime::now())
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap()
}

/// One run at a time, with and without a spare worktree.
pub(super) fn starts(bench: &Bench) -> Vec<Figure> {
    let wanted = [COLD, SPARE].map(|title| bench.wants(GROUP, title));
    if wanted == [false, false] {
        return Vec::new();
    }
    let goals = [Goal::AtMost(1.05), Goal::AtMost(0.15)];
    let mut figures = Vec::new();
    for (at, title) in [COLD, SPARE].into_iter().enumerate() {
        let figure = Figure::new(GROUP, title, "s");
        figures.push(
            figure
                .beside(ADD, goals[at])
                .beside(ADD_PARALLEL, goals[at]),
        );
    }
    let worlds =
        ["cold", "warm"].map(|name| World::new(bench, name, bench.count(LARGE.0, LARGE.1)));
    let [cold, warm] = &worlds;
    for _ in 0..bench.rounds {
        let add = cold.add(&[]);
        let (mut parallel, mut ours) = (Vec::new(), Vec::new());
        for turn in 0..bench.count(PAIRS, 1) {
            // Each side as often behind the other as before it: a checkout leaves pages and
            // folders behind that the next one goes by.
            let mut peer = || parallel.push(cold.add(&["-c", "checkout.workers=2"]));
            if turn % 2 == 0 {
                peer();
            }
            if wanted[0] {
                ours.push(cold.start());
            }
            if turn % 2 == 1 {
                peer();
            }
        }
        let parallel = quantile(&mut parallel, 0.5);
        if wanted[0] {
            figures[0].round(quantile(&mut ours, 0.5), [add, parallel]);
        }
        if wanted[1] {
            warm.spare();
            let spare = warm.start();
            warm.spare();
            figures[1].round(spare, [add, parallel]);
        }
    }
    let kept = figures.into_iter().zip(wanted);
    kept.filter_map(|(figure, wanted)| wanted.then_some(figure))
        .collect()
}

/// Many at once, and how the server answers meanwhile.
pub(super) fn crowd(bench: &Bench) -> Vec<Figure> {
    if !bench.wants(GROUP, CROWD) && !bench.wants(GROUP, HEALTH) {
        return Vec::new();
    }
    let all = Figure::new(GROUP, CROWD, "s");
    let mut all = all.beside("20 × git worktree add, two at a time", Goal::AtMost(1.1));
    let health = Figure::new(GROUP, HEALTH, "ms");
    let mut health = health.beside("10 ms", Goal::AtMost(1.0));
    let world = World::new(bench, "crowd", bench.count(MEDIUM.0, MEDIUM.1));
    for round in 0..bench.rounds {
        let [mut ours, mut theirs] = [f64::NAN; 2];
        for turn in 0..2 {
            if (round + turn) % 2 == 0 {
                theirs = add_all(&world);
            } else {
                let (took, mut answers) = run_all(&world);
                ours = took;
                health.round(quantile(&mut answers, 0.99), [HEALTH_MILLIS]);
            }
        }
        all.round(ours, [theirs]);
    }
    vec![all, health]
}

/// All worktrees, two at a time.
fn add_all(world: &World) -> f64 {
    let next = AtomicUsize::new(0);
    let (took, ()) = settled(|| {
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while next.fetch_add(1, Ordering::SeqCst) < RUNS {
                        world.add_one(&[]);
                    }
                });
            }
        });
    });
    took
}

/// All runs; from the first request to the start of the last program, and what health took.
fn run_all(world: &World) -> (f64, Vec<f64>) {
    nix::unistd::sync();
    let runs = Mutex::new(Vec::new());
    let over = AtomicBool::new(false);
    let begun = now();
    let (last, answers) = std::thread::scope(|scope| {
        let health = scope.spawn(|| ask(&world.server, &over));
        let requests: Vec<_> = (0..RUNS)
            .map(|_| {
                scope.spawn(|| {
                    let run = world.server.run(&world.agent);
                    runs.lock().unwrap().push(run);
                })
            })
            .collect();
        requests
            .into_iter()
            .for_each(|request| request.join().unwrap());
        let runs = runs.lock().unwrap();
        let last = runs.iter().map(|run| world.began(run)).max().unwrap();
        over.store(true, Ordering::SeqCst);
        (last, health.join().unwrap())
    });
    let runs = runs.into_inner().unwrap();
    for run in &runs {
        world.server.wait_status(run, "completed");
    }
    (seconds(last - begun), answers)
}

/// Asks for the health a hundred times a second; milliseconds of each answer.
#[expect(clippy::disallowed_methods, reason = "a paced client")]
fn ask(server: &Server, over: &AtomicBool) -> Vec<f64> {
    let mut client = server.client();
    let mut answers = Vec::new();
    while !over.load(Ordering::SeqCst) {
        let begun = Instant::now();
        client.get("health");
        answers.push(seconds(begun.elapsed()) * 1000.0);
        std::thread::sleep(Duration::from_millis(10));
    }
    answers
}
