//! One life of the server: the real store, ring, routing table and ledgers, and actors that are no
//! more than the handlers of the real ones. Who of them goes on next is the history's choice.

use super::{
    beside::{Beside, Work},
    world::World,
};
use crate::{
    domain::{
        AgentMode, RunId, Time,
        run::{
            Command, Effect, Run,
            command::{Exit, Hook, Observation},
        },
    },
    pty::ExitReport,
    runtime::{
        exit::reads_transcript,
        jobs::{Job, answer},
        ledger::{Along, Done, Ledger, Todo},
        messages::{Answer, Ask, AskError, News},
        recovery::{self, Attachment, Plan},
        ring::{Bounds, Ring},
        slots::{Address, Seed, Slots},
    },
    store::{Append, Commit, Location, Reader, StoreError, Writer, stepped::Stepped},
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::Arc,
};

pub const COMMANDS_MAX: usize = 8;
pub const LIVE_RUNS_MAX: usize = 3;
/// Small, so that readers fall behind it.
const BOUNDS: Bounds = Bounds {
    frames: 12,
    bytes: 64 * 1024,
    waiting: 3,
};

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
    /// News, and what keeps the actor awake for them.
    Tell(
        Word,
        #[expect(dead_code, reason = "held, not read")] Arc<()>,
    ),
    Rest,
}

/// News; a holder that was reached is no socket here.
pub enum Word {
    News(News),
    Attached(u32),
}

/// What waits for the transcript.
enum Then {
    Hook(Box<Hook>, Along),
    Look,
    Exit(Option<ExitReport>, u32),
}

