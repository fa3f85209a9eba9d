//! Carries out what was decided, after its commit, and hears what the world answers.
//!
//! Each effect may be asked for again by recovery; each is written so that this does no harm.
//!
//! # Crash
//! Between a commit and its effect: recovery finds the wish in the log and acts (`recovery`).

use super::{
    ledger::Along,
    messages::{News, Tell, Timer},
    reach::{let_go, reach, release},
    recovery::{self, Attachment},
    registry::Registry,
    run_actor::RunActor,
    set_up,
};
use crate::{
    cli::Adapter,
    domain::{
        AgentMode, RunId,
        run::{
            Command, Effect, Status,
            event::{Stage, StopBy},
            state::Process,
        },
    },
    pty::{self, LaunchError, LaunchSpec, Session, Told},
};
use actix::{Addr, AsyncContext, Context, WrapFuture};
use bytes::Bytes;
use std::{
    path::Path,
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// How long a process has to end after SIGTERM.
pub(super) const GRACE: Duration = Duration::from_secs(5);
/// How long a CLI has to leave by its own keys, and the time between two of them: a program that
/// takes Esc and the next key in one read sees another key.
const QUIT: Duration = Duration::from_secs(5);
pub(super) const BETWEEN_KEYS: Duration = Duration::from_millis(200);
/// How long a process may linger after its session ended.
const LINGER: Duration = Duration::from_secs(5);
/// How long a holder may take to leave after its exit was acknowledged, and the time between two
/// looks whether it has.
const LEAVING: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl RunActor {
    /// Carries out one effect. Long ones run beside the actor and tell their outcome.
    pub(super) fn carry_out(&mut self, effect: Effect, context: &mut Context<Self>) {
        match effect {
            Effect::SetUp => self.start_set_up(false, context),
            Effect::Launch { attempt } => self.launch(attempt, context),
            Effect::StopSetUp => match &self.set_up {
                Some(stop) => stop.store(true, Ordering::Relaxed),
                None => self.execute(Command::SetUpStopped, Along::default(), context),
            },
            Effect::EndProcess => self.end_process(context),
            Effect::EndLingering { attempt } => {
                self.after(LINGER, Timer::Lingering { attempt }, context);
            }
            Effect::Type { id, text } => self.type_in(id, text, context),
            Effect::Checkpoint { reason } => {
                self.start_checkpoint(reason, context);
                self.watch_idleness(context);
            }
            Effect::AckExit => self.acknowledge(context),
            Effect::Delete => {
                self.ledger.deleting = true;
                let force = self.ledger.delete_forced;
                self.beside(context, move |beside| super::keeping::delete(beside, force));
            }
            Effect::Forget => self.forget(),
        }
    }

    /// Hears what effects and watchers tell.
    pub(super) fn hear(&mut self, news: News, context: &mut Context<Self>) {
        match news {
            News::Fact(command) => self.execute(command, Along::default(), context),
            News::Attached(session) => self.attached(*session, context),
            News::Program { attempt, program } => {
                if self
                    .ledger
                    .run
                    .as_ref()
                    .is_some_and(|run| run.attempt == attempt)
                {
                    self.program_told(program, context);
                }
            }
            News::OutOfReach { attempt, why } => self.out_of_reach(attempt, &why, context),
            News::Exited { report, attempt } => {
                self.ledger.exited(report, attempt, &self.run_dir);
                self.work(context);
            }
            News::NeverLaunched => {
                let todo = self.ledger.never_launched(&self.run_dir);
                self.do_next(todo, context);
            }
            News::SetUpStopped => {
                self.set_up = None;
                self.execute(Command::SetUpStopped, Along::default(), context);
            }
            News::Look => {
                self.shared.watch.looked(self.id);
                self.watch_transcript();
                self.ledger.look(&self.run_dir);
                self.work(context);
            }
            News::CheckpointTaken(checkpoint) => {
                if let Some(checkpoint) = checkpoint {
                    let command = Command::Checkpointed(checkpoint);
                    self.execute(command, Along::default(), context);
                }
            }
            News::Removed { removed, millis } => {
                let command = Command::Deleted { removed, millis };
                self.execute(command, Along::default(), context);
            }
            News::Worked(done) => self.worked(*done, context),
            News::NotRemoved { why } => {
                self.ledger.deletion_over(&Err(why));
            }
            News::Timer(timer) => self.rung(timer, context),
        }
    }

    /// Runs a job beside the actor and counts it, so that the actor stays awake.
    pub(super) fn beside<F, Fut>(&mut self, context: &mut Context<Self>, job: F)
    where
        F: FnOnce(Beside) -> Fut,
        Fut: Future<Output = ()> + 'static,
    {
        let Some(run) = &self.ledger.run else { return };
        let beside = Beside {
            run: run.as_ref().clone(),
            shared: Arc::clone(&self.shared),
            registry: self.registry.clone(),
            actor: context.address(),
            world: Arc::clone(&self.world),
        };
        self.busy += 1;
        let running = actix::spawn(job(beside));
        let ended = running.into_actor(self);
        context.spawn(actix::ActorFutureExt::map(ended, |outcome, actor: &mut Self, _| {
            actor.busy -= 1;
            if let Err(error) = outcome {
                log::error!(run_id:% = actor.id; "An effect of run {} ended: {error}.", actor.id);
            }
        }));
    }

    pub(super) fn start_set_up(&mut self, again: bool, context: &mut Context<Self>) {
        if self.set_up.is_some() {
            return;
        }
        let stop = Arc::new(AtomicBool::new(false));
        self.set_up = Some(Arc::clone(&stop));
        self.beside(context, |beside| set_up::run(beside, stop, again));
    }

    fn launch(&mut self, attempt: u32, context: &mut Context<Self>) {
        self.set_up = None;
        crate::fault::point("launch.before_spawn");
        self.beside(context, move |beside| launch(beside, attempt));
    }

    /// Ends the process: by the keys that its CLI leaves by, when it has some, then by signals.
    fn end_process(&mut self, context: &mut Context<Self>) {
        let (Some(session), Some(run)) = (self.session.clone(), &self.ledger.run) else {
            return self.end_out_of_reach(context);
        };
        // A stopped one reads no keys.
        let interactive =
            run.created.agent.mode() == AgentMode::Interactive && run.stopped.is_none();
        let adapter = self.ledger.adapter().filter(|_| interactive);
        let keys = adapter.map_or(&[][..], Adapter::quit_keys);
        if keys.is_empty() {
            return self.end_by_signals(context);
        }
        let attempt = run.attempt;
        self.after(QUIT, Timer::Quitting { attempt }, context);
        self.beside(context, |beside| async move {
            for key in keys {
                if let Err(error) = session.input(Bytes::from_static(key)).await {
                    let id = beside.run.id;
                    log::debug!(run_id:% = id; "The CLI of run {id} left before its last key: {error}.");
                    return;
                }
                tokio::time::sleep(BETWEEN_KEYS).await;
            }
        });
    }

    fn end_by_signals(&mut self, context: &mut Context<Self>) {
        let Some(session) = self.session.clone() else {
            return;
        };
        self.watch_ending(context);
        self.beside(context, |beside| async move {
            if let Err(error) = session.stop(GRACE).await {
                let id = beside.run.id;
                log::warn!(run_id:% = id; "The holder of run {id} could not be told to stop: {error}.");
            }
        });
    }

    fn acknowledge(&mut self, context: &mut Context<Self>) {
        self.transcript = None;
        crate::fault::point("exit.before_ack");
        let Some(session) = self.session.take() else {
            return self.beside(context, let_go);
        };
        self.beside(context, |beside| async move {
            if let Err(error) = session.ack_exit().await {
                let id = beside.run.id;
                log::debug!(run_id:% = id; "The holder of run {id} was gone before its exit was acknowledged: {error}.");
            }
        });
    }

    fn attached(&mut self, mut session: Session, context: &mut Context<Self>) {
        let hello = session.hello().clone();
        let Some(run) = &self.ledger.run else { return };
        let attachment = recovery::attachment(run, hello.attempt, hello.exit.is_none());
        if attachment == Attachment::Release {
            return self.beside(context, |beside| release(beside.run.id, session));
        }
        let works_at_once = run.created.agent.works_at_once();
        self.session = Some(session.handle());
        self.reach.found();
        match attachment {
            Attachment::Spawned => {
                let command = Command::Spawned {
                    attempt: hello.attempt,
                    pid: hello.pid,
                    argv: hello.argv.clone(),
                    cols: hello.cols,
                    rows: hello.rows,
                    output_offset: hello.start,
                    works_at_once,
                };
                self.execute(command, Along::default(), context);
            }
            Attachment::End => self.end_process(context),
            Attachment::Watch => self.watch_silence(context),
            Attachment::Acknowledge | Attachment::Release => return self.acknowledge(context),
        }
        self.program_begins(hello.program, context);
        self.shared
            .watch
            .add(self.id, &super::spool::folder(&self.run_dir));
        // What was spooled between the last look and the watch is told by nobody.
        self.ledger.take_spool(&self.run_dir);
        self.work(context);
        self.watch_output();
        self.watch_transcript();
        self.beside(context, move |beside| async move {
            let attempt = hello.attempt;
            loop {
                match session.next().await {
                    Ok(Told::Program(program)) => {
                        beside.tell(News::Program { attempt, program }).await;
                    }
                    Ok(Told::Exit(report)) => {
                        let attempt = report.attempt;
                        let report = Some(report);
                        return beside.tell(News::Exited { report, attempt }).await;
                    }
                    Err(error) => {
                        let id = beside.run.id;
                        log::warn!(run_id:% = id; "The holder of run {id} is out of reach: {error}.");
                        return reach(&beside, attempt).await;
                    }
                }
            }
        });
    }

    pub(super) fn after(&self, wait: Duration, timer: Timer, context: &mut Context<Self>) {
        context.run_later(wait, move |actor, context| actor.rung(timer, context));
    }

    /// Sets the idle limit going for a CLI that now waits at its prompt.
    fn watch_idleness(&self, context: &mut Context<Self>) {
        let Some(run) = &self.ledger.run else { return };
        let minutes = self.shared.config.idle_minutes;
        if minutes > 0 && matches!(run.process, Process::Alive { .. }) {
            let wait = Duration::from_secs(minutes * 60);
            self.after(
                wait,
                Timer::Idle {
                    sequence: run.last_sequence,
                },
                context,
            );
        }
    }

    fn rung(&mut self, timer: Timer, context: &mut Context<Self>) {
        let Some(run) = &self.ledger.run else { return };
        let alive = matches!(run.process, Process::Alive { .. });
        match timer {
            Timer::Quitting { attempt } => {
                if alive && run.attempt == attempt {
                    self.end_by_signals(context);
                }
            }
            Timer::Reach { attempt } => self.reach_again(attempt, context),
            Timer::Stuck { attempt } => self.ending_stuck(attempt, context),
            Timer::Silent { lacks } => self.silence_rung(lacks, context),
            Timer::EnterAgain { id } => self.enter_again(id, context),
            Timer::GiveUp { id } => self.give_up(id, context),
            Timer::Lingering { attempt } => {
                if alive && run.attempt == attempt && run.status == Status::Completed {
                    self.end_process(context);
                }
            }
            Timer::Idle { sequence } => {
                if !alive || run.status != Status::Paused {
                    return;
                }
                // A viewer, or something said since (a checkpoint aside), begins the wait anew.
                let quiet = run.last_sequence <= sequence + 1;
                if quiet && self.shared.viewer_count(self.id) == 0 {
                    let command = Command::Stop { by: StopBy::Idle };
                    self.execute(command, Along::default(), context);
                } else {
                    self.watch_idleness(context);
                }
            }
        }
    }

    fn forget(&mut self) {
        self.shared.watch.remove(self.id);
        crate::fault::point("delete.row_removed");
        super::recovery::remove_folder(&self.shared, self.id);
        crate::fault::point("delete.folder_removed");
        self.ledger.deletion_over(&Ok(String::new()));
    }
}

/// What a job beside the actor works with: the run as it was, and the way back.
pub(super) struct Beside {
    pub run: crate::domain::run::Run,
    pub shared: Arc<super::shared::Shared>,
    pub registry: Addr<Registry>,
    pub actor: Addr<RunActor>,
    pub world: Arc<tokio::sync::Mutex<()>>,
}

impl Beside {
    /// Tells the run's actor; a server that shuts down hears nothing any more.
    pub async fn tell(&self, news: News) {
        let run_id: RunId = self.run.id;
        match self.registry.send(Tell { run_id, news }).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                log::warn!(run_id:%; "News of run {run_id} were not taken: {error}.");
            }
            Err(error) => log::debug!(run_id:%; "News of run {run_id} came too late: {error}."),
        }
    }

    /// Waits until nobody else replaces files of the worktrees or numbers a checkpoint, and looks
    /// at the run anew.
    pub async fn alone(&mut self) -> tokio::sync::OwnedMutexGuard<()> {
        let guard = Arc::clone(&self.world).lock_owned().await;
        // An actor that has ended changes nothing any more.
        if let Ok(Some(run)) = self.actor.send(super::run_actor::Now).await {
            self.run = *run;
        }
        guard
    }

    /// Runs a blocking job; a panic in it is an error of ours and is told as one.
    pub async fn blocking<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        super::threads::run(job)
            .await
            .map_err(|error| error.to_string())
    }
}

