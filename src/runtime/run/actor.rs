//! The actor of one run: feeds its [`Core`] with inputs, and carries out the outputs. It decides nothing.

use super::{
    core::Core,
    input::{Input, Update},
    mailbox::{Ask, Passivate, Recover, Registry, Seed, UpdateRun},
    output::{AfterCommit, HolderCommand, Job, Output, TranscriptRead, Watched},
    spool,
    waits::Waits,
};
use crate::{
    domain::{RunId, run::Command},
    fault,
    pty::{HolderConnection, HolderHandle},
    runtime::{
        clock,
        jobs::{self, JobContext, holder, transcript},
        messages::{AskError, ReplySender},
        shared::Shared,
        threads,
    },
    store::{Append, Commit},
};
use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How long an actor without anything to do stays awake.
const AWAKE: Duration = Duration::from_secs(5);

/// Longest time for reading a transcript; one of 4 GiB on a slow disk takes a minute.
const READ_MAX: Duration = Duration::from_secs(120);

/// Between the end of an actor whose events were not stored and its next life.
const REVIVE: Duration = Duration::from_secs(2);

/// The actor.
pub(crate) struct RunActor {
    id: RunId,
    core: Core,
    shared: Arc<Shared>,
    /// The run's own folder.
    run_dir: PathBuf,
    registry: Registry,
    /// Our end of the holder, while it lives.
    session: Option<HolderHandle>,
    /// A session that was attached just now, and that the core may adopt.
    offered: Option<HolderConnection>,
    spool: spool::Known,
    transcript: Option<transcript::Reader>,
    /// Held by a read of the transcript that hangs.
    reading: Weak<()>,
    /// Raised to stop a set-up that is under way.
    set_up: Arc<AtomicBool>,
    /// Appends behind one that waits for room in the writer's queue, in order.
    waiting_appends: VecDeque<(Append, Box<AfterCommit>)>,
    waits_for_room: bool,
    /// Jobs under way.
    busy: usize,
}

impl RunActor {
    /// An actor for a run that is about to be created, or was folded from its log.
    pub(crate) fn new(seed: Seed, shared: Arc<Shared>, registry: Registry) -> Self {
        let minutes = shared.config.idle_minutes;
        let idle = (minutes > 0).then(|| Duration::from_secs(minutes * 60));
        Self {
            id: seed.run_id,
            core: Core::new(seed.run_id, seed.run, seed.live, Waits::new(idle)),
            run_dir: shared.run_dir(seed.run_id),
            shared,
            registry,
            session: None,
            offered: None,
            spool: spool::Known::default(),
            transcript: None,
            reading: Weak::new(),
            set_up: Arc::default(),
            waiting_appends: VecDeque::new(),
            waits_for_room: false,
            busy: 0,
        }
    }

    /// Feeds the core, and carries out its outputs; some of them yield further inputs at once.
    fn feed(&mut self, input: Input, context: &mut Context<Self>) {
        let mut inputs = VecDeque::from([input]);
        if inputs[0].follows_spool() {
            inputs.push_front(self.spooled());
        }
        while let Some(input) = inputs.pop_front() {
            let committed = matches!(
                &input,
                Input::Committed {
                    outcome: Ok(()),
                    ..
                }
            );
            let mut outputs = VecDeque::from(self.core.handle(input, clock::now()));
            if committed {
                fault::point("run.after_commit");
                while outputs.front().is_some_and(Output::is_reply) {
                    let reply = outputs.pop_front();
                    inputs.extend(reply.and_then(|reply| self.carry_out(reply, context)));
                }
                fault::point("run.after_answer");
            }
            for output in outputs {
                inputs.extend(self.carry_out(output, context));
            }
        }
    }

    /// The hooks that wait in the spool.
    fn spooled(&mut self) -> Input {
        let listed = self.spool.new_ones(&self.run_dir);
        Input::Spool(listed.unwrap_or_else(|error| {
            log::error!(run_id:% = self.id; "Could not read the spool of run {}: {error}.", self.id);
            Vec::new()
        }))
    }

