//! A run's holder: sends it commands, reports what it sends, finds it after a restart, and ends one that
//! cannot be reached.
//!
//! A stop needs no connection: on SIGTERM every holder ends its tree and records the exit, and one that
//! does not is killed, with what it leaves.

use super::JobContext;
use crate::{
    domain::run::{Command, state::Process},
    fault,
    pty::{self, HolderConnection, HolderEvent, HolderHandle, Probe, PtyError},
    runtime::run::{
        input::Update,
        output::{HolderCommand, OUT_OF_REACH},
    },
};
use bytes::Bytes;
use std::time::{Duration, Instant};

/// How long a process has to end after SIGTERM.
pub(in crate::runtime) const GRACE: Duration = Duration::from_secs(5);

/// Between two keys: a program that takes Esc and the next key in one read sees another key.
const BETWEEN_KEYS: Duration = Duration::from_millis(200);

/// Sends a command to the holder. One that is gone is no error here: who watches it reports its end.
pub(crate) async fn tell(context: JobContext, session: HolderHandle, command: HolderCommand) {
    let run_id = context.run.id;
    let Err(error) = send(&session, &command).await else {
        return;
    };
    if matches!(command, HolderCommand::Stop | HolderCommand::Paste { .. }) {
        log::warn!(run_id:%; "Could not send a command to the holder of run {run_id}: {error}.");
    } else {
        log::debug!(run_id:%; "The holder of run {run_id} had ended before it got a command: {error}.");
    }
    if let HolderCommand::Paste { id, .. } = command {
        let fact = Command::NotTaken {
            id,
            reason: OUT_OF_REACH.to_owned(),
            until_free: false,
        };
        context.update(Update::Fact(fact)).await;
    }
}

async fn send(session: &HolderHandle, command: &HolderCommand) -> Result<(), PtyError> {
    match command {
        HolderCommand::Keys(keys) => {
            for key in *keys {
                session.input(Bytes::from_static(key)).await?;
                tokio::time::sleep(BETWEEN_KEYS).await;
            }
            Ok(())
        }
        HolderCommand::Stop => session.stop(GRACE).await,
        HolderCommand::Acknowledge => session.ack_exit().await,
        HolderCommand::Paste { text, .. } => session.paste(text).await,
        HolderCommand::Enter => session.input(Bytes::from_static(b"\r")).await,
        HolderCommand::Continue => session.resume().await,
        HolderCommand::NoDraft => session.no_draft().await,
        HolderCommand::Prompted => session.prompted().await,
    }
}

/// Reports what the holder sends, until the end of its process.
pub(crate) async fn watch(context: JobContext, mut session: HolderConnection) {
    let attempt = session.hello().attempt;
    loop {
        match session.next().await {
            Ok(HolderEvent::Program(program)) => {
                context.update(Update::Program { attempt, program }).await;
            }
            Ok(HolderEvent::Exit(report)) => {
                let attempt = report.attempt;
                let report = Some(report);
                return context.update(Update::Exited { report, attempt }).await;
            }
            Err(error) => {
                let id = context.run.id;
                log::warn!(run_id:% = id; "Cannot reach the holder of run {id}: {error}.");
                return reach(&context, attempt).await;
            }
        }
    }
}

/// A holder may still wait to be told that its exit is recorded.
pub(super) async fn release_after_exit(context: &JobContext) {
    if pty::has_socket(&context.run_dir()) {
        reach(context, context.run.attempt).await;
    }
}

/// Ends a holder whose exit is recorded, and that cannot be told so.
pub(super) async fn end_exited(context: &JobContext) {
    if pty::is_held(&context.run_dir()) {
        end(context).await;
    }
}

/// Ends the holder by signals.
pub(super) async fn end(context: &JobContext) {
    let run_id = context.run.id;
    let run_dir = context.run_dir();
    if let Err(error) = pty::end_holder(&run_dir, fault::wait("holder.end", 2 * GRACE)).await {
        log::error!(run_id:%; "Could not end the holder of run {run_id}: {error}.");
    }
}