pub struct Actor {
    pub run_id: RunId,
    pub ledger: Ledger,
    pub connected: bool,
    pub mailbox: VecDeque<Mail>,
    in_flight: VecDeque<(Commit, Done)>,
    reading: Option<Then>,
    session: Option<u32>,
    set_up: Option<Rc<Cell<bool>>>,
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
    /// Starts, and looks after what the last life left.
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
        let found = slot.map(|slot| (slot.actor.clone(), Arc::clone(&slot.telling)));
        self.begin(built);
        found
    }

    fn begin(&mut self, built: Option<Handle>) {
        let Some(handle) = built else { return };
        self.actors.push(handle.clone());
        if handle.0.borrow().ledger.run.is_some() {
            self.look_after(&handle);
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
            Err(error) => answer(Some(ask.reply), Err(error)),
            Ok((handle, permit)) => {
                ask.reply.admit(permit);
                let mut actor = handle.0.borrow_mut();
                actor.mailbox.push_back(Mail::Ask(ask));
            }
        }
    }

    pub fn tell(&mut self, run_id: RunId, word: Word) {
        if let Some((handle, awake)) = self.awake(run_id) {
            let mut actor = handle.0.borrow_mut();
            actor.mailbox.push_back(Mail::Tell(word, awake));
        }
    }

    /// An actor looks whether it may sleep.
    pub fn rest(&mut self, handle: &Handle) -> bool {
        let (idle, run_id) = {
            let actor = handle.0.borrow();
            let idle = actor.ledger.is_idle() && actor.busy == 0 && actor.session.is_none();
            (idle && actor.connected, actor.run_id)
        };
        let asleep = idle.then(|| self.slots.put_to_sleep(run_id)).flatten();
        let Some(asleep) = asleep else { return false };
        asleep.0.borrow_mut().mailbox.push_back(Mail::Rest);
        true
    }

    fn look_after(&mut self, handle: &Handle) {
        self.hear(handle, News::Look);
        let actor = handle.0.borrow();
        let Some(run) = actor.ledger.run.clone() else {
            return;
        };
        drop(actor);
        if let Some(typing) = run.outbox.under_way() {
            self.beside(handle, Work::GiveUp(typing.id));
        }
        match recovery::plan(&run) {
            Plan::Reach { attempt } => self.beside(handle, Work::Reach(attempt)),
            Plan::Again(effect) => self.carry_out(handle, effect),
            Plan::Release => {
                if self.world.borrow_mut().place(run.id).holder.is_some() {
                    self.beside(handle, Work::Reach(run.attempt));
                }
            }
        }
    }

    /// The next of an actor's mailbox.
    pub fn deliver(&mut self, handle: &Handle) {
        let mail = handle.0.borrow_mut().mailbox.pop_front();
        match mail {
            None => {}
            Some(Mail::Rest) => self.stop(handle),
            Some(Mail::Tell(Word::News(news), _)) => self.hear(handle, news),
            Some(Mail::Tell(Word::Attached(attempt), _)) => self.attached(handle, attempt),
            Some(Mail::Ask(ask)) => {
                let run_dir = self.world.borrow().run_dir(ask.run_id);
                let todo = {
                    let actor = &mut *handle.0.borrow_mut();
                    let session = actor.session.is_some();
                    actor.ledger.ask(ask.request, ask.reply, &run_dir, session)
                };
                self.do_next(handle, todo);
            }
        }
    }

    fn stop(&mut self, handle: &Handle) {
        let mut actor = handle.0.borrow_mut();
        actor.connected = false;
        actor.ledger.answer_waiters(&AskError::ActorEnded);
        actor.mailbox.clear();
        actor.in_flight.clear();
        actor.reading = None;
        actor.ledger.jobs.clear();
        drop(actor);
        self.actors.retain(|other| !Rc::ptr_eq(&other.0, &handle.0));
        let timer = |job: &Beside| job.work.is_timer() && Rc::ptr_eq(&job.owner.0, &handle.0);
        self.jobs.retain(|job| !timer(job));
    }

    fn do_next(&mut self, handle: &Handle, todo: Todo) {
        match todo {
            Todo::Nothing => {}
            Todo::Execute(command, along) => self.execute(handle, command, along),
            Todo::Record(events, along) => {
                let recorded = handle.0.borrow_mut().ledger.record(events, along, self.now);
                self.store(handle, recorded.map(Some));
            }
            Todo::CarryOut(effect) => self.carry_out(handle, effect),
            Todo::Order(..) => unreachable!("nobody orders"),
            Todo::Work => self.work(handle),
        }
    }

    pub fn execute(&mut self, handle: &Handle, command: Command, along: Along) {
        let recorded = handle
            .0
            .borrow_mut()
            .ledger
            .execute(command, along, self.now);
        self.store(handle, recorded);
    }

    fn store(&mut self, handle: &Handle, recorded: Result<Option<(Append, Done)>, StoreError>) {
        let recorded = recorded.expect("every event can be written");
        let Some((append, done)) = recorded else {
            return;
        };
        let commit = self.writer.append(append).expect("there is room");
        handle.0.borrow_mut().in_flight.push_back((commit, done));
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
            let Some((_, done)) = actor.in_flight.pop_front() else {
                return heard;
            };
            let committed = actor.ledger.committed(outcome, done);
            drop(actor);
            let Ok(effects) = committed else {
                self.stop(handle);
                return heard;
            };
            for effect in effects {
                self.carry_out(handle, effect);
            }
            self.work(handle);
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
        handle.0.borrow().reading.is_some()
    }

    /// An actor has read the transcript.
    pub fn read(&mut self, handle: &Handle, observed: Vec<Observation>) {
        let then = {
            let mut actor = handle.0.borrow_mut();
            actor.ledger.working = false;
            actor.reading.take()
        };
        match then {
            None => {}
            Some(Then::Hook(hook, along)) => {
                let hook = *hook;
                self.execute(handle, Command::Hook { hook, observed }, along);
            }
            Some(Then::Look) if observed.is_empty() => {}
            Some(Then::Look) => self.execute(handle, Command::Observed(observed), Along::default()),
            Some(Then::Exit(report, attempt)) => {
                let lost = report.is_none();
                let (code, signal) = report.map_or((None, None), |it| (it.code, it.signal));
                let exit = Exit {
                    attempt,
                    code,
                    signal,
                    lost,
                    detail: String::new(),
                    observed,
                    checkpoint: None,
                };
                self.beside(handle, Work::Ended(exit));
            }
        }
        self.work(handle);
    }

    fn work(&mut self, handle: &Handle) {
        loop {
            let mut actor = handle.0.borrow_mut();
            let Some(job) = actor.ledger.next_job() else {
                return;
            };
            let hook = match job {
                Job::Hook {
                    payload,
                    delivery,
                    callers,
                    from,
                } => (actor.ledger).hook(payload, delivery, callers, from, &self.reader),
                Job::Spooled(path) => actor.ledger.spooled(path, &self.reader),
                Job::Look | Job::Silence(_) => {
                    actor.ledger.working = true;
                    actor.reading = Some(Then::Look);
                    continue;
                }
                Job::Exit { report, attempt } => {
                    actor.ledger.working = true;
                    actor.reading = Some(Then::Exit(report, attempt));
                    continue;
                }
            };
            let Some((hook, along)) = hook else { continue };
            if reads_transcript(&hook.signal) {
                actor.ledger.working = true;
                actor.reading = Some(Then::Hook(Box::new(hook), along));
                continue;
            }
            drop(actor);
            let observed = Vec::new();
            self.execute(handle, Command::Hook { hook, observed }, along);
        }
    }

    fn hear(&mut self, handle: &Handle, news: News) {
        let mut actor = handle.0.borrow_mut();
        let run_dir = self.world.borrow().run_dir(actor.run_id);
        let command = match news {
            News::Fact(command) => command,
            News::Exited { report, attempt } => {
                actor.ledger.exited(report, attempt, &run_dir);
                drop(actor);
                return self.work(handle);
            }
            News::NeverLaunched => {
                let todo = actor.ledger.never_launched(&run_dir);
                drop(actor);
                return self.do_next(handle, todo);
            }
            News::SetUpStopped => {
                actor.set_up = None;
                Command::SetUpStopped
            }
            News::Look => {
                actor.ledger.look(&run_dir);
                drop(actor);
                return self.work(handle);
            }
            News::CheckpointTaken(None) => return,
            News::CheckpointTaken(Some(checkpoint)) => Command::Checkpointed(checkpoint),
            News::Removed { removed, millis } => Command::Deleted { removed, millis },
            News::NotRemoved { why } => {
                let outcome: Answer = Err(why);
                return actor.ledger.deletion_over(&outcome);
            }
            News::Attached(_)
            | News::Worked(_)
            | News::Timer(_)
            | News::Program { .. }
            | News::OutOfReach { .. } => {
                unreachable!("never told here")
            }
        };
        drop(actor);
        self.execute(handle, command, Along::default());
    }

    fn attached(&mut self, handle: &Handle, attempt: u32) {
        let mut actor = handle.0.borrow_mut();
        let Some(run) = &actor.ledger.run else { return };
        let works_at_once = run.created.agent.works_at_once();
        let cli_lives = {
            let mut world = self.world.borrow_mut();
            let holder = world.place(run.id).holder.as_ref();
            holder.is_some_and(|holder| holder.is_alive)
        };
        let attachment = recovery::attachment(run, attempt, cli_lives);
        if attachment == Attachment::Release {
            drop(actor);
            return self.beside(handle, Work::Release);
        }
        actor.session = Some(attempt);
        drop(actor);
        match attachment {
            Attachment::Spawned => {
                let command = Command::Spawned {
                    attempt,
                    pid: 100 + attempt,
                    argv: vec!["claude".into()],
                    cols: 80,
                    rows: 24,
                    output_offset: 0,
                    works_at_once,
                };
                self.execute(handle, command, Along::default());
            }
            Attachment::End => self.carry_out(handle, Effect::EndProcess),
            Attachment::Watch => {}
            Attachment::Acknowledge | Attachment::Release => {
                return self.carry_out(handle, Effect::AckExit);
            }
        }
        let mut actor = handle.0.borrow_mut();
        let run_dir = self.world.borrow().run_dir(actor.run_id);
        actor.ledger.take_spool(&run_dir);
        drop(actor);
        self.work(handle);
        self.beside(handle, Work::WaitExit(attempt));
    }

    fn beside(&mut self, handle: &Handle, work: Work) {
        let mut actor = handle.0.borrow_mut();
        let Some(run) = actor.ledger.run.clone() else {
            return;
        };
        actor.busy += usize::from(!work.is_timer());
        let owner = handle.clone();
        let run = *run;
        self.jobs.push(Beside { owner, run, work });
    }

    pub fn carry_out(&mut self, handle: &Handle, effect: Effect) {
        let mut actor = handle.0.borrow_mut();
        let work = match effect {
            Effect::SetUp if actor.set_up.is_some() => return,
            Effect::SetUp => {
                let stop = Rc::new(Cell::new(false));
                actor.set_up = Some(Rc::clone(&stop));
                Work::SetUp(stop)
            }
            Effect::Launch { attempt } => {
                actor.set_up = None;
                Work::Launch(attempt)
            }
            Effect::StopSetUp => {
                if let Some(stop) = &actor.set_up {
                    return stop.set(true);
                }
                drop(actor);
                return self.execute(handle, Command::SetUpStopped, Along::default());
            }
            Effect::EndProcess if actor.session.is_none() => return,
            Effect::EndProcess => Work::End,
            Effect::EndLingering { attempt } => Work::Linger(attempt),
            Effect::Type { id, .. } if actor.session.is_none() => {
                drop(actor);
                let reason = "out of reach".to_owned();
                let until_free = false;
                let command = Command::NotTaken {
                    id,
                    reason,
                    until_free,
                };
                return self.execute(handle, command, Along::default());
            }
            Effect::Type { id, text } => Work::Type(id, text),
            Effect::Checkpoint { reason } => Work::Checkpoint(reason),
            Effect::AckExit => match actor.session.take() {
                Some(_) => Work::Acknowledge,
                None => return,
            },
            Effect::Delete => {
                actor.ledger.deleting = true;
                Work::Delete
            }
            Effect::Forget => {
                let run_dir = self.world.borrow().run_dir(actor.run_id);
                drop(std::fs::remove_dir_all(run_dir));
                return actor.ledger.deletion_over(&Ok(String::new()));
            }
        };
        drop(actor);
        if let Work::Type(id, _) = &work {
            self.beside(handle, Work::GiveUp(*id));
        }
        self.beside(handle, work);
    }
}

fn build(seed: Seed, built: &mut Option<Handle>) -> Handle {
    let Seed { run_id, run, live } = seed;
    let actor = Actor {
        run_id,
        ledger: Ledger::new(run_id, run, live),
        connected: true,
        mailbox: VecDeque::new(),
        in_flight: VecDeque::new(),
        reading: None,
        session: None,
        set_up: None,
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