    /// Carries out one output; returns what the core has to know of it at once.
    fn carry_out(&mut self, output: Output, context: &mut Context<Self>) -> Option<Input> {
        match output {
            Output::Append(append, after) => self.append(*append, after, context),
            Output::Reply(caller, outcome) => caller.send(outcome),
            Output::Start(job) => self.start(job, context),
            Output::StopSetUp => self.set_up.store(true, Ordering::Relaxed),
            Output::Holder(command) => {
                // An exit that is recorded is the last word to its holder.
                let session = if command == HolderCommand::Acknowledge {
                    self.session.take()
                } else {
                    self.session.clone()
                };
                if let Some(session) = session {
                    self.run_job(context, false, |job| holder::tell(job, session, command));
                }
            }
            Output::AdoptSession => {
                self.session = self.offered.as_ref().map(HolderConnection::handle);
            }
            Output::WatchSession => {
                if let Some(session) = self.offered.take() {
                    self.run_job(context, false, |job| holder::watch(job, session));
                }
            }
            Output::ReleaseSession => {
                if let Some(session) = self.offered.take() {
                    self.run_job(context, false, |job| async move {
                        holder::release(&job, session).await;
                    });
                }
            }
            Output::DropSession => self.session = None,
            Output::SetTimer(wait, timer) => {
                context.run_later(wait, move |actor, context| {
                    let viewed = actor.shared.viewer_count(actor.id) > 0;
                    actor.feed(Input::Timer { timer, viewed }, context);
                });
            }
            Output::Watch(watched) => {
                let path = match watched {
                    Watched::Spool => spool::folder(&self.run_dir),
                    Watched::Output => self.run_dir.join("output.log"),
                    Watched::Transcript(path) => path,
                };
                self.shared.watch.add(self.id, &path);
            }
            Output::ListSpool => return Some(self.spooled()),
            Output::ReadSpool(path) => return Some(Input::SpoolRead(spool::read(&path))),
            Output::RemoveSpooled(path) => spool::taken(&path),
            Output::SetSpooledAside(path) => spool::set_aside(&path),
            Output::LookUp(delivery) => {
                let found = self.shared.reader.delivered(delivery);
                return Some(Input::Delivered(found.unwrap_or(false)));
            }
            Output::ReadTranscript(read) => return self.read_transcript(read, context),
            Output::CloseTranscript => {
                self.transcript = None;
                fault::point("exit.before_ack");
            }
            Output::Forget => self.forget(),
            Output::End => context.stop(),
        }
        None
    }

    fn start(&mut self, job: Job, context: &mut Context<Self>) {
        if matches!(job, Job::SetUp { .. }) {
            self.set_up = Arc::default();
        }
        self.run_job(context, job.is_exclusive(), |with| {
            jobs::carry_out(job, with)
        });
    }

    /// Runs a job beside the actor and counts it, so that the actor stays awake.
    fn run_job<F, Fut>(&mut self, context: &mut Context<Self>, exclusive: bool, job: F)
    where
        F: FnOnce(JobContext) -> Fut,
        Fut: Future<Output = ()> + 'static,
    {
        let Some(run) = self.core.run().cloned() else {
            return;
        };
        let with = JobContext {
            run,
            shared: Arc::clone(&self.shared),
            stop: Arc::clone(&self.set_up),
            registry: self.registry.update.clone(),
        };
        self.busy += 1;
        let ended = actix::spawn(job(with)).into_actor(self);
        context.spawn(ended.map(move |outcome, actor: &mut Self, context| {
            actor.busy -= 1;
            if let Err(error) = outcome {
                log::error!(run_id:% = actor.id; "A job of run {} failed: {error}.", actor.id);
            }
            actor.feed(Input::JobEnded { exclusive }, context);
        }));
    }

    /// Hands the append to the writer in order; a full queue holds this actor's mailbox, and what
    /// else is appended until there is room stands behind it.
    fn append(&mut self, append: Append, after: Box<AfterCommit>, context: &mut Context<Self>) {
        if self.waits_for_room {
            return self.waiting_appends.push_back((append, after));
        }
        fault::point("run.before_append");
        match self.shared.writer.append(append) {
            Ok(commit) => {
                fault::point("run.after_append");
                self.await_commit(commit, after, context);
            }
            Err(append) => {
                self.waits_for_room = true;
                self.wait_for_room(*append, after, context);
            }
        }
    }

    fn wait_for_room(
        &mut self,
        append: Append,
        after: Box<AfterCommit>,
        context: &mut Context<Self>,
    ) {
        let writer = self.shared.writer.clone();
        // The queue holds up the mailbox; the commit, waited for after it, does not.
        let queued = async move { (writer.append_waiting(append).await,) };
        let queued = queued.into_actor(self);
        context.wait(queued.map(move |(commit,), actor: &mut Self, context| {
            actor.await_commit(commit, after, context);
            match actor.waiting_appends.pop_front() {
                Some((append, after)) => actor.wait_for_room(append, after, context),
                None => actor.waits_for_room = false,
            }
        }));
    }

    fn await_commit(&self, commit: Commit, after: Box<AfterCommit>, context: &mut Context<Self>) {
        let outcome = commit.outcome().into_actor(self);
        context.spawn(outcome.map(move |outcome, actor: &mut Self, context| {
            actor.feed(Input::Committed { outcome, after }, context);
        }));
    }

