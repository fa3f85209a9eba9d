//! Starts the holder, and in it the CLI.

use super::{JobContext, reach::reach, set_up, unused};
use crate::{
    domain::run::{Command, event::Stage},
    pty::{self, HolderConnection, LaunchError, LaunchSpec},
    runtime::run::input::Update,
};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// How long a holder may take to leave after its exit was acknowledged, and the time between two
/// looks whether it has.
const LEAVING: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Launches when the holder of the attempt before has gone: its exit was acknowledged a moment
/// ago. Nothing of a launch that finds it there is left, so that the attempt stays the same.
async fn launch_after_the_last(
    program: &Path,
    spec: &LaunchSpec,
) -> Result<HolderConnection, LaunchError> {
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

async fn launch_failed(context: &JobContext, reason: String) {
    let removed = unused::remove_unused(context).await;
    let failed = Command::SetUpFailed {
        stage: Stage::Launch,
        reason,
        detail: String::new(),
        removed,
    };
    context.update(Update::Fact(failed)).await;
}

pub(super) async fn launch(context: JobContext, attempt: u32) {
    crate::fault::point("launch.before_spawn");
    set_up::fill_in_stored(&context).await;
    let spec = match set_up::launch_spec(&context, attempt).await {
        Ok(spec) => spec,
        Err(reason) => return launch_failed(&context, reason).await,
    };
    let launched = launch_after_the_last(&context.shared.config.program, &spec).await;
    crate::fault::point("launch.after_spawn");
    match launched {
        Ok(session) => context.update(session).await,
        Err(LaunchError::Spawn(reason)) => launch_failed(&context, reason).await,
        Err(error) => {
            let id = context.run.id;
            log::warn!(run_id:% = id, attempt; "Could not launch attempt {attempt} of run {id}: {error}.");
            reach(&context, attempt).await;
        }
    }
}
