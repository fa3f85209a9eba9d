//! Finding out what became of a run's holder, and ending one that cannot be spoken with.
//!
//! A stop needs no words: every holder ends its tree and leaves word of it on SIGTERM, and one that
//! does not is killed, with what it leaves.

use super::JobContext;
use crate::{
    domain::{RunId, run::state::Process},
    fault,
    pty::{self, HolderConnection, Probe},
    runtime::run::{
        input::Update,
        recovery::{self, Finding, Seen},
    },
};
use std::time::Duration;

/// How long a process has to end after SIGTERM.
pub(in crate::runtime) const GRACE: Duration = Duration::from_secs(5);

/// Between two keys: a program that takes Esc and the next key in one read sees another key.
pub(super) const BETWEEN_KEYS: Duration = Duration::from_millis(200);

/// A holder may still wait for the word that its exit was recorded.
pub(super) async fn release_holder(context: &JobContext) {
    let run_dir = context.shared.run_dir(context.run.id);
    if pty::has_socket(&run_dir) {
        reach(context, context.run.attempt).await;
    }
}

/// Lets a holder go that waits for a word that it does not understand, or cannot take now.
pub(super) async fn let_go(context: &JobContext) {
    if pty::is_held(&context.shared.run_dir(context.run.id)) {
        end(context).await;
    }
}

/// Ends the holder by signals.
pub(super) async fn end(context: &JobContext) {
    let run_id = context.run.id;
    let run_dir = context.shared.run_dir(run_id);
    if let Err(error) = pty::end_holder(&run_dir, fault::wait("holder.end", 2 * GRACE)).await {
        log::error!(run_id:%; "Could not end the holder of run {run_id}: {error}.");
    }
}

/// Lets the holder of an earlier attempt go, whose exit is in the log.
pub(super) async fn release(id: RunId, mut session: HolderConnection) {
    let handle = session.handle();
    let released = async {
        if session.hello().exit.is_none() {
            handle.stop(GRACE).await?;
        }
        session.wait_exit().await?;
        handle.ack_exit().await
    };
    if let Err(error) = released.await {
        log::debug!(run_id:% = id; "An earlier holder of run {id} had already ended: {error}.");
    }
}

/// The same, when a launch found it in its way: waits until it has gone, and has the run launched
/// again.
async fn wait_released(context: &JobContext, session: HolderConnection) {
    let (run_id, attempt) = (context.run.id, session.hello().attempt);
    release(run_id, session).await;
    let run_dir = context.shared.run_dir(run_id);
    let begun = std::time::Instant::now();
    while matches!(pty::probe(&run_dir, run_id.0).await, Ok(Probe::Live(_))) {
        if begun.elapsed() > 2 * GRACE {
            log::error!(run_id:%, attempt; "An earlier holder of run {run_id} does not end.");
            break;
        }
        tokio::time::sleep(BETWEEN_KEYS / 4).await;
    }
    context.update(Update::NeverLaunched).await;
}

/// Finds out what became of the run's process, and tells.
pub(super) async fn reach(context: &JobContext, attempt: u32) {
    let run_id = context.run.id;
    let run_dir = context.shared.run_dir(run_id);
    let probe = match pty::probe(&run_dir, run_id.0).await {
        Ok(probe) => probe,
        Err(error) => {
            let why = error.to_string();
            return context.update(Update::OutOfReach { attempt, why }).await;
        }
    };
    let spawned = matches!(context.run.process, Process::Alive { .. });
    let found = recovery::finding(Seen::of(&probe), attempt, spawned);
    let news = match (found, probe) {
        (Finding::Earlier, Probe::Live(session)) => return wait_released(context, session).await,
        (_, Probe::Live(session)) => return context.update(session).await,
        (Finding::NeverLaunched, _) => Update::NeverLaunched,
        (Finding::Exited, Probe::Exited(report)) => Update::Exited {
            report: Some(report),
            attempt,
        },
        (_, Probe::Exited(_) | Probe::Gone { .. }) => {
            end_leftovers(context).await;
            Update::Exited {
                report: None,
                attempt,
            }
        }
    };
    context.update(news).await;
}

/// Ends what a lost holder, or a set-up of a server that was killed, left behind.
pub(super) async fn end_leftovers(context: &JobContext) {
    let run_id = context.run.id;
    let run_dir = context.shared.run_dir(run_id);
    let end = move || {
        pty::end_stray(&run_dir)?;
        pty::end_leftovers(run_id.0)
    };
    match context.blocking(end).await {
        Ok(Ok(0)) => {}
        Ok(Ok(count)) => {
            log::warn!(run_id:%, count; "Ended {count} leftover processes of run {run_id}.");
        }
        Ok(Err(error)) => {
            log::error!(run_id:%; "Could not end leftover processes of run {run_id}: {error}.");
        }
        Err(error) => {
            log::error!(run_id:%; "Could not end leftover processes of run {run_id}: {error}.");
        }
    }
}
