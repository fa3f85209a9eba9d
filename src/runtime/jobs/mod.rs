//! Work that takes time: git, scripts, launches, holders. A job works on the run as it was when the
//! job began, and reports its outcome as an update; it never knows the run's actor.

mod checkpoint;
mod delete;
mod ended;
pub(crate) mod holder;
mod launch;
mod placed;
mod replace;
mod script;
mod set_up;
pub(crate) mod transcript;
mod unused;
mod work;

use crate::{
    domain::run::Run,
    pty::HolderConnection,
    runtime::{
        run::{input::Update, mailbox::UpdateRun, output::Job},
        shared::Shared,
        threads::{self, Failed},
    },
};
use actix::Recipient;
use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

/// What a job works with.
pub(super) struct JobContext {
    /// The run as it was when the job began.
    pub run: Arc<Run>,
    /// The store, git's locks, permits.
    pub shared: Arc<Shared>,
    /// Raised to stop a set-up that is under way.
    pub stop: Arc<AtomicBool>,
    /// The way back to the run: its actor is built again when it ended meanwhile.
    pub registry: Recipient<UpdateRun>,
}

impl JobContext {
    fn run_dir(&self) -> PathBuf {
        self.shared.run_dir(self.run.id)
    }

    /// Reports to the run, and waits until its core has the update; a server that shuts down takes none.
    async fn update(&self, update: Update) {
        self.send(update, None).await;
    }

    /// Reports that the holder was reached.
    async fn attached(&self, session: HolderConnection) {
        let hello = Box::new(session.hello().clone());
        let session = Some(Box::new(session));
        self.send(Update::Attached(hello), session).await;
    }

    async fn send(&self, update: Update, session: Option<Box<HolderConnection>>) {
        let run_id = self.run.id;
        let sent = self.registry.send(UpdateRun {
            run_id,
            update,
            session,
        });
        match sent.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => log::warn!(run_id:%; "Run {run_id} rejected an update: {error}."),
            Err(error) => {
                log::debug!(run_id:%; "Dropped an update of run {run_id}: {error}.");
            }
        }
    }

    /// Runs something that blocks.
    ///
    /// # Errors
    /// Its own, and that of a panic in it.
    async fn blocking<T, E>(
        &self,
        job: impl FnOnce(&Run, &Shared) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Failed> + Send + 'static,
    {
        let (run, shared) = (Arc::clone(&self.run), Arc::clone(&self.shared));
        threads::run(move || job(&run, &shared)).await?
    }
}

fn millis_since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Carries a job out.
pub(super) async fn carry_out(job: Job, context: JobContext) {
    match job {
        Job::SetUp { again } => set_up::run(context, again).await,
        Job::Launch { attempt } => launch::launch(context, attempt).await,
        Job::AwaitPrompt { id } => launch::await_prompt(&context, id).await,
        Job::Reach { attempt } => holder::reach(&context, attempt).await,
        Job::EndHolder { reach } => {
            holder::end(&context).await;
            if reach {
                holder::reach(&context, context.run.attempt).await;
            }
        }
        Job::ReleaseHolder => holder::release_after_exit(&context).await,
        Job::EndExitedHolder => holder::end_exited(&context).await,
        Job::Checkpoint { reason } => {
            let taken = checkpoint::take(&context, reason).await;
            context.update(Update::CheckpointTaken(taken)).await;
        }
        Job::Ended {
            report,
            attempt,
            observed,
        } => ended::ended(context, report, attempt, observed).await,
        Job::Work { order, caller } => work::work(context, order, caller).await,
        Job::Delete { force } => delete::delete(context, force).await,
    }
}