/// Launches when the holder of the attempt before has gone: its exit was acknowledged a moment
/// ago. Nothing of a launch that finds it there is left, so that the attempt stays the same.
async fn launch_after_the_last(program: &Path, spec: &LaunchSpec) -> Result<Session, LaunchError> {
    let begun = Instant::now();
    loop {
        match pty::launch(program, spec).await {
            Err(LaunchError::Busy) if begun.elapsed() < LEAVING => {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            outcome => return outcome,
        }
    }
}

async fn launch_failed(beside: &Beside, reason: String) {
    let removed = super::unused::remove_unused(beside).await;
    let failed = Command::SetUpFailed {
        stage: Stage::Launch,
        reason,
        detail: String::new(),
        removed,
    };
    beside.tell(News::Fact(failed)).await;
}

async fn launch(beside: Beside, attempt: u32) {
    set_up::fill_in_stored(&beside).await;
    let spec = match set_up::launch_spec(&beside, attempt).await {
        Ok(spec) => spec,
        Err(reason) => return launch_failed(&beside, reason).await,
    };
    let launched = launch_after_the_last(&beside.shared.config.program, &spec).await;
    crate::fault::point("launch.after_spawn");
    match launched {
        Ok(session) => beside.tell(News::Attached(Box::new(session))).await,
        Err(LaunchError::Spawn(reason)) => launch_failed(&beside, reason).await,
        Err(error) => {
            let id = beside.run.id;
            log::warn!(run_id:% = id, attempt; "Attempt {attempt} of run {id} did not launch: {error}.");
            reach(&beside, attempt).await;
        }
    }
}
