//! One life of the server: the real store, ring, routing table and cores, and actors that do no
//! more than carry out what the cores say. Who of them goes on next is the history's choice.

use super::{
    beside::{Beside, Work},
    world::World,
};
use crate::{
    domain::{
        AgentMode, RunId, Time,
        run::{Run, command::Observation},
    },
    pty::{Hello, PROTOCOL, Program},
    runtime::{
        registry::{Address, Slots},
        run::{
            core::Core,
            input::{Input, Update},
            mailbox::{Ask, Seed},
            output::{AfterCommit, HolderCommand, Job, Output},
            spool,
            waits::Waits,
        },
        stream::broadcaster::{Bounds, Ring},
    },
    store::{Commit, Location, Reader, Writer, stepped::Stepped},
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

pub const COMMANDS_MAX: usize = 8;
pub const LIVE_RUNS_MAX: usize = 3;
/// Small, so that readers fall behind it.
const BOUNDS: Bounds = Bounds {
    frames: 12,
    bytes: 64 * 1024,
    waiting: 3,
};
const IDLE_LIMIT: Duration = Duration::from_secs(600);

pub type Shared<T> = Rc<RefCell<T>>;

/// Where an actor is spoken to.
#[derive(Clone)]
pub struct Handle(pub Shared<Actor>);

impl Address for Handle {
    fn is_connected(&self) -> bool {
        self.0.borrow().connected
    }
}

pub enum Mail {
    Ask(Ask),
    /// An update, and what keeps the actor awake for it.
    Update(
        Word,
        #[expect(dead_code, reason = "held, not read")] Arc<()>,
    ),
    JobEnded {
        exclusive: bool,
    },
    Passivated,
}

/// An update; a holder that was reached is no socket here.
pub enum Word {
    Update(Update),
    Attached(u32),
}

pub struct Actor {
    pub run_id: RunId,
    pub core: Core,
    pub connected: bool,
    pub mailbox: VecDeque<Mail>,
    in_flight: VecDeque<(Commit, Box<AfterCommit>)>,
    reading: bool,
    session: Option<u32>,
    offered: Option<u32>,
    set_up: Rc<Cell<bool>>,
    pub busy: usize,
}

pub struct Server {
    pub store: Stepped,
    pub writer: Writer,
    pub reader: Reader,
    pub ring: Ring,
    pub slots: Slots<Handle>,
    /// Awake, in the order in which they were built.
    pub actors: Vec<Handle>,
    pub jobs: Vec<Beside>,
    pub world: Shared<World>,
    pub now: Time,
}

impl Server {
    /// Starts, and goes on with what the last life left.
    pub fn start(location: &Location, world: Shared<World>, now: Time) -> Self {
        let (store, writer, reader) = Stepped::open(location).unwrap();
        let ring = Ring::new(reader.head().unwrap(), BOUNDS);
        let mut server = Self {
            store,
            writer,
            reader,
            ring,
            slots: Slots::new(COMMANDS_MAX, LIVE_RUNS_MAX),
            actors: Vec::new(),
            jobs: Vec::new(),
            world,
            now,
        };
        for run_id in server.reader.live_runs().unwrap() {
            server.awake(run_id);
        }
        let waits: Vec<RunId> = {
            let world = server.world.borrow();
            let waits = |id: &RunId| world.places[id].holder.is_some() || world.has_spooled(*id);
            world.places.keys().copied().filter(waits).collect()
        };
        for run_id in waits {
            if !server.reader.is_deleted(run_id).unwrap() {
                server.awake(run_id);
            }
        }
        server
    }

    /// The run's actor, built when it sleeps.
    pub fn awake(&mut self, run_id: RunId) -> Option<(Handle, Arc<()>)> {
        let mut built = None;
        let slot = self
            .slots
            .slot(run_id, &self.reader, |seed| build(seed, &mut built));
        let found = slot.map(|slot| (slot.actor.clone(), Arc::clone(&slot.updates)));
        self.begin(built);
        found
    }

    fn begin(&mut self, built: Option<Handle>) {
        let Some(handle) = built else { return };
        self.actors.push(handle.clone());
        let known = handle.0.borrow().core.run().is_some();
        if known {
            self.feed(&handle, Input::Resume);
        }
    }

    pub fn ask(&mut self, mut ask: Ask) {
        let mut built = None;
        let build = |seed| build(seed, &mut built);
        let admitted = self
            .slots
            .admit(ask.run_id, &ask.request, &self.reader, build);
        self.begin(built);
        match admitted {
            Err(error) => ask.caller.send(Err(error)),
            Ok((handle, permit)) => {
                ask.caller.admit(permit);
                let mut actor = handle.0.borrow_mut();
                actor.mailbox.push_back(Mail::Ask(ask));
            }
        }
    }

    pub fn tell(&mut self, run_id: RunId, word: Word) {
        if let Some((handle, awake)) = self.awake(run_id) {
            let mut actor = handle.0.borrow_mut();
            actor.mailbox.push_back(Mail::Update(word, awake));
        }
    }

    /// An actor looks whether it may be put to sleep.
    pub fn passivate(&mut self, handle: &Handle) -> bool {
        let (idle, run_id) = {
            let actor = handle.0.borrow();
            let idle = actor.core.is_idle() && actor.busy == 0;
            (idle && actor.connected, actor.run_id)
        };
        let asleep = idle.then(|| self.slots.passivate(run_id)).flatten();
        let Some(asleep) = asleep else { return false };
        asleep.0.borrow_mut().mailbox.push_back(Mail::Passivated);
        true
    }

    /// The next of an actor's mailbox.
    pub fn deliver(&mut self, handle: &Handle) {
        let mail = handle.0.borrow_mut().mailbox.pop_front();
        match mail {
            None => {}
            Some(Mail::Passivated) => self.stop(handle),
            Some(Mail::Update(Word::Update(update), _)) => self.feed(handle, Input::Update(update)),
            Some(Mail::Update(Word::Attached(attempt), _)) => {
                let hello = self.hello(handle, attempt);
                handle.0.borrow_mut().offered = Some(attempt);
                self.feed(handle, Input::Update(Update::Attached(Box::new(hello))));
                handle.0.borrow_mut().offered = None;
            }
            Some(Mail::JobEnded { exclusive }) => {
                handle.0.borrow_mut().busy -= 1;
                self.feed(handle, Input::JobEnded { exclusive });
            }
            Some(Mail::Ask(Ask {
                request, caller, ..
            })) => {
                self.feed(handle, Input::Asked { request, caller });
            }
        }
    }

    /// What the holder of a launch says when it is reached.
    fn hello(&self, handle: &Handle, attempt: u32) -> Hello {
        let run_id = handle.0.borrow().run_id;
        let (_, report) = self.world.borrow_mut().probe(run_id);
        Hello {
            protocol: PROTOCOL,
            run_id: run_id.0,
            attempt,
            pid: 100 + attempt,
            argv: vec!["claude".into()],
            start: 0,
            offset: 0,
            cols: 80,
            rows: 24,
            exit: report.filter(|report| report.attempt == attempt),
            program: Program::default(),
        }
    }

    fn stop(&mut self, handle: &Handle) {
        handle.0.borrow_mut().connected = false;
        self.feed(handle, Input::End);
        let mut actor = handle.0.borrow_mut();
        actor.mailbox.clear();
        actor.in_flight.clear();
        actor.reading = false;
        drop(actor);
        self.actors.retain(|other| !Rc::ptr_eq(&other.0, &handle.0));
        let timer = |job: &Beside| job.work.due().is_some() && Rc::ptr_eq(&job.owner.0, &handle.0);
        self.jobs.retain(|job| !timer(job));
    }

    /// Tells a core, and does what it says.
    pub fn feed(&mut self, handle: &Handle, input: Input) {
        let mut inputs = VecDeque::from([input]);
        if inputs[0].follows_spool() {
            inputs.push_front(self.spooled(handle));
        }
        while let Some(input) = inputs.pop_front() {
            let outputs = handle.0.borrow_mut().core.handle(input, self.now);
            for output in outputs {
                inputs.extend(self.carry_out(handle, output));
            }
        }
    }

    fn spooled(&self, handle: &Handle) -> Input {
        let run_dir = self.world.borrow().run_dir(handle.0.borrow().run_id);
        Input::Spool(spool::waiting(&run_dir).unwrap())
    }

    fn carry_out(&mut self, handle: &Handle, output: Output) -> Option<Input> {
        let mut actor = handle.0.borrow_mut();
        let work = match output {
            Output::Start(job) => {
                if matches!(job, Job::SetUp { .. }) {
                    actor.set_up = Rc::default();
                }
                Work::Job(job, Rc::clone(&actor.set_up))
            }
            Output::Holder(command) => {
                actor.session?;
                if command == HolderCommand::Acknowledge {
                    actor.session = None;
                }
                Work::Holder(command)
            }
            Output::WatchSession => Work::WaitExit(actor.offered?),
            Output::ReleaseSession => Work::Release,
            Output::SetTimer(wait, timer) => Work::Timer(self.now + wait, timer),
            other => {
                drop(actor);
                return self.carry_out_at_once(handle, other);
            }
        };
        let run = actor.core.run().cloned()?;
        actor.busy += usize::from(work.due().is_none());
        let owner = handle.clone();
        self.jobs.push(Beside { owner, run, work });
        None
    }

    fn carry_out_at_once(&mut self, handle: &Handle, output: Output) -> Option<Input> {
        let mut actor = handle.0.borrow_mut();
        match output {
            Output::Append(append, after) => {
                let commit = self.writer.append(*append).expect("there is room");
                actor.in_flight.push_back((commit, after));
            }
            Output::Reply(caller, outcome) => caller.send(outcome),
            Output::StopSetUp => actor.set_up.set(true),
            Output::AdoptSession => actor.session = actor.offered,
            Output::DropSession => actor.session = None,
            Output::ListSpool => {
                drop(actor);
                return Some(self.spooled(handle));
            }
            Output::ReadSpool(path) => return Some(Input::SpoolRead(spool::read(&path))),
            Output::RemoveSpooled(path) => spool::taken(&path),
            Output::SetSpooledAside(path) => spool::set_aside(&path),
            Output::LookUp(delivery) => {
                let found = self.reader.delivered(delivery);
                return Some(Input::Delivered(found.unwrap_or(false)));
            }
            Output::ReadTranscript(_) => actor.reading = true,
            Output::Forget => {
                let run_dir = self.world.borrow().run_dir(actor.run_id);
                drop(std::fs::remove_dir_all(run_dir));
            }
            Output::End => {
                drop(actor);
                self.stop(handle);
            }
            Output::Watch(_) | Output::CloseTranscript => {}
            Output::Start(_)
            | Output::Holder(_)
            | Output::WatchSession
            | Output::ReleaseSession
            | Output::SetTimer(..) => unreachable!("that takes a while"),
        }
        None
    }

    /// An actor hears of its commits; false when there is none to hear of.
    pub fn commits(&mut self, handle: &Handle) -> bool {
        let mut heard = false;
        loop {
            let mut actor = handle.0.borrow_mut();
            let Some((commit, _)) = actor.in_flight.front_mut() else {
                return heard;
            };
            let Some(outcome) = commit.told() else {
                return heard;
            };
            heard = true;
            let Some((_, after)) = actor.in_flight.pop_front() else {
                return heard;
            };
            drop(actor);
            self.feed(handle, Input::Committed { outcome, after });
        }
    }

    pub fn has_mail(&self, handle: &Handle) -> bool {
        !handle.0.borrow().mailbox.is_empty()
    }

    pub fn has_commits(&self, handle: &Handle) -> bool {
        !handle.0.borrow().in_flight.is_empty()
    }

    /// True when it waits for its transcript.
    pub fn is_reading(handle: &Handle) -> bool {
        handle.0.borrow().reading
    }

    /// An actor has read the transcript.
    pub fn read(&mut self, handle: &Handle, observed: Vec<Observation>) {
        if std::mem::take(&mut handle.0.borrow_mut().reading) {
            self.feed(handle, Input::TranscriptRead(observed));
        }
    }
}

fn build(seed: Seed, built: &mut Option<Handle>) -> Handle {
    let Seed { run_id, run, live } = seed;
    let actor = Actor {
        run_id,
        core: Core::new(run_id, run, live, Waits::new(Some(IDLE_LIMIT))),
        connected: true,
        mailbox: VecDeque::new(),
        in_flight: VecDeque::new(),
        reading: false,
        session: None,
        offered: None,
        set_up: Rc::default(),
        busy: 0,
    };
    let handle = Handle(Rc::new(RefCell::new(actor)));
    *built = Some(handle.clone());
    handle
}

/// True for a run whose CLI is in print mode.
pub fn is_headless(run: &Run) -> bool {
    run.created.agent.mode() == AgentMode::Headless
}
