//! One history under servers that are killed: the requests, and what was acknowledged.

use super::{leftovers, log};
use crate::support::{PATIENCE, Server, Sse, World, pause, text};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, VecDeque},
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Instant,
};

/// Works, tells its session and the end of its turn, and waits at its prompt.
const WAITER: &str = r#"hook() { printf '%s' "$1" | "$ABBADO_HOOK" > hook.out; }
hook '{"hook_event_name":"SessionStart","session_id":"s-'$ABBADO_RUN_ID'"}'
echo work > work-$$.txt
hook '{"hook_event_name":"Stop"}'
while :; do sleep 0.05; done"#;
/// Tells six numbers and ends.
const WORKER: &str = r#"i=0; while [ $i -lt 6 ]; do i=$((i+1)); echo $i > file.txt
printf '{"hook_event_name":"Note","number":"w%d"}' $i | "$ABBADO_HOOK" > hook.out; done"#;

/// Seeds that play each point once, at its first pass unless it is passed all the time.
const FIRST_ROUND: u64 = 25;

/// Results of histories.
#[derive(Default)]
pub struct Outcome {
    pub passes: BTreeMap<String, usize>,
    pub kills: BTreeMap<String, usize>,
    pub other_kills: usize,
    pub hooks: usize,
    pub commands: usize,
}

impl Outcome {
    pub fn add(&mut self, other: Self) {
        for (mine, theirs) in [
            (&mut self.passes, other.passes),
            (&mut self.kills, other.kills),
        ] {
            for (name, count) in theirs {
                *mine.entry(name).or_default() += count;
            }
        }
        self.other_kills += other.other_kills;
        self.hooks += other.hooks;
        self.commands += other.commands;
    }
}

/// Something that a server acknowledged, which the log must contain once.
#[derive(Debug)]
pub enum Said {
    Hook {
        run: String,
        number: String,
    },
    Event {
        run: String,
        event_type: &'static str,
    },
    Message {
        run: String,
        text: String,
    },
}

struct Play {
    seed: u64,
    /// The point it is about.
    first: String,
    world: World,
    random: fastrand::Rng,
    server: Option<Server>,
    /// Of the present server.
    fault: Option<String>,
    /// Of the next ones.
    lives: VecDeque<Option<String>>,
    address: Arc<Mutex<String>>,
    outcome: Outcome,
    said: Vec<Said>,
    numbers: usize,
    /// A run whose hook program is used while no server is there.
    waiter: Option<String>,
}

fn fault(random: &mut fastrand::Rng, point: &str, seed: u64) -> String {
    let nth = match point.split('.').next().unwrap() {
        "run" | "store" | "publish" => random.u32(1..=25),
        "launch" | "spool" | "checkpoint" | "set_up" if seed >= FIRST_ROUND => random.u32(1..=2),
        _ => 1,
    };
    format!("{point}:kill@{nth}")
}

/// Plays a history to its end and judges it.
pub fn play(seed: u64, points: &[&str]) -> Outcome {
    let mut random = fastrand::Rng::with_seed(seed);
    let point = points[usize::try_from(seed).unwrap() % points.len()];
    let mut lives = VecDeque::from([Some(fault(&mut random, point, seed))]);
    if point.starts_with("spool.") {
        // The spool is filled while no server is there.
        lives.push_front(None);
    }
    if random.u8(..3) == 0 {
        let second = points[random.usize(..points.len())];
        lives.push_back(Some(fault(&mut random, second, seed)));
    }
    let mut play = Play {
        seed,
        first: point.to_owned(),
        world: World::new(),
        random,
        server: None,
        fault: None,
        lives,
        address: Arc::default(),
        outcome: Outcome::default(),
        said: Vec::new(),
        numbers: 0,
        waiter: None,
    };
    play.alive();
    let seen = Arc::new(AtomicI64::new(0));
    let over = Arc::new(AtomicBool::new(false));
    let reader = {
        let (address, seen, over) = (
            Arc::clone(&play.address),
            Arc::clone(&seen),
            Arc::clone(&over),
        );
        std::thread::spawn(move || read(&address, &seen, &over))
    };
    // Also when the history fails, the reader ends.
    let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let runs = play.script();
        play.settle(&runs, &seen);
        runs
    }));
    over.store(true, Ordering::SeqCst);
    let server = play.server.take();
    if let (Ok(_), Some(server)) = (&told, server) {
        leftovers::while_it_runs(&play.world, &server);
        assert_eq!(server.terminate(), Some(0));
    }
    let seen = reader.join().unwrap();
    let runs = told.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    log::judge(&play.world, &play.said, &seen, &runs);
    leftovers::after_it(&play.world);
    let passes = std::fs::read_to_string(play.world.path("passes")).unwrap_or_default();
    for name in passes.lines() {
        *play.outcome.passes.entry(name.to_owned()).or_default() += 1;
    }
    play.outcome
}

