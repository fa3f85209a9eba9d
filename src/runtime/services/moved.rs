//! A data folder that was moved while no server ran: its worktrees moved along, and the
//! repositories and the log still name the former place.
//!
//! Done before anybody is served. The folder's path is written down in it, so that a start
//! elsewhere is noticed without a look at every run.

use crate::{
    domain::{
        RunId,
        run::event::{WorktreeAt, WorktreeCreated},
    },
    files, git,
    runtime::{
        handle::Runtime,
        messages::{AskError, Request},
        order::Order,
        shared::Shared,
        threads,
    },
};
use std::{io::Write, os::unix::ffi::OsStrExt, sync::Arc};

/// The file with the folder's own path.
const PLACE: &str = "place";
const PLACE_LEN_MAX: u64 = 64 * 1024;

/// Repairs worktrees that moved, and has each run's log say where they are.
///
/// # Errors
/// When the database cannot tell which runs have worktrees elsewhere.
pub(in crate::runtime) async fn repair(runtime: &Runtime) -> Result<(), AskError> {
    let data_dir = &runtime.shared.config.data_dir;
    let (file, here) = (data_dir.join(PLACE), data_dir.as_os_str().as_bytes());
    if files::read(&file, PLACE_LEN_MAX).is_ok_and(|place| place == here) {
        return Ok(());
    }
    let worktrees = format!("{}/", data_dir.join("worktrees").display());
    let runs = runtime
        .shared
        .reader
        .runs_with_worktrees_outside(&worktrees)?;
    for run_id in runs {
        let shared = Arc::clone(&runtime.shared);
        let Some(repos) = threads::run(move || moved(&shared, run_id)).await? else {
            continue;
        };
        let moved = WorktreeCreated { repos, millis: 0 };
        let request = Request::Order(Order::Record(Box::new(moved.into())));
        match runtime.ask(run_id, request, None).await {
            Ok(_) => {
                log::info!(run_id:%; "The worktrees of run {run_id} have moved with the data folder.");
            }
            Err(error) => {
                log::warn!(run_id:%; "Could not record the new place of the worktrees of run {run_id}: {error}.");
            }
        }
    }
    if let Err(error) = files::make(&file).and_then(|mut file| file.write_all(here)) {
        log::warn!(error:% = error; "Could not record the path of the data folder.");
    }
    Ok(())
}

/// The worktrees of a run as they are now; none when nothing of it was found here.
fn moved(shared: &Shared, run_id: RunId) -> Option<Vec<WorktreeAt>> {
    let run = shared.reader.fold_run(run_id).ok()??;
    let mut any = false;
    let worktrees = run.worktrees.iter().map(|at| {
        let here = shared.worktrees_dir(run_id).join(at.worktree.file_name()?);
        let mut bases = run.created.repos.iter();
        let base = bases.find(|base| base.repo_id == at.repo_id)?;
        if here == at.worktree || !here.is_dir() {
            return None;
        }
        let git_dir = git::git_dir_of(&base.repo_path).ok()?;
        let repair = || git::repair_worktree(&base.repo_path, &here);
        match shared.repo_locks.with(&[git_dir], repair) {
            Ok(true) => {
                any = true;
                let mut at = at.clone();
                at.worktree = here;
                Some(at)
            }
            Ok(false) => None,
            Err(error) => {
                log::warn!(run_id:%; "Could not repair a worktree of run {run_id}: {error}.");
                None
            }
        }
    });
    let worktrees: Vec<_> = worktrees.collect();
    let all = run.worktrees.iter().zip(worktrees);
    let all = all.map(|(former, now)| now.unwrap_or_else(|| former.clone()));
    let all = all.collect();
    any.then_some(all)
}
