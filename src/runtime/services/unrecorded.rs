//! Stopping needs no disk: what could not be recorded is done, and recorded when there is room.
//!
//! A stop is a request in the log and an outcome. When the log takes no request, the processes of
//! the run are ended all the same, and the request is kept in memory: the run's actor, which is
//! built again every two seconds until its events are stored, makes it before it looks at anything
//! else, and one that is there already before it records the end. The run's holder is told as well, and
//! says it with the exit: so a server that was killed meanwhile is no matter. Only where the holder is of an
//! earlier version, or gone, is it forgotten then; the run ended by a signal.

pub(crate) mod table;

use crate::{
    domain::RunId,
    pty::{self, Probe},
    runtime::{
        handle::Runtime,
        jobs::reach::GRACE,
        messages::{AskError, Outcome, Request, Stop},
        threads,
    },
    store::StoreError,
};
use std::time::Duration;

/// Longest time for telling a holder; its processes are ended all the same.
const TOLD: Duration = Duration::from_secs(2);

impl Runtime {
    /// Cancels, pauses or deletes a run. When the log takes nothing, its processes are ended first.
    ///
    /// # Errors
    /// Those of [`Runtime::ask`]; `Unrecorded` when it is done and not in the log.
    pub(crate) async fn stop(&self, run_id: RunId, stop: Stop) -> Outcome {
        match self.ask(run_id, Request::Stop(stop)).await {
            Err(AskError::Store(cause @ (StoreError::Full | StoreError::Unwritable(_)))) => {
                Err(self.end_unrecorded(run_id, stop, cause).await)
            }
            outcome => outcome,
        }
    }

    async fn end_unrecorded(&self, run_id: RunId, stop: Stop, cause: StoreError) -> AskError {
        // Known before anything ends: the end of the CLI is not to be taken for its own.
        let earlier = self.shared.unrecorded.stops().insert(run_id, stop);
        self.tell_holder(run_id, stop).await;
        let ended = threads::run(move || pty::end_leftovers(run_id.0)).await;
        match ended {
            // A stop is refused without a process: one that is not there any more was ended by the
            // request, whose outcome found no room.
            Ok(Ok(0)) if earlier.is_none() && matches!(stop, Stop::Delete { .. }) => {
                self.shared.unrecorded.stops().remove(&run_id);
                AskError::Store(cause)
            }
            Ok(Ok(count)) => {
                log::warn!(run_id:%, count; "Stopped run {run_id} while the log cannot be written ({cause}): ended {count} processes.");
                AskError::Unrecorded(cause)
            }
            Ok(Err(error)) => {
                AskError::JobFailed(format!("could not end processes of the run: {error}"))
            }
            Err(error) => AskError::JobFailed(error.to_string()),
        }
    }

    /// Has the holder say with the exit why it came.
    async fn tell_holder(&self, run_id: RunId, stop: Stop) {
        let run_dir = self.shared.run_dir(run_id);
        let told = async {
            if let Probe::Live(session) = pty::probe(&run_dir, run_id.0).await? {
                let because = Some(table::word(stop).to_owned());
                session.handle().stop_because(GRACE, because).await?;
            }
            Ok::<_, pty::PtyError>(())
        };
        match tokio::time::timeout(TOLD, told).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                log::warn!(run_id:%; "Could not send a command to the holder of run {run_id}: {error}.");
            }
            Err(_) => log::warn!(run_id:%; "The holder of run {run_id} does not respond."),
        }
    }
}