/// Reads the stream of all runs over every kill; gives each event's id, run and sequence.
fn read(address: &Mutex<String>, seen: &AtomicI64, over: &AtomicBool) -> Vec<(i64, String, i64)> {
    let mut events = Vec::new();
    while !over.load(Ordering::SeqCst) {
        let at = address.lock().unwrap().clone();
        let Ok(mut stream) = Sse::open(&at, "events/stream", seen.load(Ordering::SeqCst)) else {
            pause();
            continue;
        };
        while let Ok((id, event)) = stream.next() {
            events.push((
                id,
                text(&event, "run_id"),
                event["sequence"].as_i64().unwrap(),
            ));
            seen.store(id, Ordering::SeqCst);
        }
    }
    events
}

impl Play {
    /// The present server; the next one when it was killed.
    fn alive(&mut self) {
        if self.server.as_mut().is_some_and(|server| !server.gone()) {
            return;
        }
        if self.server.take().is_some() {
            self.was_killed();
            self.spool();
        }
        let passes = self.world.path("passes");
        for _ in 0..10 {
            self.fault = self.lives.pop_front().flatten();
            let mut env = vec![("ABBADO_PASSES", passes.to_str().unwrap())];
            env.extend(self.fault.as_deref().map(|fault| ("ABBADO_FAULT", fault)));
            match self.world.try_serve(
                std::process::Command::new(env!("CARGO_BIN_EXE_abbado")),
                "127.0.0.1:0",
                &env,
            ) {
                Ok(server) => {
                    self.address.lock().unwrap().clone_from(&server.address);
                    self.server = Some(server);
                    return;
                }
                Err(line) => {
                    assert_eq!(line, "", "seed {}: {}", self.seed, self.world.log());
                    self.was_killed();
                }
            }
        }
        panic!("seed {}: no server comes up", self.seed);
    }

    fn was_killed(&mut self) {
        let (seed, log) = (self.seed, self.world.log());
        let fault = self.fault.take();
        let fault =
            fault.unwrap_or_else(|| panic!("seed {seed}: the server ended by itself\n{log}"));
        let (point, _) = fault.split_once(':').unwrap();
        *self.outcome.kills.entry(point.to_owned()).or_default() += 1;
    }

    /// Kills the server at no point that has a name.
    fn kill(&mut self) {
        if self.server.as_mut().is_some_and(|server| !server.gone()) {
            self.server.take().unwrap().kill();
            self.outcome.other_kills += 1;
            self.spool();
        }
        self.alive();
    }

    /// Hooks that come while no server is there.
    fn spool(&mut self) {
        let Some(run) = self.waiter.clone() else {
            return;
        };
        let least = usize::from(
            self.lives
                .iter()
                .flatten()
                .any(|fault| fault.starts_with("spool.")),
        );
        for _ in 0..self.random.usize(least..4) {
            self.by_program(&run);
        }
    }

    /// A hook by the run's own hook program: it is kept, whatever happens to the server.
    fn by_program(&mut self, run: &str) {
        let hook = self.world.data().join("runs").join(run).join("hook");
        if !hook.exists() {
            return;
        }
        let number = self.number();
        let mut child = Command::new(hook)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let payload = json!({"hook_event_name": "Note", "number": number}).to_string();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(payload.as_bytes())
            .unwrap();
        assert!(child.wait().unwrap().success());
        self.outcome.hooks += 1;
        self.said.push(Said::Hook {
            run: run.to_owned(),
            number,
        });
    }

    fn number(&mut self) -> String {
        self.numbers += 1;
        format!("n{}", self.numbers)
    }

