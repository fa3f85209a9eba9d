//! One run's actor: decide, append, apply; after the commit, effects and answers.
//!
//! It applies events before they are durable but shows nothing of them until the commit: answers,
//! effects and the projection leave with it. So several appends may be under way at once. When one
//! fails the actor ends; the registry builds it again from the log.
//!
//! What must keep its order (spooled hooks, hooks, the end of the process) waits in one list.

pub(super) use super::jobs::{From, Job};
use super::{
    clock,
    delivery::{Settled, Shown, Waiting},
    messages::{Answer, AskError, Idempotency, News, Tell},
    registry::{Passivate, Registry},
    shared::Shared,
    silence::Watches,
};
use crate::{
    cli::{self, Adapter, Transcript},
    domain::{
        RunId, Secrets,
        run::{Command, Event, Rejection, Run, decide, effect, event::StopBy},
    },
    pty::SessionHandle,
    store::{self, Append, RunRow, StoreError},
};
use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture,
};
use std::{
    collections::{HashSet, VecDeque},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::oneshot;
use uuid::Uuid;

/// Deliveries remembered, to recognise one that comes twice within moments. Spooled ones are
/// looked up in the log, whose index is the last word.
const DELIVERIES_MAX: usize = 256;
/// How long an actor without anything to do stays awake.
const AWAKE: Duration = Duration::from_secs(5);

pub(super) type Reply = oneshot::Sender<Answer>;

/// The actor.
pub struct RunActor {
    pub(super) id: RunId,
    /// None until `run.created` is applied.
    pub(super) run: Option<Run>,
    pub(super) shared: Arc<Shared>,
    pub(super) registry: Addr<Registry>,
    /// Read by the registry: a process is alive or wanted.
    live: Arc<AtomicBool>,
    /// Our end of the holder, while it lives.
    pub(super) session: Option<SessionHandle>,
    /// Reader of the session's transcript, and the session it reads.
    pub(super) transcript: Option<(String, Box<dyn Transcript>)>,
    /// Absolute offset up to which the output of a headless CLI was read.
    pub(super) output_read: u64,
    /// Timers that wait for a word of the CLI.
    pub(super) watches: Watches,
    /// Raised to stop a set-up that is under way.
    pub(super) set_up: Option<Arc<AtomicBool>>,
    /// A deletion is under way.
    pub(super) deleting: bool,
    /// The caller of continue whose message is being typed.
    pub(super) waiting: Option<Waiting>,
    /// Callers of cancel and pause.
    pub(super) stop_waiters: Vec<Reply>,
    /// Callers of delete.
    pub(super) delete_waiters: Vec<Reply>,
    /// What must keep its order.
    pub(super) jobs: VecDeque<Job>,
    /// A job waits for something.
    pub(super) working: bool,
    /// Spool files in line or not yet durable.
    pub(super) spool_under_way: HashSet<PathBuf>,
    deliveries: VecDeque<Uuid>,
    /// Appends under way.
    pending: usize,
    /// Effects under way.
    pub(super) busy: usize,
    /// Held by whoever replaces files of the worktrees, or numbers a checkpoint.
    pub(super) world: Arc<tokio::sync::Mutex<()>>,
    failed: Option<StoreError>,
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
    pub shown: Shown,
    /// A spool file to take away after the commit.
    pub spooled: Option<PathBuf>,
}

/// Asks for the run as it is now.
#[derive(Message)]
#[rtype(result = "Option<Box<Run>>")]
pub(super) struct Now;

/// The registry has forgotten this actor.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Rest;

impl RunActor {
    /// An actor for a run that is about to be created.
    pub(super) fn new(
        id: RunId,
        shared: Arc<Shared>,
        registry: Addr<Registry>,
        live: Arc<AtomicBool>,
    ) -> Self {
        Self {
            id,
            run: None,
            shared,
            registry,
            live,
            session: None,
            transcript: None,
            output_read: 0,
            watches: Watches::default(),
            set_up: None,
            deleting: false,
            waiting: None,
            stop_waiters: Vec::new(),
            delete_waiters: Vec::new(),
            jobs: VecDeque::new(),
            working: false,
            spool_under_way: HashSet::new(),
            deliveries: VecDeque::new(),
            pending: 0,
            busy: 0,
            world: Arc::default(),
            failed: None,
        }
    }

    /// An actor for a run that was folded from its log.
    pub(super) fn rebuilt(
        run: Run,
        shared: Arc<Shared>,
        registry: Addr<Registry>,
        live: Arc<AtomicBool>,
    ) -> Self {
        Self {
            run: Some(run.clone()),
            ..Self::new(run.id, shared, registry, live)
        }
    }

    /// The adapter of the run's CLI; none for one that this build no longer has.
    pub(super) fn adapter(&self) -> Option<&'static dyn Adapter> {
        cli::adapter(&self.run.as_ref()?.created.agent.cli_name)
    }

    /// Decides a command and has its events stored.
    pub(super) fn execute(&mut self, command: Command, along: Along, context: &mut Context<Self>) {
        let Some(run) = &self.run else {
            return answer(along.reply, Err(AskError::UnknownRun));
        };
        match decide::decide(run, command) {
            Err(rejection) => answer(along.reply, Err(rejection.into())),
            Ok(events) if events.is_empty() => {
                if let Some(path) = &along.spooled {
                    super::spool::taken(path);
                }
                let view = || {
                    Ok(along
                        .shown
                        .of(run)
                        .unwrap_or_else(|| RunRow::of(run).view().to_owned()))
                };
                answer(along.reply, along.answer.unwrap_or_else(view));
            }
            Ok(events) => self.append(events, along, context),
        }
    }

    /// Applies events, has them stored, and acts after the commit.
    pub(super) fn append(&mut self, events: Vec<Event>, along: Along, context: &mut Context<Self>) {
        let at = clock::now();
        // An append that was under way before somebody asked for a stop is no answer to it.
        let stopping = self.run.as_ref().is_some_and(|run| run.stop.is_some())
            || events
                .iter()
                .any(|event| matches!(event, Event::StopRequested(_)));
        let expected_sequence = self.run.as_ref().map_or(0, |run| run.last_sequence);
        let mut payloads = Vec::with_capacity(events.len());
        let mut applied = Vec::with_capacity(events.len());
        for event in events {
            match store::encode(event) {
                Ok((event, payload)) => {
                    self.apply(&event, at);
                    applied.push(event);
                    payloads.push(payload);
                }
                Err(error) => {
                    self.fail(&error, context);
                    return answer(along.reply, Err(error.into()));
                }
            }
        }
        let settled = self.settle(&applied);
        let Some(run) = &self.run else { return };
        let effects = effect::after(run, &applied);
        let stopped = stopping && run.stop.is_none();
        let row = RunRow::of(run);
        let wanted = along.reply.is_some()
            || settled.is_some()
            || (stopped && !self.stop_waiters.is_empty());
        let view = if wanted {
            row.view().to_owned()
        } else {
            String::new()
        };
        let shown = || along.shown.of(run).unwrap_or_else(|| view.clone());
        let answered = along.answer.unwrap_or_else(|| Ok(shown()));
        let fine = answered.as_ref().ok();
        let idempotent = along
            .idempotent
            .zip(fine)
            .map(|(key, text)| key.answered(text))
            .or_else(|| settled.as_ref()?.remembered(&view));
        self.live.store(run.is_live(), Ordering::Relaxed);
        let append = Append {
            run_id: self.id,
            expected_sequence,
            events: payloads,
            at,
            row: (!run.deleted).then_some(row),
            delivery: along.delivery,
            idempotent,
            secrets: along.secrets,
        };
        self.pending += 1;
        self.watch_silence(context);
        let done = Done {
            effects,
            stopped,
            settled,
            view,
            answered,
            reply: along.reply,
            spooled: along.spooled,
        };
        self.send(append, done, context);
    }

    fn apply(&mut self, event: &Event, at: crate::domain::Time) {
        match (&mut self.run, event) {
            (None, Event::RunCreated(created)) => {
                self.run = Some(Run::create(self.id, created, at));
            }
            (None, _) => {}
            (Some(run), event) => run.apply(event, at),
        }
    }

    /// Hands the append to the writer in order; a full queue holds this actor's mailbox.
    fn send(&mut self, append: Append, done: Done, context: &mut Context<Self>) {
        match self.shared.writer.append(append) {
            Ok(committed) => {
                let outcome = committed.into_actor(self);
                context.spawn(outcome.map(move |outcome, actor: &mut Self, context| {
                    actor.committed(outcome.unwrap_or(Err(StoreError::Closed)), done, context);
                }));
            }
            Err(append) => {
                let writer = self.shared.writer.clone();
                // The queue holds up the mailbox; the commit, waited for after it, does not.
                let queued = async move { (writer.append_waiting(*append).await,) };
                context.wait(queued.into_actor(self).map(
                    move |(commit,), actor: &mut Self, context| {
                        let outcome = commit.into_actor(actor);
                        context.spawn(outcome.map(move |outcome, actor: &mut Self, context| {
                            let outcome = outcome.unwrap_or(Err(StoreError::Closed));
                            actor.committed(outcome, done, context);
                        }));
                    },
                ));
            }
        }
    }

    fn committed(
        &mut self,
        outcome: Result<(), StoreError>,
        done: Done,
        context: &mut Context<Self>,
    ) {
        self.pending -= 1;
        if let Err(error) = outcome {
            self.fail(&error, context);
            // What failed first is the cause; a wrong sequence behind it is only its echo.
            let cause = self.failed.clone().unwrap_or(error);
            return answer(done.reply, Err(cause.into()));
        }
        crate::fault::point("run.after_commit");
        if let Some(path) = &done.spooled {
            super::spool::taken(path);
            self.spool_under_way.remove(path);
        }
        if let Some(settled) = done.settled {
            settled.tell(&done.view);
        }
        if done.stopped {
            for waiter in std::mem::take(&mut self.stop_waiters) {
                answer(Some(waiter), Ok(done.view.clone()));
            }
        }
        answer(done.reply, done.answered);
        for effect in done.effects {
            self.carry_out(effect, context);
        }
    }

    fn fail(&mut self, error: &StoreError, context: &mut Context<Self>) {
        if self.failed.is_none() {
            log::error!(run_id:% = self.id; "Events of run {} were not stored: {error}.", self.id);
            self.failed = Some(error.clone());
        }
        self.answer_waiters(&AskError::Store(error.clone()));
        context.stop();
    }

    fn answer_waiters(&mut self, error: &AskError) {
        let typing = self.waiting_reply();
        let waiters = self
            .stop_waiters
            .drain(..)
            .chain(self.delete_waiters.drain(..))
            .chain(typing);
        for waiter in waiters {
            answer(Some(waiter), Err(error.clone()));
        }
    }

    /// True for a delivery that came before; remembers it otherwise.
    pub(super) fn delivered(&mut self, delivery: Option<Uuid>) -> bool {
        let Some(delivery) = delivery else {
            return false;
        };
        if self.deliveries.contains(&delivery) {
            return true;
        }
        if self.deliveries.len() == DELIVERIES_MAX {
            self.deliveries.pop_front();
        }
        self.deliveries.push_back(delivery);
        false
    }

    pub(super) fn stop(&mut self, by: StopBy, reply: Reply, context: &mut Context<Self>) {
        let Some(run) = &self.run else {
            return answer(Some(reply), Err(AskError::UnknownRun));
        };
        match decide::decide(run, Command::Stop { by }) {
            Err(rejection) => answer(Some(reply), Err(rejection.into())),
            Ok(events) => {
                if by == StopBy::Delete {
                    self.delete_waiters.push(reply);
                } else {
                    self.stop_waiters.push(reply);
                }
                if !events.is_empty() {
                    self.append(events, Along::default(), context);
                } else if by == StopBy::Delete && !self.deleting && self.session.is_none() {
                    // An earlier deletion failed: once more.
                    self.carry_out(effect::Effect::Delete, context);
                }
            }
        }
    }

    fn idle(&self) -> bool {
        let quiet = self.run.as_ref().is_none_or(|run| !run.needs_recovery());
        quiet
            && self.pending == 0
            && self.busy == 0
            && self.session.is_none()
            && self.jobs.is_empty()
            && self.shared.viewer_count(self.id) == 0
    }

    fn rest_when_idle(&self, context: &mut Context<Self>) {
        context.run_interval(AWAKE, |actor, context| {
            if actor.idle() {
                let asked = actor.registry.send(Passivate { run_id: actor.id });
                context.spawn(asked.into_actor(actor).map(|_, _, _| ()));
            }
        });
    }
}

