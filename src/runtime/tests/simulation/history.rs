//! One history: what happens, who goes on next, and what fails, all drawn from a seed.

use super::{
    checks::{self, Log},
    clients::{Clients, Promise},
    readers::Reader,
    server::{Handle, Server, Shared, Word, is_headless},
    world::{self, World},
};
use crate::{
    domain::{
        RunId, Time,
        run::{
            Command,
            command::{Observation, Usage},
            event::StopBy,
            state::Process,
        },
    },
    runtime::{
        messages::{QueueChange, Request, Stop},
        run::input::Update,
    },
    store::{
        self, Location,
        stepped::{Death, Fate},
    },
};
use serde_json::Value;
use std::{cell::RefCell, collections::BTreeMap, path::Path, rc::Rc};
use tempfile::TempDir;
use uuid::Uuid;

/// A timer that rings no later is waited for as anything else is.
const SHORT: chrono::TimeDelta = chrono::TimeDelta::seconds(1);
const RUNS_MAX: usize = 4;
/// No history takes longer to come to rest.
const SETTLE_MAX: usize = 3000;

/// What was done, newest last; and how often which kind of thing.
#[derive(Default)]
pub struct Trace {
    pub steps: Vec<String>,
    pub counts: BTreeMap<&'static str, usize>,
}

pub struct History {
    rng: fastrand::Rng,
    folder: TempDir,
    location: Location,
    lives: u32,
    now: Time,
    world: Shared<World>,
    server: Option<Server>,
    clients: Clients,
    readers: Vec<Reader>,
    log: Log,
    runs: Vec<RunId>,
    hooks: Vec<(RunId, Uuid, Value)>,
    trace: Rc<RefCell<Trace>>,
}