    /// One request; none when the server was killed under it.
    fn call(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Option<(u16, Value)> {
        self.alive();
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let url = format!("http://{}/api/{path}", self.address.lock().unwrap());
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        if !body.is_empty() {
            request = request.header("Content-Type", "application/json");
        }
        let answer = agent.run(request.body(body).unwrap());
        let answer = answer.and_then(|mut answer| {
            let text = answer.body_mut().read_to_string()?;
            Ok((answer.status().as_u16(), text))
        });
        if let Ok((status, text)) = answer {
            return Some((
                status,
                serde_json::from_str(&text).unwrap_or(Value::String(text)),
            ));
        }
        let begun = Instant::now();
        while !self.server.as_mut().unwrap().gone() {
            assert!(
                begun.elapsed() < PATIENCE,
                "seed {}: no answer to {method} {path}",
                self.seed
            );
            pause();
        }
        None
    }

    /// Asks until it is answered, with one key; the first answer counts.
    fn must(&mut self, path: &str, body: &Value) -> Value {
        let key = format!("key-{}", self.number());
        loop {
            if let Some((status, answer)) =
                self.call("POST", path, &[("Idempotency-Key", &key)], body)
            {
                assert!(
                    matches!(status, 200 | 201),
                    "seed {}: {path}: {status} {answer}",
                    self.seed
                );
                self.outcome.commands += 1;
                return answer;
            }
        }
    }

    /// Asks until it is answered. True when the yes was heard; after a kill the server may say
    /// that it is so already.
    fn stop(&mut self, method: &str, path: &str, fine: u16, already: u16) -> bool {
        let mut again = false;
        loop {
            if let Some((status, answer)) = self.call(method, path, &[], &Value::Null) {
                let so = status == fine || (again && status == already);
                assert!(so, "seed {}: {path}: {status} {answer}", self.seed);
                self.outcome.commands += usize::from(status == fine);
                return status == fine;
            }
            again = true;
        }
    }

    /// Hooks by POST; one whose answer was not heard may come again, with the same delivery.
    fn hooks(&mut self, run: &str, count: usize) {
        for _ in 0..count {
            let number = self.number();
            let delivery = uuid::Uuid::from_u128(self.random.u128(..)).to_string();
            let body = json!({"hook_event_name": "Note", "number": number});
            let (mut heard, mut repeat) = (false, true);
            while repeat {
                let path = format!("runs/{run}/hook");
                let answer = self.call("POST", &path, &[("X-Abbado-Delivery", &delivery)], &body);
                assert!(
                    matches!(answer, None | Some((200, _))),
                    "seed {}: {answer:?}",
                    self.seed
                );
                heard |= answer.is_some();
                // Also one that was answered may come twice.
                repeat = if heard {
                    self.random.u8(..4) == 0
                } else {
                    self.random.bool()
                };
            }
            if heard {
                self.outcome.hooks += 1;
                self.said.push(Said::Hook {
                    run: run.to_owned(),
                    number,
                });
            }
        }
    }

    fn wait(&mut self, run: &str, sentence: &str, is: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            if let Some((200, view)) = self.call("GET", &format!("runs/{run}"), &[], &Value::Null) {
                if is(&view) {
                    return view;
                }
                let late = begun.elapsed() > PATIENCE;
                assert!(
                    !late,
                    "seed {}: not so: {sentence}\n{view:#}\n{}",
                    self.seed,
                    self.world.log()
                );
            }
            pause();
        }
    }

    fn agent(&mut self, project: &str, fields: &Value) -> String {
        let mut agent = json!({"project_id": project, "name": "a"});
        let object = agent.as_object_mut().unwrap();
        object.extend(fields.as_object().unwrap().clone());
        text(&self.must("agents", &agent), "id")
    }

    fn run(&mut self, agent: &str) -> String {
        let run = text(
            &self.must("runs", &json!({"agent_id": agent, "task": "x"})),
            "id",
        );
        let event_type = "run.created";
        self.said.push(Said::Event {
            run: run.clone(),
            event_type,
        });
        run
    }

    /// The step after which the server is killed at no point that has a name.
    fn other_kill(&mut self) -> usize {
        // The first round kills at its points and nowhere else.
        if self.first.starts_with("spool.") {
            self.random.usize(..5)
        } else if self.seed < FIRST_ROUND || self.random.u8(..4) > 0 {
            usize::MAX
        } else {
            self.random.usize(..6)
        }
    }

