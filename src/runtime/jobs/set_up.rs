//! Makes a run ready to launch: worktrees for all repos or none, copied files, the set-up script,
//! and at last the holder's order.
//!
//! # Crash
//! Until the outcome is in the log, set-up is done again from scratch; what an earlier attempt
//! half made is cleaned first.

use super::{
    JobContext,
    checkpoint::of_repo,
    placed::{base_of, placed, specs},
    reach::end_leftovers,
    script::{self, Script, ScriptError},
    unused,
};
use crate::{
    cli::{self, LaunchContext, LongTask},
    domain::run::{
        Command, Run,
        event::{Stage, WorktreeAt},
    },
    git::{self, Added, GitError, Wanted, WorktreeSpec},
    pty::LaunchSpec,
    runtime::{
        clock, ids,
        run::{input::Update, spool},
        shared::Shared,
    },
};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

/// Size of a new terminal, as the API's defaults.
const COLS: u16 = 120;
const ROWS: u16 = 30;

/// Why set-up ended early.
enum SetUpError {
    /// It was asked to.
    Stopped,
    /// It failed.
    Failed {
        stage: Stage,
        reason: String,
        detail: String,
    },
}

impl SetUpError {
    fn worktree(error: &GitError) -> Self {
        let (stage, detail) = (Stage::Worktree, String::new());
        Self::Failed {
            stage,
            reason: error.to_string(),
            detail,
        }
    }

    const fn setup(reason: String, detail: String) -> Self {
        Self::Failed {
            stage: Stage::Setup,
            reason,
            detail,
        }
    }
}

impl From<ScriptError> for SetUpError {
    fn from(error: ScriptError) -> Self {
        match error {
            ScriptError::Stopped => Self::Stopped,
            ScriptError::Failed { reason, detail } => Self::setup(reason, detail),
        }
    }
}

/// Sets a run up and tells the outcome. `again` after a restart: programs of the last server may
/// still be at it, and are ended first.
pub(super) async fn run(context: JobContext, again: bool) {
    let stop = Arc::clone(&context.stop);
    if again {
        end_leftovers(&context).await;
        unlock_branches(&context).await;
    }
    let outcome = set_up(&context, &stop).await;
    let made = matches!(&outcome, Ok(Some(_)));
    let news = match outcome {
        Ok(created) if !stop.load(Ordering::Relaxed) => {
            Update::Fact(Command::WorktreesReady { created })
        }
        // The worktrees are written down all the same: they are there, and belong to the run.
        Ok(created) => {
            if made {
                context
                    .update(Update::Fact(Command::WorktreesReady { created }))
                    .await;
            }
            Update::SetUpStopped
        }
        Err(SetUpError::Stopped) => Update::SetUpStopped,
        Err(SetUpError::Failed {
            stage,
            reason,
            detail,
        }) => {
            unused::remove_half_made(&context).await;
            Update::Fact(Command::SetUpFailed {
                stage,
                reason,
                detail,
                removed: None,
            })
        }
    };
    context.update(news).await;
}

/// A `git` that was ended in the middle leaves the lock of the branch that it was making.
async fn unlock_branches(context: &JobContext) {
    let (specs, shared) = (missing(context), Arc::clone(&context.shared));
    let unlock = move || {
        specs.iter().try_for_each(|spec| {
            git::unlock_branch(&spec.repo_path, &spec.branch, &shared.repo_locks)
        })
    };
    let unlocked = match context.blocking(unlock).await {
        Ok(unlocked) => unlocked.map_err(|error| error.to_string()),
        Err(error) => Err(error),
    };
    if let Err(error) = unlocked {
        // What it keeps from being made says so itself.
        log::warn!(run_id:% = context.run.id; "Could not unlock a branch: {error}.");
    }
}

