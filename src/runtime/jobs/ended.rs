//! The end of a process: what it leaves is kept, then its end is reported.

use super::{JobContext, checkpoint, transcript::last_lines};
use crate::{
    domain::run::{
        Command,
        command::{Exit, Observation},
        event::StopBy,
    },
    pty::ExitReport,
    runtime::run::input::Update,
};

/// The process is gone: keeps what it leaves, then reports its end.
pub(super) async fn ended(
    context: JobContext,
    report: Option<ExitReport>,
    attempt: u32,
    observed: Vec<Observation>,
) {
    let checkpoint = match context.run.stop {
        Some(StopBy::Cancel) => checkpoint::take(&context, "cancel").await,
        Some(StopBy::Pause) => checkpoint::take(&context, "pause").await,
        Some(StopBy::Idle) => checkpoint::take(&context, "idle").await,
        // A deletion keeps the work by itself; the other ends change nothing.
        Some(StopBy::Delete) | None => None,
    };
    let failed = report.as_ref().is_none_or(|report| report.code != Some(0));
    let detail = if failed {
        let lines = context.blocking(|run, shared| {
            let secrets = shared.reader.run_secrets(run.id);
            let secrets = secrets.map_err(|error| error.to_string())?;
            Ok(last_lines(&shared.run_dir(run.id), &secrets))
        });
        let id = context.run.id;
        lines.await.unwrap_or_else(|why: String| {
            log::warn!(run_id:% = id; "Could not read the last lines of run {id}: {why}.");
            String::new()
        })
    } else {
        String::new()
    };
    let lost = report.is_none();
    let (code, signal) = report.map_or((None, None), |report| (report.code, report.signal));
    let exit = Exit {
        attempt,
        code,
        signal,
        lost,
        detail,
        observed,
        checkpoint,
    };
    context.update(Update::Fact(Command::Exited(exit))).await;
}
