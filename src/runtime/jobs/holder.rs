//! Words for a run's holder, and what it tells.

use super::{
    JobContext,
    reach::{self, BETWEEN_KEYS, GRACE},
    set_up,
};
use crate::{
    domain::{MessageId, run::Command},
    pty::{HolderConnection, HolderEvent, HolderHandle, PtyError},
    runtime::run::{
        input::Update,
        output::{HolderCommand, OUT_OF_REACH},
    },
};
use bytes::Bytes;
use std::time::Duration;

/// From the end of a turn to the first byte: a CLI takes its Stop hook's answer before it shows its
/// prompt again.
const SETTLE: Duration = Duration::from_millis(200);

/// Tells the holder; one that is gone is no error here: whoever follows it hears of its end.
pub(crate) async fn tell(context: JobContext, session: HolderHandle, command: HolderCommand) {
    let run_id = context.run.id;
    let not_told = if let HolderCommand::Paste { id, .. } = &command {
        Some(*id)
    } else {
        None
    };
    let stop = command == HolderCommand::Stop;
    let Err(error) = say(&session, command).await else {
        return;
    };
    if stop || not_told.is_some() {
        log::warn!(run_id:%; "Could not send a command to the holder of run {run_id}: {error}.");
    } else {
        log::debug!(run_id:%; "The holder of run {run_id} had ended before it got a command: {error}.");
    }
    if let Some(id) = not_told {
        let reason = OUT_OF_REACH.to_owned();
        let fact = Command::NotTaken {
            id,
            reason,
            until_free: false,
        };
        context.update(Update::Fact(fact)).await;
    }
}

async fn say(session: &HolderHandle, command: HolderCommand) -> Result<(), PtyError> {
    match command {
        HolderCommand::Keys(keys) => {
            for key in keys {
                session.input(Bytes::from_static(key)).await?;
                tokio::time::sleep(BETWEEN_KEYS).await;
            }
            Ok(())
        }
        HolderCommand::Stop => session.stop(GRACE).await,
        HolderCommand::Acknowledge => session.ack_exit().await,
        HolderCommand::Paste { text, .. } => session.paste(&text).await,
        HolderCommand::Enter => session.input(Bytes::from_static(b"\r")).await,
        HolderCommand::Continue => session.resume().await,
        HolderCommand::NoDraft => session.no_draft().await,
        HolderCommand::Prompted => session.prompted().await,
    }
}

/// Checks files out that were not as the CLI is to find them, waits for its prompt, and says so.
pub(crate) async fn await_prompt(context: &JobContext, id: MessageId) {
    set_up::fill_in_stored(context).await;
    tokio::time::sleep(SETTLE).await;
    context.update(Update::PromptAwaited { id }).await;
}

/// Tells what the holder tells, until the end of its process.
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
                return reach::reach(&context, attempt).await;
            }
        }
    }
}

/// Lets the holder of an earlier attempt go.
pub(crate) async fn release(context: JobContext, session: HolderConnection) {
    reach::release(context.run.id, session).await;
}
