//! All decisions of a run, without a mailbox, IO, a clock or ids of its own: [`Core::handle`] takes one
//! input and returns what to do.
//!
//! Events are applied before they are durable, but nothing of them is shown before their commit:
//! replies, effects and the read model follow it. So several appends may be under way at once. When
//! one fails, the actor ends, and the registry builds it again from the log.
//!
//! The actor ([`super::actor`]) and the simulation (`runtime::tests::simulation`) drive the same
//! core.

mod approvals;
mod commits;
mod delivery;
mod effects;
mod holder;
mod inbox;
mod requests;
mod silence;
mod updates;

use super::{
    input::Input,
    output::{Job, Output},
    waits::Waits,
};
use crate::{
    cli::{self, Adapter},
    domain::{
        RunId, Time,
        run::{
            Command, Run,
            event::{Missing, StopBy},
        },
    },
    runtime::messages::{AskError, Outcome, Reply, ReplySender, Request},
    store::StoreError,
};
use commits::{DeferredReply, ReplyContext};
use delivery::Waiting;
use holder::Program;
use inbox::{Deliveries, Item, WaitsFor};
use std::{
    collections::{HashSet, VecDeque},
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

/// The state of one run's actor, apart from its mailbox, connections and files.
pub(crate) struct Core {
    id: RunId,
    /// Of the present input.
    now: Time,
    outputs: Vec<Output>,
    waits: Waits,
    /// None until `run.created` is applied.
    run: Option<Arc<Run>>,
    /// The run as it was when the writer last got its whole row.
    shown: Option<Box<Run>>,
    /// Read by the registry: a process is alive or wanted.
    live: Arc<AtomicBool>,

    /// How many appends are under way.
    pending: usize,
    /// Replies that wait for appends under way.
    deferred: Vec<DeferredReply>,
    failed: Option<StoreError>,
    /// Callers of cancel and pause.
    stop_waiters: Vec<ReplySender>,
    /// Callers of delete.
    delete_waiters: Vec<ReplySender>,
    /// One of them accepts that what cannot be kept is lost.
    delete_forced: bool,
    /// A deletion is under way.
    deleting: bool,
    /// The caller of continue whose message is being typed.
    waiting: Option<Waiting>,

    /// Hooks, looks at the transcript and the exit of the process, which keep their order.
    inbox: VecDeque<Item>,
    /// What the first of them waits for.
    waits_for: Option<WaitsFor>,
    /// Spool files in the inbox or not yet durable.
    spool_under_way: HashSet<PathBuf>,
    deliveries: Deliveries,
    /// The transcript that the last hook named.
    transcript_named: Option<PathBuf>,

    /// A holder is attached.
    session: bool,
    /// Tries in a row that did not reach the holder.
    out_of_reach: u32,
    program: Program,
    /// The silences whose timers are set.
    watched_silences: Vec<Missing>,
    /// A set-up is under way.
    setting_up: bool,
    /// Jobs that wait for the end of the exclusive job under way; none without one.
    exclusive: Option<VecDeque<Job>>,
}

impl Core {
    /// The core of a run that is about to be created, or was folded from its log.
    pub(crate) fn new(id: RunId, run: Option<Run>, live: Arc<AtomicBool>, waits: Waits) -> Self {
        Self {
            id,
            now: Time::default(),
            outputs: Vec::new(),
            waits,
            run: run.map(Arc::new),
            shown: None,
            live,
            pending: 0,
            deferred: Vec::new(),
            failed: None,
            stop_waiters: Vec::new(),
            delete_waiters: Vec::new(),
            delete_forced: false,
            deleting: false,
            waiting: None,
            inbox: VecDeque::new(),
            waits_for: None,
            spool_under_way: HashSet::new(),
            deliveries: Deliveries::default(),
            transcript_named: None,
            session: false,
            out_of_reach: 0,
            program: Program::default(),
            watched_silences: Vec::new(),
            setting_up: false,
            exclusive: None,
        }
    }

    /// Takes one input, at `now` of the wall clock; returns what to do, in order.
    pub(crate) fn handle(&mut self, input: Input, now: Time) -> Vec<Output> {
        self.now = now;
        match input {
            Input::Resume => self.resume(),
            Input::Asked { request, caller } => self.request(request, caller),
            Input::Committed { outcome, after } => self.committed(outcome, *after),
            Input::Update(update) => self.on_update(update),
            Input::Timer { timer, viewed } => self.on_timer(timer, viewed),
            Input::Spool(paths) => self.spool(paths),
            Input::SpoolRead(read) => self.spool_read(read),
            Input::Delivered(before) => self.looked_up(before),
            Input::TranscriptRead(observed) => self.transcript_read(observed),
            Input::JobEnded { exclusive } => {
                if exclusive {
                    self.next_exclusive();
                }
            }
            Input::End => self.answer_waiters(&AskError::ActorEnded),
        }
        std::mem::take(&mut self.outputs)
    }

    fn request(&mut self, request: Request, caller: ReplySender) {
        let context = |caller| ReplyContext {
            caller: Some(caller),
            ..ReplyContext::default()
        };
        match request {
            Request::Create(new) => self.create(*new, context(caller)),
            Request::Continue { id, message } => self.say(id, &message, caller),
            Request::Resume => self.resume_program(caller),
            Request::Retry => self.execute(Command::Retry, context(caller)),
            Request::Queue(change) => self.change_queue(change, context(caller)),
            Request::Stop(stop) => self.stop_by(stop, caller),
            Request::SetNotify { notify } => {
                self.execute(Command::SetNotify { notify }, context(caller));
            }
            Request::Decide(decision) => {
                let done = ReplyContext {
                    with: Reply::Done.into(),
                    ..context(caller)
                };
                self.execute(Command::Decide(decision), done);
            }
            Request::Order(order) => self.order(order, caller),
            Request::Hook(_) if self.run.as_ref().is_some_and(|run| run.deleted) => {
                self.reply_in_order(Some(caller), Err(AskError::UnknownRun));
            }
            Request::Hook(delivery) => self.queue(Item::Hook(Box::new(delivery), caller)),
        }
    }

    /// The run as it is decided, which may be ahead of the log; none before it is created.
    pub(crate) const fn run(&self) -> Option<&Arc<Run>> {
        self.run.as_ref()
    }

    /// Appends that are not stored yet.
    #[cfg(test)]
    pub const fn pending(&self) -> usize {
        self.pending
    }

    /// Events were not stored: only the log knows the state of the run.
    pub(crate) const fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// True when nothing is outstanding: the actor may be passivated.
    pub(crate) fn is_idle(&self) -> bool {
        let quiet = self.run.as_ref().is_none_or(|run| !run.needs_recovery());
        quiet
            && self.pending == 0
            && self.waits_for.is_none()
            && self.inbox.is_empty()
            && self.exclusive.is_none()
            && !self.session
    }

    fn emit(&mut self, output: Output) {
        self.outputs.push(output);
    }

    fn reply(&mut self, caller: Option<ReplySender>, outcome: Outcome) {
        if let Some(caller) = caller {
            self.emit(Output::Reply(caller, outcome));
        }
    }

    /// Starts a job; an exclusive one once no other exclusive job is under way.
    fn start(&mut self, job: Job) {
        if !job.is_exclusive() {
            return self.emit(Output::Start(job));
        }
        match &mut self.exclusive {
            Some(waiting) => waiting.push_back(job),
            None => {
                self.exclusive = Some(VecDeque::new());
                self.emit(Output::Start(job));
            }
        }
    }

    /// An exclusive job ended: starts the next that the run still admits.
    fn next_exclusive(&mut self) {
        while let Some(job) = self.exclusive.as_mut().and_then(VecDeque::pop_front) {
            if let Some(job) = self.admitted(job) {
                return self.emit(Output::Start(job));
            }
        }
        self.exclusive = None;
    }

    fn is_stopping(&self) -> bool {
        self.stop().is_some()
    }

    fn stop(&self) -> Option<StopBy> {
        self.run.as_ref()?.stop
    }

    /// The adapter of the run's CLI; none for one that this build no longer has.
    fn adapter(&self) -> Option<&'static dyn Adapter> {
        cli::adapter(&self.run.as_ref()?.created.agent.cli_name)
    }
}