/// What follows a commit.
struct Done {
    effects: Vec<effect::Effect>,
    /// No stop is outstanding any more.
    stopped: bool,
    settled: Option<Settled>,
    view: String,
    answered: Answer,
    reply: Option<Reply>,
    spooled: Option<PathBuf>,
}

/// Answers a caller; one that went away wants no answer.
pub(super) fn answer(reply: Option<Reply>, with: Answer) {
    if let Some(reply) = reply {
        drop(reply.send(with));
    }
}

impl Actor for RunActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // Admission bounds what callers send; this bounds it once more, with room for news.
        context.set_mailbox_capacity(self.shared.config.commands_max * 2);
        self.rest_when_idle(context);
        if self.run.is_some() {
            self.look_after(context);
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.shared.watch.remove(self.id);
        self.answer_waiters(&AskError::ActorEnded);
    }
}

impl Handler<Tell> for RunActor {
    type Result = Answer;

    fn handle(&mut self, tell: Tell, context: &mut Self::Context) -> Self::Result {
        if let News::Fact(command) = tell.news {
            self.execute(command, Along::default(), context);
        } else {
            self.hear(tell.news, context);
        }
        Ok(String::new())
    }
}

impl Handler<Now> for RunActor {
    type Result = Option<Box<Run>>;

    fn handle(&mut self, _: Now, _: &mut Self::Context) -> Self::Result {
        self.run.clone().map(Box::new)
    }
}

impl Handler<Rest> for RunActor {
    type Result = ();

    fn handle(&mut self, _: Rest, context: &mut Self::Context) {
        context.stop();
    }
}

impl std::convert::From<&Rejection> for AskError {
    fn from(rejection: &Rejection) -> Self {
        Self::Rejected(*rejection)
    }
}