async fn set_up(
    context: &JobContext,
    stop: &Arc<AtomicBool>,
) -> Result<Option<(Vec<WorktreeAt>, u64)>, SetUpError> {
    let begun = Instant::now();
    let run = &context.run;
    make_run_folder(&context.shared.run_dir(run.id))?;
    let there = !run.worktrees.is_empty() && run.worktrees.iter().all(|at| at.worktree.is_dir());
    if there {
        return Ok(None);
    }
    let wanted = Wanted::begin();
    let permit = context.shared.heavy_jobs.acquire().await;
    crate::fault::point("set_up.before_worktrees");
    let added = add_worktrees(context, stop).await?;
    crate::fault::point("set_up.after_worktrees");
    complete(context, &added, stop).await?;
    let worktrees: Vec<_> = added.into_iter().map(|added| added.at).collect();
    copy_files(context, &worktrees).await?;
    drop((permit, wanted));
    restore(context, &worktrees).await?;
    for at in &worktrees {
        Script::SetUp.run(context, at, stop).await?;
    }
    let kept = run
        .worktrees
        .iter()
        .filter(|at| worktrees.iter().all(|w| w.repo_id != at.repo_id));
    let all = kept.cloned().chain(worktrees.iter().cloned()).collect();
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Some((all, millis)))
}

/// The run's own folder, its owner's alone, with the spool that hooks fall back to.
fn make_run_folder(run_dir: &Path) -> Result<(), SetUpError> {
    use std::os::unix::fs::DirBuilderExt;
    let folder = spool::folder(run_dir);
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder);
    made.map_err(|error| {
        SetUpError::setup(
            format!("cannot create the run folder: {error}"),
            String::new(),
        )
    })
}

async fn add_worktrees(
    context: &JobContext,
    stop: &Arc<AtomicBool>,
) -> Result<Vec<Added>, SetUpError> {
    let mut specs: Vec<WorktreeSpec> = missing(context);
    let (stop, shared) = (Arc::clone(stop), Arc::clone(&context.shared));
    // One that goes on has its branch already.
    if context.run.worktrees.is_empty() {
        for spec in &mut specs {
            spec.spare = shared.spares.take(spec.repo_id);
        }
    }
    let added = context
        .blocking(move || {
            let stopped = || stop.load(Ordering::Relaxed);
            let added = git::add_worktrees(&specs, &shared.repo_locks, &stopped);
            let spares = specs.iter().filter_map(|spec| spec.spare.clone());
            shared.spares.taken(spares);
            added
        })
        .await;
    match added {
        Ok(Ok(added)) => Ok(added),
        Ok(Err(GitError::Cancelled)) => Err(SetUpError::Stopped),
        Ok(Err(error)) => Err(SetUpError::worktree(&error)),
        Err(error) => Err(SetUpError::Failed {
            stage: Stage::Worktree,
            reason: format!("creating worktrees failed: {error}"),
            detail: String::new(),
        }),
    }
}

/// What has to be made: everything for a new run, and only what is gone for one that goes on; a
/// worktree that is there holds work and is not touched.
fn missing(context: &JobContext) -> Vec<WorktreeSpec> {
    let there = |spec: &WorktreeSpec| {
        context
            .run
            .worktrees
            .iter()
            .any(|at| at.repo_id == spec.repo_id && at.worktree.is_dir())
    };
    specs(context)
        .into_iter()
        .filter(|spec| !there(spec))
        .collect()
}

/// Fills in what `git worktree add` leaves out of a fresh clone; what cannot be had is noted in
/// the run's log.
async fn complete(
    context: &JobContext,
    added: &[Added],
    stop: &Arc<AtomicBool>,
) -> Result<(), SetUpError> {
    for one in added {
        let bases = &context.run.created.repos;
        let base = bases.iter().find(|base| base.repo_id == one.at.repo_id);
        let Some(repo_path) = base.map(|base| base.repo_path.clone()) else {
            continue;
        };
        let (made, stop) = (one.clone(), Arc::clone(stop));
        let job = move || {
            let stopped = || stop.load(Ordering::Relaxed);
            let notes = git::fill_submodules(&made.at, &repo_path, &stopped)?;
            git::date_index(&made)?;
            Ok(notes)
        };
        let notes = match context.blocking(job).await {
            Ok(Ok(found)) => found,
            Ok(Err(GitError::Cancelled)) => return Err(SetUpError::Stopped),
            Ok(Err(error)) => return Err(SetUpError::worktree(&error)),
            Err(error) => return Err(SetUpError::setup(error, String::new())),
        };
        let name = &one.at.name;
        for sentence in notes.iter().chain(&one.note) {
            log::info!(run_id:% = context.run.id; "{name}: {sentence}");
            let line = format!("[abbado] {name}: {sentence}\n");
            script::note(&context.shared.run_dir(context.run.id), line.as_bytes());
        }
    }
    Ok(())
}