/// Lets the holder of an earlier attempt go, whose exit is in the log.
pub(crate) async fn release(context: &JobContext, mut session: HolderConnection) {
    let handle = session.handle();
    let released = async {
        if session.hello().exit.is_none() {
            handle.stop(GRACE).await?;
        }
        session.wait_exit().await?;
        handle.ack_exit().await
    };
    if let Err(error) = released.await {
        let id = context.run.id;
        log::debug!(run_id:% = id; "An earlier holder of run {id} had already ended: {error}.");
    }
}

/// The same, when a launch found it in its way: waits until it has gone, and has the run launched
/// again.
async fn wait_released(context: &JobContext, session: HolderConnection) {
    let (run_id, attempt) = (context.run.id, session.hello().attempt);
    release(context, session).await;
    let run_dir = context.run_dir();
    let begun = Instant::now();
    while matches!(pty::probe(&run_dir, run_id.0).await, Ok(Probe::Live(_))) {
        if begun.elapsed() > 2 * GRACE {
            log::error!(run_id:%, attempt; "An earlier holder of run {run_id} does not end.");
            break;
        }
        tokio::time::sleep(BETWEEN_KEYS / 4).await;
    }
    context.update(Update::NeverLaunched).await;
}

/// What was seen of a run's holder, by its attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    Live(u32),
    Exited(u32),
    Gone(Option<u32>),
}

impl Seen {
    pub(crate) fn of(probe: &Probe) -> Self {
        match probe {
            Probe::Live(session) => Self::Live(session.hello().attempt),
            Probe::Exited(report) => Self::Exited(report.attempt),
            Probe::Gone { recorded_attempt } => Self::Gone(*recorded_attempt),
        }
    }
}

/// What that means for the attempt that the log speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The holder of an earlier attempt is still there: it goes first.
    Earlier,
    Attached,
    Exited,
    NeverLaunched,
    /// It ran, and nobody knows how it ended.
    Lost,
}

/// What the log has seen alive was launched, whatever became of the run folder.
pub(crate) const fn finding(seen: Seen, attempt: u32, spawned: bool) -> Finding {
    match seen {
        Seen::Live(earlier) if earlier < attempt => Finding::Earlier,
        Seen::Live(_) => Finding::Attached,
        Seen::Exited(of) if of >= attempt => Finding::Exited,
        Seen::Exited(_) | Seen::Gone(_) if spawned => Finding::Lost,
        Seen::Exited(of) if of + 1 == attempt => Finding::NeverLaunched,
        Seen::Gone(None) if attempt > 0 => Finding::NeverLaunched,
        Seen::Gone(Some(recorded)) if recorded < attempt => Finding::NeverLaunched,
        Seen::Exited(_) | Seen::Gone(_) => Finding::Lost,
    }
}

/// Finds out what became of the run's process, and reports it.
pub(super) async fn reach(context: &JobContext, attempt: u32) {
    let run_id = context.run.id;
    let run_dir = context.run_dir();
    let probe = match pty::probe(&run_dir, run_id.0).await {
        Ok(probe) => probe,
        Err(error) => {
            let why = error.to_string();
            return context.update(Update::OutOfReach { attempt, why }).await;
        }
    };
    let spawned = matches!(context.run.process, Process::Alive { .. });
    let found = finding(Seen::of(&probe), attempt, spawned);
    let update = match (found, probe) {
        (Finding::Earlier, Probe::Live(session)) => return wait_released(context, session).await,
        (_, Probe::Live(session)) => return context.attached(session).await,
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
    context.update(update).await;
}

/// Ends what a lost holder, or a set-up of a server that was killed, left behind.
pub(super) async fn end_leftovers(context: &JobContext) {
    let run_id = context.run.id;
    let run_dir = context.run_dir();
    let ended = context.blocking(move |run, _| {
        let ended = pty::end_stray(&run_dir).and_then(|()| pty::end_leftovers(run.id.0));
        ended.map_err(|error| error.to_string())
    });
    match ended.await {
        Ok(0) => {}
        Ok(count) => {
            log::warn!(run_id:%, count; "Ended {count} leftover processes of run {run_id}.");
        }
        Err(error) => {
            log::error!(run_id:%; "Could not end leftover processes of run {run_id}: {error}.");
        }
    }
}
