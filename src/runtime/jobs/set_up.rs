//! Makes a run ready to launch: worktrees for all repos or none, copied files, the last checkpoint in
//! those that had gone, and the set-up script.
//!
//! # Crash
//! Until the outcome is in the log, set-up is done again from scratch; what an earlier attempt
//! half made is cleaned first.

use super::{
    JobContext,
    checkpoint::of_repo,
    holder::end_leftovers,
    millis_since,
    placed::{base_of, specs},
    script::{self, Script, ScriptError},
    unused,
};
use crate::{
    domain::run::{
        Command, Run,
        event::{Stage, WorktreeAt},
    },
    fault,
    git::{self, Added, GitError, Wanted, WorktreeSpec},
    runtime::{
        run::{input::Update, spool},
        shared::Shared,
        threads::Failed,
    },
};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

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
    const fn failed(stage: Stage, reason: String) -> Self {
        Self::Failed {
            stage,
            reason,
            detail: String::new(),
        }
    }
}

impl From<GitError> for SetUpError {
    fn from(error: GitError) -> Self {
        if matches!(error, GitError::Cancelled) {
            return Self::Stopped;
        }
        Self::failed(Stage::Worktree, error.to_string())
    }
}

impl From<Failed> for SetUpError {
    fn from(error: Failed) -> Self {
        Self::failed(Stage::Worktree, format!("the set-up failed: {error}"))
    }
}

impl From<ScriptError> for SetUpError {
    fn from(error: ScriptError) -> Self {
        match error {
            ScriptError::Stopped => Self::Stopped,
            ScriptError::Failed { reason, detail } => Self::Failed {
                stage: Stage::Setup,
                reason,
                detail,
            },
        }
    }
}

