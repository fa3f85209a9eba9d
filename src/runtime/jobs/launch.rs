//! Starts the holder, and in it the CLI.

use super::{JobContext, holder::reach, placed::placed, unused};
use crate::{
    cli::{self, LaunchContext, LongTask},
    domain::{
        MessageId,
        run::{Command, Run, event::Stage},
    },
    fault, git,
    pty::{self, HolderConnection, LaunchError, LaunchSpec},
    runtime::{clock, ids, run::input::Update, shared::Shared, threads::Failed},
};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Size of a new terminal, as the API's defaults.
const COLS: u16 = 120;
const ROWS: u16 = 30;

/// How long a holder may take to leave after its exit was acknowledged, and the time between two
/// checks.
const LEAVING: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// From the end of a turn to the first byte: a CLI takes its Stop hook's answer before it shows its
/// prompt again.
const SETTLE: Duration = Duration::from_millis(200);

pub(super) async fn launch(context: JobContext, attempt: u32) {
    fault::point("launch.before_spawn");
    fill_in_stored(&context).await;
    let spec = context.blocking(move |run, shared| plan(run, shared, attempt));
    let spec = match spec.await {
        Ok(spec) => spec,
        Err(reason) => return launch_failed(&context, reason).await,
    };
    let launched = launch_after_the_last(&context.shared.config.program, &spec).await;
    fault::point("launch.after_spawn");
    match launched {
        Ok(session) => context.attached(session).await,
        Err(LaunchError::Spawn(reason)) => launch_failed(&context, reason).await,
        Err(error) => {
            let id = context.run.id;
            log::warn!(run_id:% = id, attempt; "Could not launch attempt {attempt} of run {id}: {error}.");
            reach(&context, attempt).await;
        }
    }
}

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

/// Checks files out that were not as the CLI is to find them, waits for its prompt, and reports it.
pub(super) async fn await_prompt(context: &JobContext, id: MessageId) {
    fill_in_stored(context).await;
    tokio::time::sleep(SETTLE).await;
    context.update(Update::PromptAwaited { id }).await;
}

/// Checks files out again, through their filter, that the worktrees got before it was allowed.
async fn fill_in_stored(context: &JobContext) {
    if !git::trusts_filters() {
        return;
    }
    let filled = context.blocking(|run, _| {
        for (at, base) in placed(run) {
            if let Err(error) = git::fill_in_stored(at, &base.repo_path) {
                let name = &at.name;
                log::warn!(run_id:% = run.id; "Could not check out filtered files of {name}: {error}.");
            }
        }
        Ok::<_, Failed>(())
    });
    if let Err(error) = filled.await {
        log::error!(run_id:% = context.run.id; "Could not look for unfiltered files: {error}.");
    }
}

/// Folder the CLI works in: the worktree of a single repo, else the folder of all.
fn working_folder(run: &Run, all: &Path) -> PathBuf {
    match run.worktrees.as_slice() {
        [only] => only.worktree.clone(),
        _ => all.to_owned(),
    }
}

/// An error with its causes, in one sentence.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// What the holder is to start: hook files written, program found, environment complete.
fn plan(run: &Run, shared: &Shared, attempt: u32) -> Result<LaunchSpec, String> {
    let mut agent = run.created.agent.clone();
    let adapter = cli::adapter(&agent.cli_name)
        .ok_or_else(|| format!("unknown cli_name '{}'", agent.cli_name))?;
    let secrets = shared.reader.run_secrets(run.id);
    secrets
        .map_err(|error| chain(&error))?
        .fill(&mut agent.provider_config)
        .map_err(|name| format!("the value of {name} in the agent's env is not stored"))?;
    let run_dir = shared.run_dir(run.id);
    let cwd = working_folder(run, &shared.worktrees_dir(run.id));
    let task = run.resume_with.as_deref().unwrap_or(&run.created.task);
    let resume = run.resume_with.as_ref().and_then(|_| run.session_id());
    let long = LongTask::of(task, &run_dir).map_err(|error| chain(&error))?;
    let context = LaunchContext {
        agent: &agent,
        run_id: run.id,
        run_dir: &run_dir,
        cwd: &cwd,
        worktrees: &run.worktrees,
        task: long.as_ref().map_or(task, |long| &long.prompt),
        task_file: long.as_ref().map(|long| long.path.as_path()),
        resume,
        new_session_id: ids::random(),
        base_url: shared.base_url.get().map_or("", String::as_str),
        abbado: &shared.config.program,
        server_env: &shared.config.server_env,
    };
    let planned = adapter.plan(&context).map_err(|error| chain(&error))?;
    log::debug!(run_id:% = run.id, attempt; "Launching run {} at {}.", run.id, clock::now());
    Ok(LaunchSpec {
        run_id: run.id.0,
        attempt,
        run_dir,
        argv: planned.argv,
        cwd: planned.cwd,
        env: planned.env,
        cols: COLS,
        rows: ROWS,
        ephemeral: false,
    })
}