    /// Reads the transcript on a blocking thread, then tells the core. The mailbox does not wait. It may lie
    /// on a mount that hangs: then nothing is read until that is over.
    fn read_transcript(
        &mut self,
        read: Box<TranscriptRead>,
        context: &mut Context<Self>,
    ) -> Option<Input> {
        if self.reading.strong_count() > 0 {
            return Some(Input::TranscriptRead(Vec::new()));
        }
        let prices = || self.shared.prices();
        let Some(mut reader) = transcript::Reader::of(&read, self.transcript.take(), prices) else {
            return Some(Input::TranscriptRead(Vec::new()));
        };
        let run_dir = self.run_dir.clone();
        let under_way = Arc::new(());
        self.reading = Arc::downgrade(&under_way);
        let job = threads::run_within(READ_MAX, move || {
            let _under_way = under_way;
            let observed = reader.read(&read, &run_dir);
            (reader, observed)
        });
        context.spawn(
            job.into_actor(self)
                .map(|outcome, actor: &mut Self, context| {
                    let observed = match outcome {
                        Ok((reader, observed)) => {
                            actor.transcript = Some(reader);
                            observed
                        }
                        Err(error) => Err(std::io::Error::other(error)),
                    };
                    let observed = observed.unwrap_or_else(|error| {
                        let id = actor.id;
                        log::warn!(run_id:% = id; "Could not read the transcript of run {id}: {error}.");
                        Vec::new()
                    });
                    actor.feed(Input::TranscriptRead(observed), context);
                }),
        );
        None
    }

    fn forget(&mut self) {
        self.shared.watch.remove(self.id);
        // It holds a folder open that goes.
        self.spool = spool::Known::default();
        fault::point("delete.row_removed");
        self.shared.remove_run_dir(self.id);
        fault::point("delete.folder_removed");
    }

    /// Requests a stop again that is carried out and was not recorded.
    fn record_stop(&mut self, context: &mut Context<Self>) {
        let Some(request) = self.shared.unrecorded.request(self.id) else {
            return;
        };
        let (caller, outcome) = ReplySender::new(None);
        self.feed(Input::Asked { request, caller }, context);
        let (shared, id) = (Arc::clone(&self.shared), self.id);
        actix::spawn(async move {
            let outcome = outcome.await.unwrap_or(Err(AskError::ActorEnded));
            shared.unrecorded.asked_again(id, &outcome);
        });
    }

    /// Has the actor built again after a while, also without a message to the run: what it could not
    /// record, such as the end of its process, is then found out again.
    fn revive_later(&self) {
        let (run_id, registry) = (self.id, self.registry.recover.clone());
        actix::spawn(async move {
            tokio::time::sleep(REVIVE).await;
            if let Err(error) = registry.send(Recover { run_id }).await {
                log::debug!(run_id:%; "Could not resume run {run_id}: {error}.");
            }
        });
    }

    fn idle(&self) -> bool {
        self.core.is_idle() && self.busy == 0 && self.shared.viewer_count(self.id) == 0
    }

    fn passivate_when_idle(&self, context: &mut Context<Self>) {
        context.run_interval(AWAKE, |actor, context| {
            if actor.idle() {
                let asked = actor
                    .registry
                    .passivate
                    .send(Passivate { run_id: actor.id });
                context.spawn(asked.into_actor(actor).map(|passivated, _, context| {
                    if matches!(passivated, Ok(true)) {
                        context.stop();
                    }
                }));
            }
        });
    }
}

impl Actor for RunActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // Admission bounds what callers send; this bounds it once more, with room for updates.
        context.set_mailbox_capacity(self.shared.config.commands_max * 2);
        self.passivate_when_idle(context);
        if self.core.run().is_some() {
            self.record_stop(context);
            self.shared.watch.looked(self.id);
            self.feed(Input::Resume, context);
        }
    }

    fn stopped(&mut self, context: &mut Self::Context) {
        self.shared.watch.remove(self.id);
        self.feed(Input::End, context);
        if self.core.has_failed() {
            self.revive_later();
        }
    }
}

impl Handler<Ask> for RunActor {
    type Result = ();

    fn handle(&mut self, ask: Ask, context: &mut Self::Context) {
        let Ask {
            request, caller, ..
        } = ask;
        self.feed(Input::Asked { request, caller }, context);
    }
}

impl Handler<UpdateRun> for RunActor {
    type Result = Result<(), AskError>;

    fn handle(&mut self, message: UpdateRun, context: &mut Self::Context) -> Self::Result {
        let UpdateRun {
            update, session, ..
        } = message;
        self.offered = session.map(|session| *session);
        if matches!(update, Update::FilesChanged) {
            self.shared.watch.looked(self.id);
        }
        if let Update::Exited {
            report: Some(report),
            ..
        } = &update
            && let Some(run) = self.core.run()
            && self.shared.unrecorded.take_over(run, report)
        {
            self.record_stop(context);
        }
        // The end that an unrecorded stop made is not to be taken for the CLI's own.
        if matches!(update, Update::Fact(Command::Exited(_)))
            && self.core.run().is_none_or(|run| run.stop.is_none())
        {
            self.record_stop(context);
        }
        self.feed(Input::Update(update), context);
        // A connection that the core did not adopt is dropped.
        self.offered = None;
        Ok(())
    }
}