/// Sets a run up and reports the outcome. `again` after a restart: programs of the last server may
/// still be at it, and are ended first.
pub(super) async fn run(context: JobContext, again: bool) {
    if again {
        end_leftovers(&context).await;
        unlock_branches(&context).await;
    }
    let update = match set_up(&context).await {
        Ok(created) if !context.stop.load(Ordering::Relaxed) => {
            Update::Fact(Command::WorktreesReady { created })
        }
        // The worktrees are written down all the same: they are there, and belong to the run.
        Ok(created) => {
            if created.is_some() {
                let ready = Command::WorktreesReady { created };
                context.update(Update::Fact(ready)).await;
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
    context.update(update).await;
}

/// A `git` that was ended in the middle leaves the lock of the branch that it was making.
async fn unlock_branches(context: &JobContext) {
    let unlocked = context.blocking(|run, shared| {
        missing(run, shared).iter().try_for_each(|spec| {
            let unlocked = git::unlock_branch(&spec.repo_path, &spec.branch, &shared.repo_locks);
            unlocked.map_err(|error| error.to_string())
        })
    });
    if let Err(error) = unlocked.await {
        // What it keeps from being made says so itself.
        log::warn!(run_id:% = context.run.id; "Could not unlock a branch: {error}.");
    }
}

/// The worktrees of the run, and how long it took to make them; none when they were there.
async fn set_up(context: &JobContext) -> Result<Option<(Vec<WorktreeAt>, u64)>, SetUpError> {
    let begun = Instant::now();
    let run = &context.run;
    make_run_folder(&context.run_dir())?;
    let there = !run.worktrees.is_empty() && run.worktrees.iter().all(|at| at.worktree.is_dir());
    if there {
        return Ok(None);
    }
    let wanted = Wanted::begin();
    let permit = context.shared.heavy_jobs.acquire().await;
    let stop = Arc::clone(&context.stop);
    let made = context
        .blocking(move |run, shared| make_worktrees(run, shared, &|| stop.load(Ordering::Relaxed)));
    let made = made.await?;
    drop((permit, wanted));
    let worktrees = made.clone();
    let restored = context.blocking(move |run, _| restore(run, &worktrees));
    restored.await?;
    for at in &made {
        Script::SetUp.run(context, at).await?;
    }
    let is_made = |at: &&WorktreeAt| made.iter().any(|made| made.repo_id == at.repo_id);
    let kept = run.worktrees.iter().filter(|at| !is_made(at)).cloned();
    let all = kept.chain(made.iter().cloned()).collect();
    Ok(Some((all, millis_since(begun))))
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
        let why = format!("cannot create the run folder: {error}");
        SetUpError::failed(Stage::Setup, why)
    })
}

/// Makes the worktrees that are missing, with all that is to be in them.
fn make_worktrees(
    run: &Run,
    shared: &Shared,
    stopped: &dyn Fn() -> bool,
) -> Result<Vec<WorktreeAt>, SetUpError> {
    let run_dir = shared.run_dir(run.id);
    fault::point("set_up.before_worktrees");
    let added = add_worktrees(run, shared, stopped)?;
    fault::point("set_up.after_worktrees");
    for one in &added {
        complete(run, &run_dir, one, stopped)?;
    }
    let worktrees: Vec<_> = added.into_iter().map(|added| added.at).collect();
    for at in &worktrees {
        copy_files(run, &run_dir, at)?;
    }
    Ok(worktrees)
}

fn add_worktrees(
    run: &Run,
    shared: &Shared,
    stopped: &dyn Fn() -> bool,
) -> Result<Vec<Added>, GitError> {
    let mut specs = missing(run, shared);
    // A continued run has its branch already.
    if run.worktrees.is_empty() {
        for spec in &mut specs {
            spec.spare = shared.spares.take(spec.repo_id);
        }
    }
    let added = git::add_worktrees(&specs, &shared.repo_locks, stopped);
    let spares = specs.into_iter().filter_map(|spec| spec.spare);
    shared.spares.taken(spares);
    added
}

/// What has to be made: everything for a new run, and only what is gone for a continued one; a
/// worktree that is there holds work and is not touched.
fn missing(run: &Run, shared: &Shared) -> Vec<WorktreeSpec> {
    let mut specs = specs(run, shared);
    specs.retain(|spec| {
        let mut there = run.worktrees.iter().filter(|at| at.worktree.is_dir());
        there.all(|at| at.repo_id != spec.repo_id)
    });
    specs
}

/// Fills in what `git worktree add` leaves out of a fresh clone; what cannot be had is noted in
/// the run's log.
fn complete(
    run: &Run,
    run_dir: &Path,
    added: &Added,
    stopped: &dyn Fn() -> bool,
) -> Result<(), GitError> {
    let Some(base) = base_of(run, &added.at) else {
        return Ok(());
    };
    let notes = git::fill_submodules(&added.at, &base.repo_path, stopped)?;
    git::date_index(added)?;
    let name = &added.at.name;
    for sentence in notes.iter().chain(&added.note) {
        log::info!(run_id:% = run.id; "{name}: {sentence}");
        script::note(run_dir, format!("[abbado] {name}: {sentence}\n").as_bytes());
    }
    Ok(())
}

fn copy_files(run: &Run, run_dir: &Path, at: &WorktreeAt) -> Result<(), SetUpError> {
    let Some(base) = base_of(run, at) else {
        return Ok(());
    };
    let globs = &run.created.set_up.copy_files;
    let copied = git::copy_files(&base.repo_path, &at.worktree, globs).map_err(|error| {
        let why = format!("copy_files into {} failed: {error}", at.name);
        SetUpError::failed(Stage::Setup, why)
    })?;
    note_not_ignored(run_dir, &at.name, &copied.not_ignored);
    Ok(())
}

/// Tells in the run's log which files of copy_files were left out, and why.
fn note_not_ignored(run_dir: &Path, name: &str, paths: &[PathBuf]) {
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
    script::note(run_dir, line.as_bytes());
}

/// Brings the last checkpoint back into worktrees that had gone.
fn restore(run: &Run, worktrees: &[WorktreeAt]) -> Result<(), SetUpError> {
    for at in worktrees {
        let (Some(kept), Some(base)) = (of_repo(&run.checkpoint, at), base_of(run, at)) else {
            continue;
        };
        git::restore(at, &base.repo_path, &kept.commit).map_err(|error| {
            let name = &at.name;
            let why = format!("the last checkpoint of {name} could not be restored: {error}");
            SetUpError::failed(Stage::Worktree, why)
        })?;
    }
    Ok(())
}
