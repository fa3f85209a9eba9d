//! One run's actor: decide, append, apply; after the commit, effects and answers.
//!
//! It applies events before they are durable but shows nothing of them until the commit: answers,
//! effects and the projection leave with it. So several appends may be under way at once. When one
//! fails the actor ends; the registry builds it again from the log.
//!
//! What must keep its order (spooled hooks, hooks, the end of the process) waits in one list.

use super::{
    clock,
    ledger::{Along, Done, Ledger},
    messages::{Answer, AskError, News, Tell},
    program::Program,
    reach::Reach,
    registry::{Passivate, Registry},
    shared::Shared,
    silence::Watches,
    slots::Seed,
};
use crate::{
    cli::Transcript,
    domain::{
        RunId,
        run::{Command, Run},
    },
    pty::SessionHandle,
    store::{Append, Commit, StoreError},
};
use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture,
};
use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

/// How long an actor without anything to do stays awake.
const AWAKE: Duration = Duration::from_secs(5);

/// The actor.
pub struct RunActor {
    pub(super) id: RunId,
    /// What it knows and records.
    pub(super) ledger: Ledger,
    pub(super) shared: Arc<Shared>,
    /// The run's own folder.
    pub(super) run_dir: PathBuf,
    pub(super) registry: Addr<Registry>,
    /// Our end of the holder, while it lives.
    pub(super) session: Option<SessionHandle>,
    pub(super) reach: Reach,
    /// What the holder told of its program.
    pub(super) program: Program,
    /// Reader of the session's transcript, and the session it reads.
    pub(super) transcript: Option<(String, Box<dyn Transcript>)>,
    /// Where the last hook said that the transcript is.
    pub(super) transcript_named: Option<PathBuf>,
    /// Absolute offset up to which the output of a headless CLI was read.
    pub(super) output_read: u64,
    /// Timers that wait for a word of the CLI.
    pub(super) watches: Watches,
    /// Raised to stop a set-up that is under way.
    pub(super) set_up: Option<Arc<AtomicBool>>,
    /// Appends behind one that waits for room in the writer's queue, in order.
    held: VecDeque<(Append, Done)>,
    holding: bool,
    /// Effects under way.
    pub(super) busy: usize,
    /// Held by whoever replaces files of the worktrees, or numbers a checkpoint.
    pub(super) world: Arc<tokio::sync::Mutex<()>>,
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
    /// An actor for a run that is about to be created, or was folded from its log.
    pub(super) fn new(seed: Seed, shared: Arc<Shared>, registry: Addr<Registry>) -> Self {
        Self {
            id: seed.run_id,
            ledger: Ledger::new(seed.run_id, seed.run, seed.live),
            run_dir: shared.run_dir(seed.run_id),
            shared,
            registry,
            session: None,
            reach: Reach::default(),
            program: Program::default(),
            transcript: None,
            transcript_named: None,
            output_read: 0,
            watches: Watches::default(),
            set_up: None,
            held: VecDeque::new(),
            holding: false,
            busy: 0,
            world: Arc::default(),
        }
    }

    /// Decides a command and has its events stored.
    pub(super) fn execute(&mut self, command: Command, along: Along, context: &mut Context<Self>) {
        let recorded = self.ledger.execute(command, along, clock::now());
        self.store(recorded, context);
    }

    /// Has events stored that were recorded, and acts after the commit.
    pub(super) fn store(
        &mut self,
        recorded: Result<Option<(Append, Done)>, StoreError>,
        context: &mut Context<Self>,
    ) {
        match recorded {
            Ok(None) => {}
            Ok(Some((append, done))) => {
                self.watch_silence(context);
                self.look_at_answer(context);
                self.send(append, done, context);
                self.look_at_prompt(context);
            }
            Err(error) => {
                self.ledger.fail(&error);
                context.stop();
            }
        }
    }

    /// Hands the append to the writer in order; a full queue holds this actor's mailbox, and what
    /// else is appended until there is room stands behind it.
    fn send(&mut self, append: Append, done: Done, context: &mut Context<Self>) {
        if self.holding {
            return self.held.push_back((append, done));
        }
        match self.shared.writer.append(append) {
            Ok(commit) => self.await_commit(commit, done, context),
            Err(append) => {
                self.holding = true;
                self.wait_for_room(*append, done, context);
            }
        }
    }

    fn wait_for_room(&mut self, append: Append, done: Done, context: &mut Context<Self>) {
        let writer = self.shared.writer.clone();
        // The queue holds up the mailbox; the commit, waited for after it, does not.
        let queued = async move { (writer.append_waiting(append).await,) };
        let queued = queued.into_actor(self);
        context.wait(queued.map(move |(commit,), actor: &mut Self, context| {
            actor.await_commit(commit, done, context);
            match actor.held.pop_front() {
                Some((append, done)) => actor.wait_for_room(append, done, context),
                None => actor.holding = false,
            }
        }));
    }

    fn await_commit(&self, commit: Commit, done: Done, context: &mut Context<Self>) {
        let outcome = commit.outcome().into_actor(self);
        context.spawn(outcome.map(move |outcome, actor: &mut Self, context| {
            actor.committed(outcome, done, context);
        }));
    }

    fn committed(
        &mut self,
        outcome: Result<(), StoreError>,
        done: Done,
        context: &mut Context<Self>,
    ) {
        match self.ledger.committed(outcome, done) {
            Ok(effects) => {
                for effect in effects {
                    self.carry_out(effect, context);
                }
                self.work(context);
            }
            Err(_) => context.stop(),
        }
    }

    fn idle(&self) -> bool {
        self.ledger.is_idle()
            && self.busy == 0
            && self.session.is_none()
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

impl Actor for RunActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // Admission bounds what callers send; this bounds it once more, with room for news.
        context.set_mailbox_capacity(self.shared.config.commands_max * 2);
        self.rest_when_idle(context);
        if self.ledger.run.is_some() {
            self.look_after(context);
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.shared.watch.remove(self.id);
        self.ledger.answer_waiters(&AskError::ActorEnded);
        if self.ledger.has_failed() {
            super::recovery::revive_later(self.id, &self.registry);
        }
    }
}

impl Handler<Tell> for RunActor {
    type Result = Answer;

    fn handle(&mut self, tell: Tell, context: &mut Self::Context) -> Self::Result {
        if let News::Fact(command) = tell.news {
            // The end that an unrecorded stop made is not to be taken for the CLI's own.
            let stopping = |run: &Run| run.stop.is_some();
            if matches!(command, Command::Exited(_))
                && !self.ledger.run.as_deref().is_some_and(stopping)
            {
                self.record_stop(context);
            }
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
        self.ledger.run.clone()
    }
}

impl Handler<Rest> for RunActor {
    type Result = ();

    fn handle(&mut self, _: Rest, context: &mut Self::Context) {
        context.stop();
    }
}
