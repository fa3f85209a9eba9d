//! Work that takes time: git, scripts, launches, holders. A job works on the run as it was when the
//! job began, and reports its outcome as an update; it never knows the run's actor.

mod checkpoint;
mod cli_output;
mod delete;
mod ended;
pub(crate) mod holder;
mod launch;
mod placed;
pub(crate) mod reach;
mod replace;
mod script;
mod set_up;
pub(crate) mod transcript;
mod unused;
pub(crate) mod work;

use crate::{
    domain::{RunId, run::Run},
    pty::HolderConnection,
    runtime::{
        messages::AskError,
        run::{input::Update, output::Job},
        shared::Shared,
        threads,
    },
};
use actix::Recipient;
use std::sync::{Arc, atomic::AtomicBool};

/// What a job works with.
pub(super) struct JobContext {
    /// The run as it was when the job began.
    pub run: Run,
    /// The store, git's locks, permits.
    pub shared: Arc<Shared>,
    /// Raised to stop a set-up that is under way.
    pub stop: Arc<AtomicBool>,
    updates: Updates,
}

/// The way back to a run: its actor is built again when it ended meanwhile.
#[derive(Clone)]
pub(super) struct Updates {
    run_id: RunId,
    registry: Recipient<UpdateRun>,
}

/// A report of a job or a watcher to one run, by way of the registry.
#[derive(actix::Message)]
#[rtype(result = "Result<(), AskError>")]
pub(crate) struct UpdateRun {
    /// The run.
    pub run_id: RunId,
    /// The report.
    pub update: JobUpdate,
}

/// What a job or a watcher reports.
pub(crate) enum JobUpdate {
    /// The holder was reached; this is our end of the connection.
    Session(Box<HolderConnection>),
    /// Anything else.
    Update(Update),
}

impl From<HolderConnection> for JobUpdate {
    fn from(session: HolderConnection) -> Self {
        Self::Session(Box::new(session))
    }
}

impl From<Update> for JobUpdate {
    fn from(update: Update) -> Self {
        Self::Update(update)
    }
}

impl Updates {
    pub(super) const fn new(run_id: RunId, registry: Recipient<UpdateRun>) -> Self {
        Self { run_id, registry }
    }

    /// Reports to the run, and waits until its core has the update; a server that shuts down takes none.
    async fn send(&self, update: JobUpdate) {
        let run_id = self.run_id;
        match self.registry.send(UpdateRun { run_id, update }).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => log::warn!(run_id:%; "Run {run_id} rejected an update: {error}."),
            Err(error) => {
                log::debug!(run_id:%; "Dropped an update of run {run_id}: {error}.");
            }
        }
    }
}

impl JobContext {
    pub(super) fn new(
        run: Run,
        shared: Arc<Shared>,
        stop: Arc<AtomicBool>,
        updates: Updates,
    ) -> Self {
        Self {
            run,
            shared,
            stop,
            updates,
        }
    }

    /// Reports to the run.
    pub(super) async fn update(&self, update: impl Into<JobUpdate>) {
        self.updates.send(update.into()).await;
    }

    /// Runs something that blocks; a panic in it becomes an error.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        threads::run(job).await.map_err(|error| error.to_string())
    }
}

/// Carries a job out.
pub(super) async fn carry_out(job: Job, context: JobContext) {
    match job {
        Job::SetUp { again } => set_up::run(context, again).await,
        Job::Launch { attempt } => launch::launch(context, attempt).await,
        Job::AwaitPrompt { id } => holder::await_prompt(&context, id).await,
        Job::Reach { attempt } => reach::reach(&context, attempt).await,
        Job::EndHolder { reach } => {
            reach::end(&context).await;
            if reach {
                reach::reach(&context, context.run.attempt).await;
            }
        }
        Job::ReleaseHolder => reach::release_holder(&context).await,
        Job::LetHolderGo => reach::let_go(&context).await,
        Job::Checkpoint { reason } => {
            let taken = checkpoint::take(&context, reason).await;
            context.update(Update::CheckpointTaken(taken)).await;
        }
        Job::Ended {
            report,
            attempt,
            observed,
        } => ended::ended(context, report, attempt, observed).await,
        Job::Work {
            order,
            idempotent,
            caller,
        } => work::work(context, order, idempotent, caller).await,
        Job::Delete { force } => delete::delete(context, force).await,
    }
}
