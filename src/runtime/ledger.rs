//! What a run's actor knows, and what it records: everything of it that needs no mailbox.
//!
//! The actor asks here what a request, a hook or a commit comes to, and does it; so does the
//! simulation of the whole road (`tests::simulation`). Events are applied before they are
//! durable, and nothing of them is shown until the commit.

use super::{
    deliveries::Deliveries,
    delivery::{Settled, Shown, Waiting},
    jobs::{From, Held, Job, Reply, answer},
    messages::{Answer, AskError, Idempotency, Request},
    order::Order,
    spool,
};
use crate::{
    cli::{self, Adapter},
    domain::{
        RunId, Secrets, Time,
        run::{Command, Effect, Event, Run, decide, effect, event::StopBy, view},
    },
    store::{self, Append, RunRow, StoreError, Stored},
};
use std::{
    collections::{HashSet, VecDeque},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use uuid::Uuid;

/// The ledger.
pub(super) struct Ledger {
    pub id: RunId,
    /// None until `run.created` is applied.
    pub run: Option<Box<Run>>,
    /// As it was when the writer was last given its row whole.
    shown: Option<Box<Run>>,
    /// Read by the registry: a process is alive or wanted.
    live: Arc<AtomicBool>,
    /// The caller of continue whose message is being typed.
    pub waiting: Option<Waiting>,
    /// Callers of cancel and pause.
    stop_waiters: Vec<Reply>,
    /// Callers of delete.
    delete_waiters: Vec<Reply>,
    /// One of them said to go on without what cannot be kept.
    pub delete_forced: bool,
    /// A deletion is under way.
    pub deleting: bool,
    /// What must keep its order.
    pub jobs: VecDeque<Job>,
    /// A job waits for something.
    pub working: bool,
    pub spool: spool::Known,
    /// Spool files in line or not yet durable.
    pub spool_under_way: HashSet<PathBuf>,
    pub deliveries: Deliveries,
    /// Appends under way.
    pub pending: usize,
    /// Answers that tell of appends under way.
    echoes: Vec<Echo>,
    failed: Option<StoreError>,
}

/// An answer to what changed nothing: true once the state it was decided on is durable.
struct Echo {
    /// So many appends come first.
    behind: usize,
    reply: Option<Reply>,
    answer: Answer,
    spooled: Option<PathBuf>,
}

/// What goes with a command.
#[derive(Default)]
pub(super) struct Along {
    pub reply: Option<Reply>,
    pub delivery: Option<Uuid>,
    pub idempotent: Option<Box<Idempotency>>,
    /// With `run.created`: what the log must not hold.
    pub secrets: Secrets,
    /// What the caller is answered; without it, what is to be shown.
    pub answer: Option<Answer>,
    /// The writer answers: the actor has nothing to add.
    pub with_commit: bool,
    pub shown: Shown,
    /// A spool file to take away after the commit.
    pub spooled: Option<PathBuf>,
}

/// What a request asks of the actor.
pub(super) enum Todo {
    /// It is answered, or waits for what is under way.
    Nothing,
    Execute(Command, Along),
    Record(Vec<Event>, Along),
    CarryOut(Effect),
    Order(Order, Option<Box<Idempotency>>, Reply),
    /// Work off the line.
    Work,
}

/// What follows a commit.
pub(super) struct Done {
    effects: Vec<Effect>,
    /// No stop is outstanding any more.
    stopped: bool,
    settled: Option<Settled>,
    view: String,
    answered: Answer,
    reply: Held,
    spooled: Option<PathBuf>,
    delivery: Option<Uuid>,
}

impl Ledger {
    /// That of a run about to be created, or of one folded from its log.
    pub fn new(id: RunId, run: Option<Run>, live: Arc<AtomicBool>) -> Self {
        Self {
            id,
            run: run.map(Box::new),
            shown: None,
            live,
            waiting: None,
            stop_waiters: Vec::new(),
            delete_waiters: Vec::new(),
            delete_forced: false,
            deleting: false,
            jobs: VecDeque::new(),
            working: false,
            spool: spool::Known::default(),
            spool_under_way: HashSet::new(),
            deliveries: Deliveries::default(),
            pending: 0,
            echoes: Vec::new(),
            failed: None,
        }
    }

    /// The adapter of the run's CLI; none for one that this build no longer has.
    pub fn adapter(&self) -> Option<&'static dyn Adapter> {
        cli::adapter(&self.run.as_ref()?.created.agent.cli_name)
    }

    /// What a request comes to. The reply is answered here when that can be said at once.
    pub fn ask(&mut self, request: Request, reply: Reply, run_dir: &Path, session: bool) -> Todo {
        let along = |reply, idempotent| Along {
            reply: Some(reply),
            idempotent,
            ..Along::default()
        };
        match request {
            Request::Create {
                mut new,
                idempotent,
            } => {
                let along = Along {
                    secrets: Secrets::take(&mut new.agent.provider_config),
                    ..along(reply, idempotent)
                };
                Todo::Record(vec![(*new).into()], along)
            }
            Request::Continue {
                message,
                idempotent,
            } => self.go_on(&message, idempotent, reply),
            Request::LetGoOn => {
                self.let_go_on(reply);
                Todo::Nothing
            }
            Request::Retry { idempotent } => {
                Todo::Execute(Command::Retry, along(reply, idempotent))
            }
            Request::Queue { change, idempotent } => {
                self.change_queue(change, along(reply, idempotent))
            }
            Request::Stop { by } => self.stop(by, reply, session),
            Request::Delete { force } => {
                // Who waits for it already and did not force it gets the same answer.
                self.delete_forced = force || self.delete_forced && !self.delete_waiters.is_empty();
                self.stop(StopBy::Delete, reply, session)
            }
            Request::SetNotify { notify, idempotent } => {
                Todo::Execute(Command::SetNotify { notify }, along(reply, idempotent))
            }
            Request::Order { order, idempotent } => Todo::Order(order, idempotent, reply),
            Request::Hook { .. } if self.run.as_ref().is_some_and(|run| run.deleted) => {
                self.tell(Some(reply), Err(AskError::UnknownRun), None);
                Todo::Nothing
            }
            Request::Hook {
                payload,
                delivery,
                callers,
            } => {
                self.take_spool(run_dir);
                self.jobs.push_back(Job::Hook {
                    payload,
                    delivery,
                    callers,
                    from: From::Caller(reply),
                });
                Todo::Work
            }
        }
    }

    fn stop(&mut self, by: StopBy, reply: Reply, session: bool) -> Todo {
        // Who deletes what is deleted already would wait for an end that has been.
        let Some(run) = self.run.as_ref().filter(|run| !run.deleted) else {
            self.tell(Some(reply), Err(AskError::UnknownRun), None);
            return Todo::Nothing;
        };
        let events = match decide::decide(run, Command::Stop { by }) {
            Err(rejection) => {
                self.tell(Some(reply), Err(rejection.into()), None);
                return Todo::Nothing;
            }
            Ok(events) => events,
        };
        if by == StopBy::Delete {
            self.delete_waiters.push(reply);
        } else {
            self.stop_waiters.push(reply);
        }
        if !events.is_empty() {
            Todo::Record(events, Along::default())
        } else if by == StopBy::Delete && !self.deleting && !session {
            // An earlier deletion failed: once more.
            Todo::CarryOut(Effect::Delete)
        } else {
            Todo::Nothing
        }
    }

    /// Decides a command. What comes back goes to the writer; without it the caller is answered.
    ///
    /// # Errors
    /// When an event cannot be written; the actor ends.
    pub fn execute(
        &mut self,
        command: Command,
        along: Along,
        at: Time,
    ) -> Result<Option<(Append, Done)>, StoreError> {
        let Some(run) = &self.run else {
            answer(along.reply, Err(AskError::UnknownRun));
            return Ok(None);
        };
        match decide::decide(run, command) {
            Err(rejection) => self.tell(along.reply, Err(rejection.into()), None),
            Ok(events) if events.is_empty() => {
                let view = || {
                    let part = along.shown.of(run);
                    Ok(part.unwrap_or_else(|| view::run(run)))
                };
                let answer = along.answer.unwrap_or_else(view);
                self.tell(along.reply, answer, along.spooled);
            }
            Ok(mut events) => {
                self.name_request(&mut events);
                return self.record(events, along, at).map(Some);
            }
        }
        Ok(None)
    }

    /// Applies events and makes the append that stores them.
    ///
    /// # Errors
    /// When an event cannot be written; the actor ends.
    pub fn record(
        &mut self,
        events: Vec<Event>,
        along: Along,
        at: Time,
    ) -> Result<(Append, Done), StoreError> {
        // An append that was under way before somebody asked for a stop is no answer to it.
        let stopping = self.run.as_ref().is_some_and(|run| run.stop.is_some())
            || events
                .iter()
                .any(|event| matches!(event, Event::StopRequested(_)));
        let expected_sequence = self.run.as_ref().map_or(0, |run| run.last_sequence);
        crate::fault::point("run.before_apply");
        let encoded = events.into_iter().map(store::encode).collect();
        let encoded: Vec<_> = match encoded {
            Ok(encoded) => encoded,
            Err(error) => {
                answer(along.reply, Err(AskError::Store(StoreError::clone(&error))));
                return Err(error);
            }
        };
        let (applied, payloads): (Vec<Event>, Vec<_>) = encoded.into_iter().unzip();
        let typed = self.run.as_ref().and_then(|run| run.outbox.typing.clone());
        let run = self.apply(&applied, at)?;
        crate::fault::point("run.after_apply");
        let effects = effect::after(&run, &applied);
        let row = RunRow::since(&run, &mut self.shown);
        let settled = self.settle(&applied);
        let stopped = stopping && run.stop.is_none();
        let request = Self::request_done(typed, &applied);
        let wanted = (along.reply.is_some() && along.answer.is_none())
            || request.is_some()
            || settled.is_some()
            || (stopped && !self.stop_waiters.is_empty());
        let view = if wanted {
            view::run(&run)
        } else {
            String::new()
        };
        let shown = || along.shown.of(&run).unwrap_or_else(|| view.clone());
        let answered = along.answer.unwrap_or_else(|| Ok(shown()));
        let fine = answered.as_ref().ok();
        let idempotent = along
            .idempotent
            .zip(fine)
            .map(|(key, text)| key.answered(text))
            .or_else(|| Some(Idempotency::of(&request?).answered(&view)));
        let reply = Held::new(along.reply);
        let append = Append {
            run_id: self.id,
            expected_sequence,
            events: payloads,
            at,
            row: (!run.deleted).then_some(row),
            delivery: along.delivery,
            idempotent,
            secrets: along.secrets,
            stored: along.with_commit.then(|| {
                let (reply, answered) = (reply.clone(), answered.clone());
                Stored::new(move || answer(reply.take(), answered))
            }),
        };
        self.put_back(run);
        self.pending += 1;
        self.deliveries.begin(append.delivery);
        let done = Done {
            effects,
            stopped,
            settled,
            view,
            answered,
            reply,
            spooled: along.spooled,
            delivery: along.delivery,
        };
        Ok((append, done))
    }

    /// Takes the run out, with these events folded.
    fn apply(&mut self, events: &[Event], at: Time) -> Result<Box<Run>, StoreError> {
        let mut rest = events.iter();
        let mut run = match (self.run.take(), events.first()) {
            (Some(run), _) => run,
            (None, Some(Event::RunCreated(created))) => {
                rest.next();
                Box::new(Run::create(self.id, created, at))
            }
            (None, _) => return Err(StoreError::Missing),
        };
        rest.for_each(|event| run.apply(event, at));
        Ok(run)
    }

    /// Puts the run back that was taken out.
    fn put_back(&mut self, run: Box<Run>) {
        self.live.store(run.is_live(), Ordering::Relaxed);
        if run.deleted {
            // It holds a folder open that is gone.
            self.spool = spool::Known::default();
        }
        self.run = Some(run);
    }

    /// A commit came to this: answers, and gives the effects that follow.
    ///
    /// # Errors
    /// When nothing was stored; the actor ends.
    pub fn committed(
        &mut self,
        outcome: Result<(), StoreError>,
        done: Done,
    ) -> Result<Vec<Effect>, StoreError> {
        self.pending -= 1;
        if let Err(error) = outcome {
            self.fail(&error);
            // What failed first is the cause; a wrong sequence behind it is only its echo.
            let cause = self.failed.clone().unwrap_or_else(|| error.clone());
            answer(done.reply.take(), Err(cause.into()));
            return Err(error);
        }
        crate::fault::point("run.after_commit");
        if let Some(path) = &done.spooled {
            self.spool_file_done(path);
        }
        if let Some(settled) = done.settled {
            settled.tell(&done.view);
        }
        if done.stopped {
            for waiter in std::mem::take(&mut self.stop_waiters) {
                answer(Some(waiter), Ok(done.view.clone()));
            }
        }
        answer(done.reply.take(), done.answered);
        for from in self.deliveries.durable(done.delivery) {
            self.recorded(from);
        }
        self.echoes.iter_mut().for_each(|echo| echo.behind -= 1);
        self.tell_echoes();
        crate::fault::point("run.after_answer");
        Ok(done.effects)
    }

    /// Answers what changed nothing, behind the appends under way: what is told survives a crash.
    pub fn tell(&mut self, reply: Option<Reply>, answer: Answer, spooled: Option<PathBuf>) {
        let behind = self.pending;
        self.echoes.push(Echo {
            behind,
            reply,
            answer,
            spooled,
        });
        self.tell_echoes();
    }

    fn tell_echoes(&mut self) {
        let durable = |echo: &mut Echo| echo.behind == 0;
        let told: Vec<Echo> = self.echoes.extract_if(.., durable).collect();
        for echo in told {
            answer(echo.reply, echo.answer);
            if let Some(path) = &echo.spooled {
                self.spool_file_done(path);
            }
        }
    }

    /// Something could not be stored: tells who waits. The actor ends.
    pub fn fail(&mut self, error: &StoreError) {
        if self.failed.is_none() {
            log::error!(run_id:% = self.id; "Events of run {} were not stored: {error}.", self.id);
            self.failed = Some(error.clone());
        }
        self.answer_waiters(&AskError::Store(error.clone()));
    }

    /// Events were not stored: only the log knows how things are.
    pub const fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Tells all who wait that it comes to nothing.
    pub fn answer_waiters(&mut self, error: &AskError) {
        let typing = self.waiting_reply();
        let twice = self.deliveries.give_up().into_iter();
        let twice = twice.filter_map(|from| match from {
            From::Caller(reply) => Some(reply),
            // It is still in the spool.
            From::Spool(_) => None,
        });
        let waiters = self
            .stop_waiters
            .drain(..)
            .chain(self.delete_waiters.drain(..))
            .chain(twice)
            .chain(self.echoes.drain(..).filter_map(|echo| echo.reply))
            .chain(typing);
        for waiter in waiters {
            answer(Some(waiter), Err(error.clone()));
        }
    }

    /// A deletion is over: tells who waited for it.
    pub fn deletion_over(&mut self, outcome: &Answer) {
        self.deleting = false;
        for waiter in self.delete_waiters.drain(..) {
            answer(Some(waiter), outcome.clone());
        }
    }

    /// True when nothing is outstanding here: its actor may sleep.
    pub fn is_idle(&self) -> bool {
        let quiet = self.run.as_ref().is_none_or(|run| !run.needs_recovery());
        quiet && self.pending == 0 && !self.working && self.jobs.is_empty()
    }
}