impl History {
    /// Begins with a copy of an empty store.
    pub fn new(seed: u64, template: &Path, trace: Rc<RefCell<Trace>>) -> Self {
        // In memory where there is such a place: thousands of small files come and go.
        let memory = Path::new("/dev/shm");
        let folder = tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir());
        let folder = folder.unwrap();
        let location = Location::of(folder.path());
        std::fs::copy(template, location.path()).unwrap();
        let world = Rc::new(RefCell::new(World::new(folder.path())));
        let now = Time::from_timestamp_millis(1_700_000_000_000).unwrap();
        let server = Server::start(&location, Rc::clone(&world), now);
        Self {
            rng: fastrand::Rng::with_seed(seed),
            folder,
            location,
            lives: 0,
            now,
            world,
            server: Some(server),
            clients: Clients::default(),
            readers: Vec::new(),
            log: Log::default(),
            runs: Vec::new(),
            hooks: Vec::new(),
            trace,
        }
    }

    pub fn play(mut self) {
        for _ in 0..self.rng.usize(20..60) {
            self.stimulus();
            self.check();
            for _ in 0..self.rng.usize(0..14) {
                self.go_on();
                self.check();
            }
        }
        self.start();
        self.settle();
        self.crash();
        self.start();
        self.settle();
        self.at_rest();
        let answers = std::mem::take(&mut self.clients.answers);
        for (name, count) in answers.into_iter().chain(self.log.types) {
            *self.trace.borrow_mut().counts.entry(name).or_default() += count;
        }
    }

    fn did(&self, kind: &'static str, what: impl std::fmt::Display) {
        let mut trace = self.trace.borrow_mut();
        trace.steps.push(format!("{kind} {what}"));
        *trace.counts.entry(kind).or_default() += 1;
    }

    fn check(&mut self) {
        self.now += chrono::TimeDelta::milliseconds(1);
        self.clients.hear(&mut self.world.borrow_mut());
        if let Some(server) = &mut self.server {
            server.now = self.now;
            checks::after_step(server, &mut self.log, &self.clients.acknowledged);
            self.clients.acknowledged.checked();
        }
    }

    fn some_run(&mut self) -> Option<RunId> {
        self.rng.choice(&self.runs).copied()
    }

    fn uuid(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.rng.u128(..).to_le_bytes()).into_uuid()
    }

    /// Something comes from outside.
    fn stimulus(&mut self) {
        if self.server.is_none() && self.rng.bool() {
            return self.start();
        }
        let none = self.runs.is_empty() && self.rng.u8(0..10) > 0;
        match self.rng.u8(0..100) {
            _ if none => self.create(),
            0..8 => self.create(),
            8..46 => self.hook(),
            46..52 => self.hook_again(),
            52..65 => self.message(),
            65..69 => self.message_again(),
            69..72 => self.queue(),
            72..77 => self.stop(),
            77..79 => self.delete(),
            79..81 => self.notify(),
            81..84 => self.process_ends(),
            84..90 => self.reader(),
            90..97 => self.rest(),
            _ => self.crash(),
        }
    }

    fn create(&mut self) {
        let run_id = RunId(self.uuid());
        let headless = self.rng.u8(0..4) == 0;
        let Some(server) = self.server.as_mut().filter(|_| self.runs.len() < RUNS_MAX) else {
            return;
        };
        self.runs.push(run_id);
        let request = Request::Create(Box::new(world::new_run(headless)));
        self.clients.ask(server, run_id, request, Promise::Created);
        self.did("create", run_id);
    }

    fn hook(&mut self) {
        let run_id = match self.some_run() {
            Some(run_id) if self.rng.u8(0..40) > 0 => run_id,
            _ => RunId(self.uuid()),
        };
        let alive = {
            let mut world = self.world.borrow_mut();
            let holder = &world.place(run_id).holder;
            holder.as_ref().is_some_and(|holder| holder.is_alive)
        };
        if !alive && self.rng.u8(0..4) > 0 {
            return;
        }
        let payload = self.world.borrow_mut().hook(run_id, &mut self.rng);
        let delivery = self.uuid();
        self.hooks.push((run_id, delivery, payload.clone()));
        self.bring(run_id, delivery, payload);
    }

    fn hook_again(&mut self) {
        if let Some((run_id, delivery, payload)) = self.rng.choice(&self.hooks).cloned() {
            self.bring(run_id, delivery, payload);
        }
    }

    /// Posted, or spooled by a hook program that finds no server or none that is quick.
    fn bring(&mut self, run_id: RunId, delivery: Uuid, payload: Value) {
        self.did(
            "hook",
            format!("{run_id} {delivery} {}", payload["hook_event_name"]),
        );
        let slow = self.rng.u8(0..10) == 0;
        match self.server.as_mut().filter(|_| !slow) {
            Some(server) => self.clients.hook(server, run_id, delivery, payload),
            None if self.log.deleted.contains(&run_id) => {}
            None => {
                self.world.borrow_mut().keep(run_id, delivery, &payload);
                self.clients.acknowledged.kept.insert(delivery, run_id);
                self.look(run_id);
            }
        }
    }

    /// A file changed.
    fn look(&mut self, run_id: RunId) {
        if let Some(server) = &mut self.server {
            server.tell(run_id, Word::Update(Update::FilesChanged));
        }
    }

    fn message(&mut self) {
        let Some(run_id) = self.some_run() else {
            return;
        };
        let number = self.world.borrow_mut().number();
        let promise = Promise::Message {
            key: format!("key {number}"),
            text: format!("message {number}"),
            queued: self.rng.bool(),
        };
        let Some(server) = &mut self.server else {
            return;
        };
        self.clients.say(server, run_id, promise);
        self.did("message", format!("{number} to {run_id}"));
    }

    fn message_again(&mut self) {
        let Some(server) = &mut self.server else {
            return;
        };
        let Some((run_id, promise)) = self.clients.unsure.pop() else {
            return;
        };
        if let Promise::Message { key, .. } = &promise {
            let what = format!("{key} to {run_id}");
            self.clients.say(server, run_id, promise);
            self.did("message again", what);
        }
    }

    fn queue(&mut self) {
        let Some(run_id) = self.some_run() else {
            return;
        };
        let Some(run) = self.log.runs.get(&run_id) else {
            return;
        };
        let mut order: Vec<_> = run.outbox.queue.iter().map(|waits| waits.id).collect();
        let Some(id) = order.pop() else { return };
        let change = if self.rng.bool() {
            QueueChange::Remove { id }
        } else {
            order.insert(0, id);
            QueueChange::Reorder { order }
        };
        let Some(server) = &mut self.server else {
            return;
        };
        let request = Request::Queue(change);
        self.clients.ask(server, run_id, request, Promise::Nothing);
        self.did("queue", run_id);
    }

    fn stop(&mut self) {
        let Some(run_id) = self.some_run() else {
            return;
        };
        let by = *self
            .rng
            .choice(&[StopBy::Cancel, StopBy::Pause, StopBy::Idle])
            .unwrap();
        let Some(server) = &mut self.server else {
            return;
        };
        let stop = match by {
            StopBy::Cancel => Stop::Cancel,
            StopBy::Pause => Stop::Pause,
            StopBy::Idle | StopBy::Delete => {
                let fact = Update::Fact(Command::Stop { by });
                server.tell(run_id, Word::Update(fact));
                return self.did("stop", format!("{run_id} by {by}"));
            }
        };
        let request = Request::Stop(stop);
        self.clients.ask(server, run_id, request, Promise::Stopped);
        self.did("stop", format!("{run_id} by {by}"));
    }

    fn delete(&mut self) {
        let Some(run_id) = self.some_run() else {
            return;
        };
        let Some(server) = &mut self.server else {
            return;
        };
        let request = Request::Stop(Stop::Delete { force: false });
        self.clients.ask(server, run_id, request, Promise::Deleted);
        self.did("delete", run_id);
    }

    fn notify(&mut self) {
        let Some(run_id) = self.some_run() else {
            return;
        };
        let notify = self.rng.bool();
        let request = Request::SetNotify { notify };
        let Some(server) = &mut self.server else {
            return;
        };
        self.clients.ask(server, run_id, request, Promise::Nothing);
        self.did("notify", run_id);
    }

    fn process_ends(&mut self) {
        let Some(run_id) = self.some_run() else {
            return;
        };
        let code = *self.rng.choice(&[Some(0), Some(1), None]).unwrap();
        let mut world = self.world.borrow_mut();
        if self.rng.u8(0..6) == 0 {
            world.vanish(run_id);
        } else {
            world.end(run_id, code);
        }
        drop(world);
        self.did("process ends", format!("{run_id} {code:?}"));
    }

    fn reader(&mut self) {
        if self.readers.len() < 6 && self.rng.u8(0..3) > 0 {
            let known = self.some_run().filter(|id| self.log.runs.contains_key(id));
            let run_id = known.filter(|id| !self.log.deleted.contains(id) && self.rng.bool());
            let from = self.rng.i64(0..=self.log.head);
            self.readers.push(Reader::new(run_id, from));
            self.did("reader", format!("of {run_id:?} from {from}"));
        } else if !self.readers.is_empty() {
            let at = self.rng.usize(0..self.readers.len());
            self.readers[at].cut();
            self.did("reader cut", at);
        }
    }

    fn rest(&mut self) {
        let Some(server) = &mut self.server else {
            return;
        };
        let actors = server.actors.clone();
        let count = actors
            .iter()
            .filter(|actor| server.passivate(actor))
            .count();
        if count > 0 {
            self.did("asleep", count);
        }
    }

    fn crash(&mut self) {
        let Some(server) = self.server.take() else {
            return;
        };
        let death = match self.rng.u8(0..8) {
            0 => Death::Before,
            1..3 => Death::Uncommitted,
            3..6 => Death::Torn(self.rng.u16(0..1000)),
            _ => Death::Unanswered,
        };
        self.did("crash", format!("{death:?}"));
        self.lives += 1;
        let folder = self.folder.path().join(format!("life {}", self.lives));
        std::fs::create_dir(&folder).unwrap();
        self.location = server.store.die(death, &folder).unwrap();
        self.readers.iter_mut().for_each(Reader::cut);
        self.clients.cut(&mut self.world.borrow_mut());
    }

    fn start(&mut self) {
        if self.server.is_some() {
            return;
        }
        self.did("start", self.lives);
        let server = Server::start(&self.location, Rc::clone(&self.world), self.now);
        self.server = Some(server);
        self.check();
        if let Some(server) = &self.server {
            checks::whole(server, &self.log, &self.clients.acknowledged);
        }
    }

    /// Something that waits goes on by one step, or fails; false when it does not wait.
    fn go_on(&mut self) -> bool {
        let (what, dice) = (self.rng.u8(0..20), self.rng.u8(0..100));
        match what {
            0..4 => {
                let fate = match dice {
                    0..4 => Fate::DiskFull,
                    4..7 => Fate::Locked,
                    7..10 => Fate::CommitFails,
                    _ => Fate::Committed,
                };
                let len_max = *self.rng.choice(&[1, 2, 256]).unwrap();
                self.write(fate, len_max)
            }
            4..6 => self.publish(),
            6..9 => self.with_actor(Server::has_mail, Server::deliver),
            9..12 => self.with_actor(Server::has_commits, |server, actor| {
                server.commits(actor);
            }),
            12..14 => {
                let observed = self.observed();
                let read = |server: &mut Server, actor: &Handle| server.read(actor, observed);
                self.with_actor(|_, actor| Server::is_reading(actor), read)
            }
            // Most timers are long.
            14..17 => self.end_job(dice > 15, dice > 90),
            _ => {
                let Some(server) = &mut self.server else {
                    return false;
                };
                let reader = self.rng.choice(&mut self.readers);
                reader.is_some_and(|reader| reader.step(server, &self.log))
            }
        }
    }

    fn write(&mut self, fate: Fate, len_max: usize) -> bool {
        let Some(server) = &mut self.server else {
            return false;
        };
        let wrote = server.store.step(fate, len_max).unwrap();
        if wrote {
            let name = match fate {
                Fate::Committed => "commit",
                Fate::DiskFull => "disk full",
                Fate::Locked => "locked",
                Fate::CommitFails => "commit fails",
            };
            self.did(name, format!("of at most {len_max}"));
        }
        wrote
    }

    fn publish(&mut self) -> bool {
        let Some(server) = &mut self.server else {
            return false;
        };
        let Some(batch) = server.store.published() else {
            return false;
        };
        self.log.told(&batch);
        server.ring.publish(&batch);
        self.did("publish", batch.len());
        true
    }

    /// Lets one of the actors that may do something do it.
    fn with_actor(
        &mut self,
        may: impl Fn(&Server, &Handle) -> bool,
        act: impl FnOnce(&mut Server, &Handle),
    ) -> bool {
        let Some(server) = &mut self.server else {
            return false;
        };
        let actors: Vec<Handle> = server.actors.clone();
        let able: Vec<&Handle> = actors.iter().filter(|actor| may(server, actor)).collect();
        let Some(actor) = self.rng.choice(able) else {
            return false;
        };
        act(server, actor);
        true
    }

    fn end_job(&mut self, lucky: bool, timers: bool) -> bool {
        let Some(server) = &mut self.server else {
            return false;
        };
        let jobs = server.jobs.iter().enumerate();
        let soon = self.now + SHORT;
        let may = jobs.filter(|(_, job)| {
            let rings = timers || job.work.due().is_none_or(|due| due <= soon);
            rings && server.may_end(job)
        });
        let able: Vec<usize> = may.map(|(at, _)| at).collect();
        let Some(at) = self.rng.choice(able) else {
            return false;
        };
        let name = server.jobs[at].work.name();
        if let Some(due) = server.jobs[at].work.due() {
            self.now = self.now.max(due);
            server.now = self.now;
        }
        server.end(at, lucky);
        self.did("job", format!("{name} {lucky}"));
        true
    }

    /// What a transcript may say.
    fn observed(&mut self) -> Vec<Observation> {
        let number = self.world.borrow_mut().number();
        match self.rng.u8(0..8) {
            0 => vec![Observation::Message {
                text: format!("said {}", number / 3),
                message_id: self.rng.bool().then(|| format!("m{}", number / 3)),
            }],
            1 => vec![Observation::Usage(Usage {
                tokens_out: u64::from(number),
                transcript_offset: u64::from(number) * 10,
                ..Usage::default()
            })],
            2 => vec![Observation::Interrupted { turn_id: None }],
            3 => vec![Observation::Ended {
                failure: None,
                turn_id: None,
            }],
            _ => Vec::new(),
        }
    }

    /// Everything that waits goes on, and nothing fails.
    fn settle(&mut self) {
        let mut calm = 0;
        for _ in 0..SETTLE_MAX {
            let mut moved = self.write(Fate::Committed, 256);
            self.check();
            moved |= self.with_actor(Server::has_mail, Server::deliver);
            let mut heard = false;
            moved |= self.with_actor(Server::has_commits, |server, actor| {
                heard = server.commits(actor);
            }) && heard;
            let read = |server: &mut Server, actor: &Handle| server.read(actor, Vec::new());
            moved |= self.with_actor(|_, actor| Server::is_reading(actor), read);
            moved |= self.publish() || self.end_job(true, false);
            if let Some(server) = &mut self.server {
                for reader in &mut self.readers {
                    moved |= reader.step(server, &self.log);
                }
            }
            moved |= self.clients.hear(&mut self.world.borrow_mut());
            self.check();
            if !moved && !self.end_job(true, true) {
                calm += 1;
            }
            if calm > 2 {
                return;
            }
        }
        panic!("it does not come to rest");
    }

    fn at_rest(&mut self) {
        let Some(server) = &self.server else { return };
        let acknowledged = &self.clients.acknowledged;
        checks::whole(server, &self.log, acknowledged);
        acknowledged.check_kept(server, &self.log);
        assert!(
            !self.clients.is_waiting(),
            "never answered: {:?}",
            self.clients.waiting()
        );
        self.readers
            .iter()
            .for_each(|reader| reader.check_complete(&self.log));
        for (id, run) in &self.log.runs {
            let world = self.world.borrow();
            let holder = world.places.get(id).and_then(|place| place.holder.as_ref());
            let holder = holder.filter(|_| !self.log.deleted.contains(id));
            let alive = matches!(run.process, Process::Alive { .. });
            assert_eq!(alive, holder.is_some(), "{holder:?} {run:#?}");
            assert!(!is_headless(run) || run.outbox.under_way().is_none());
        }
        let before = checks::rows(server);
        store::rebuild(&self.location).unwrap();
        assert_eq!(
            checks::rows(server),
            before,
            "the projection is not that of the log"
        );
    }
}
