//! The end of a process: what it leaves is kept, then its end is told.

use super::{JobContext, checkpoint, cli_output};
use crate::{
    domain::run::{
        Command,
        command::{Exit, Observation},
        event::StopBy,
    },
    pty::ExitReport,
    runtime::run::input::Update,
    store::StoreError,
};

/// The process is gone: what it leaves is kept, then its end is told.
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
    let run_dir = context.shared.run_dir(context.run.id);
    let failed = report.as_ref().is_none_or(|report| report.code != Some(0));
    let detail = if failed {
        let (reader, id) = (context.shared.reader.clone(), context.run.id);
        let lines = context.blocking(move || {
            let secrets = reader.run_secrets(id)?;
            Ok::<_, StoreError>(cli_output::last_lines(&run_dir, &secrets))
        });
        lines
            .await
            .and_then(|lines| lines.map_err(|error| error.to_string()))
            .unwrap_or_else(|why| {
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