    /// A run that waits at its prompt, and one that works and ends.
    fn make_runs(&mut self) -> (String, String) {
        let project = text(&self.must("projects", &json!({"name": "p"})), "id");
        let repo = json!({"name": "repo", "repo_path": self.world.path("repo")});
        self.must(&format!("projects/{project}/repos"), &repo);
        let sh = |script: &str| json!({"cli_name": "command", "provider_config": {"command": ["sh", "-c", script]}});
        let waiter = self.agent(&project, &sh(WAITER));
        let demo =
            json!({"cli_name": "demo", "provider_config": {"args": ["--pace", "1", "--exit"]}});
        let other = if self.seed.is_multiple_of(4) {
            demo
        } else {
            sh(WORKER)
        };
        let worker = self.agent(&project, &other);
        let run = self.run(&waiter);
        self.waiter = Some(run.clone());
        let other = self.run(&worker);
        (run, other)
    }

    /// The history. Gives the runs that are left.
    fn script(&mut self) -> Vec<String> {
        let kill_after = self.other_kill();
        let (run, other) = self.make_runs();
        let mut step = 0;
        let mut next = |play: &mut Self| {
            if step == kill_after {
                play.kill();
            }
            step += 1;
        };
        self.hooks(&run, 2);
        next(self);
        self.wait(&run, "its turn is over", |view| {
            view["session_id"].is_string() && view["status"] == "paused"
        });
        self.by_program(&run);
        next(self);
        self.hooks(&run, 2);
        if self.stop("POST", &format!("runs/{run}/pause"), 200, 409) {
            self.said.push(Said::Event {
                run: run.clone(),
                event_type: "run.stop_requested",
            });
        }
        next(self);
        let message = format!("more {}", self.seed);
        self.must(
            &format!("runs/{run}/continue"),
            &json!({"message": message}),
        );
        self.said.push(Said::Message {
            run: run.clone(),
            text: message,
        });
        let view = self.wait(&run, "it goes on", |view| view["process"]["alive"] == true);
        next(self);
        self.hooks(&run, 2);
        if self.stop("POST", &format!("runs/{run}/cancel"), 200, 409) {
            self.said.push(Said::Event {
                run: run.clone(),
                event_type: "run.cancelled",
            });
        }
        next(self);
        let mut left = vec![other];
        if self.seed % 8 == 7 && !self.first.starts_with("delete.") {
            left.push(run);
        } else {
            let worktree = PathBuf::from(text(&view["repos"][0], "worktree"));
            std::fs::write(
                worktree.join("last.txt"),
                format!("last of {}\n", self.seed),
            )
            .unwrap();
            self.waiter = None;
            self.wait_spooled(&run);
            let (so_far, _) = log::events(&self.world);
            log::said_once(&so_far, &self.said, &run);
            self.stop("DELETE", &format!("runs/{run}"), 204, 404);
            self.said.push(Said::Event {
                run,
                event_type: "run.deleted",
            });
        }
        next(self);
        left
    }

    /// Waits until the spool of a run is taken in.
    fn wait_spooled(&mut self, run: &str) {
        let spool = self.world.data().join("runs").join(run).join("spool");
        let begun = Instant::now();
        while std::fs::read_dir(&spool).map_or(0, Iterator::count) > 0 {
            self.alive();
            let late = begun.elapsed() > PATIENCE;
            assert!(!late, "seed {}: the spool stays", self.seed);
            pause();
        }
    }

    /// Brings all runs to their end under a server that is left alone.
    fn settle(&mut self, runs: &[String], seen: &AtomicI64) {
        self.alive();
        self.lives.clear();
        self.waiter = None;
        self.kill();
        for run in runs {
            let view = self.wait(run, "it has ended", |view| {
                let ended = matches!(view["status"].as_str(), Some("completed" | "cancelled"));
                ended && view["process"]["alive"] == false
            });
            drop(view);
            self.wait_spooled(run);
        }
        let last = log::head(&self.world);
        crate::support::wait_for("the reader has all", || seen.load(Ordering::SeqCst) >= last);
    }
}