async fn copy_files(context: &JobContext, worktrees: &[WorktreeAt]) -> Result<(), SetUpError> {
    let globs = context.run.created.set_up.copy_files.clone();
    if globs.is_empty() {
        return Ok(());
    }
    for at in worktrees {
        let base = context
            .run
            .created
            .repos
            .iter()
            .find(|base| base.repo_id == at.repo_id);
        let Some(from) = base.map(|base| base.repo_path.clone()) else {
            continue;
        };
        let (to, globs) = (at.worktree.clone(), globs.clone());
        let copied = context
            .blocking(move || git::copy_files(&from, &to, &globs))
            .await;
        let failed = |why: String| {
            SetUpError::setup(
                format!("copy_files into {} failed: {why}", at.name),
                String::new(),
            )
        };
        let copied = copied
            .map_err(failed)?
            .map_err(|error| failed(error.to_string()))?;
        note_not_ignored(context, &at.name, &copied.not_ignored);
    }
    Ok(())
}

/// Tells in the run's log which files of copy_files were left out, and why.
fn note_not_ignored(context: &JobContext, name: &str, paths: &[PathBuf]) {
    const SHOWN: usize = 5;
    if paths.is_empty() {
        return;
    }
    let mut shown: Vec<_> = paths
        .iter()
        .take(SHOWN)
        .map(|at| at.display().to_string())
        .collect();
    if paths.len() > SHOWN {
        shown.push(format!("{} more", paths.len() - SHOWN));
    }
    let line = format!(
        "[abbado] {name}: copy_files skipped {}: git does not ignore them, so they would be committed. Add them to .gitignore or .git/info/exclude.\n",
        shown.join(", ")
    );
    script::note(&context.shared.run_dir(context.run.id), line.as_bytes());
}

/// Checks files out again, through their filter, that the worktrees got before it was allowed.
pub(super) async fn fill_in_stored(context: &JobContext) {
    if !git::trusts_filters() {
        return;
    }
    let run = context.run.clone();
    let job = move || {
        for (at, base) in placed(&run) {
            if let Err(error) = git::fill_in_stored(at, &base.repo_path) {
                let name = &at.name;
                log::warn!(run_id:% = run.id; "Could not check out filtered files of {name}: {error}.");
            }
        }
    };
    if let Err(error) = context.blocking(job).await {
        log::error!(run_id:% = context.run.id; "Could not look for unfiltered files: {error}.");
    }
}

/// Brings the last checkpoint back into worktrees that had gone.
async fn restore(context: &JobContext, worktrees: &[WorktreeAt]) -> Result<(), SetUpError> {
    for at in worktrees {
        let run = &context.run;
        let (kept, base) = (of_repo(&run.checkpoint, at), base_of(run, at));
        let (Some(kept), Some(base)) = (kept, base) else {
            continue;
        };
        let (at, repo_path, commit) = (at.clone(), base.repo_path.clone(), kept.commit.clone());
        let name = at.name.clone();
        let job = move || git::restore(&at, &repo_path, &commit);
        let failed = |why: String| {
            let reason = format!("the last checkpoint of {name} could not be restored: {why}");
            SetUpError::Failed {
                stage: Stage::Worktree,
                reason,
                detail: String::new(),
            }
        };
        let restored = context.blocking(job).await;
        restored
            .map_err(failed)?
            .map_err(|error| failed(error.to_string()))?;
    }
    Ok(())
}

/// Folder the CLI works in: the worktree of a single repo, else the folder of all.
fn working_folder(run: &Run, all: &Path) -> PathBuf {
    match run.worktrees.as_slice() {
        [only] => only.worktree.clone(),
        _ => all.to_owned(),
    }
}

/// The holder's order: hook files written, program found, environment complete.
pub(super) async fn launch_spec(context: &JobContext, attempt: u32) -> Result<LaunchSpec, String> {
    let (run, shared) = (context.run.clone(), Arc::clone(&context.shared));
    context
        .blocking(move || plan(&run, &shared, attempt))
        .await?
}

/// An error with its causes, in one sentence.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

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
