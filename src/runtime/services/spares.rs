//! Keeps a worktree ready for the next run of each repo whose project asked for it (decision 15).
//!
//! One task makes and removes them, in the background: it begins only while no other heavy job is
//! under way. A run takes what is ready and waits for nothing; what it took is used up. What is
//! kept is known in memory only: at a start all that an earlier server left is removed.

pub(crate) mod table;

use crate::{
    domain::{Project, Repo, RunId},
    git::{self, GitError, Spare, SpareSpec},
    pty,
    runtime::{clock, ids, shared::Shared},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use table::Kept;

/// Between two checks whether what is kept is still of use.
const EVERY: Duration = Duration::from_secs(60 * 60);
/// One that no run took within a day goes, and another is made after the next run.
const UNUSED_HOURS: i64 = 24;
/// As the log names the work.
const DOING: &str = "maintain spare worktrees";
/// Between two checks whether other heavy jobs are over.
const BUSY: Duration = Duration::from_secs(1);

/// The repos that are to have one.
fn wanted(projects: Vec<Project>) -> Vec<Repo> {
    let projects = projects.into_iter();
    let asked = projects.filter(|project| project.spare_worktrees);
    asked.flat_map(|project| project.repos).collect()
}

fn folder(shared: &Shared) -> PathBuf {
    shared.config.data_dir.join("spares")
}

/// Works for as long as the server runs.
pub(in crate::runtime) async fn run(shared: Arc<Shared>) {
    shared.blocking(DOING, clear).await;
    let mut hours = tokio::time::interval(EVERY);
    loop {
        let hour = tokio::select! {
            _ = hours.tick() => true,
            () = shared.spares.wake.notified() => false,
        };
        shared
            .blocking(DOING, move |shared| remove_unneeded(shared, hour))
            .await;
        while make_one(&shared).await {}
    }
}

/// Removes all that an earlier server left, and ends what it had at work.
fn clear(shared: &Shared) {
    let spares = folder(shared);
    for left in git::spares_on_disk(&spares) {
        if let Some(id) = id_of(&left)
            && let Err(error) = pty::end_leftovers(id.0)
        {
            log::warn!("Could not cancel the preparation of a spare worktree: {error}.");
        }
        remove(shared, &left);
    }
    for repo in projects(shared).into_iter().flat_map(|it| it.repos) {
        let path = &repo.repo_path;
        if let Err(error) = git::forget_spares(path, &spares, &shared.repo_locks) {
            log::debug!(error:% = error; "Could not look for records of spare worktrees.");
        }
    }
}

fn id_of(folder: &Path) -> Option<RunId> {
    folder.file_name()?.to_str()?.parse().ok()
}

fn remove(shared: &Shared, folder: &Path) {
    if let Err(error) = git::remove_spare(folder, &shared.repo_locks) {
        log::warn!(error:% = error; "Could not remove a spare worktree: {}.", folder.display());
    }
}

fn projects(shared: &Shared) -> Vec<Project> {
    shared.reader.projects().unwrap_or_else(|error| {
        log::warn!("Could not {DOING}: {error}.");
        Vec::new()
    })
}

/// Removes what was used up, what nobody wants any more, what no run took for long, and on the
/// hour what is of another commit than a run would begin from.
fn remove_unneeded(shared: &Shared, hour: bool) {
    let wanted = wanted(projects(shared));
    let before = clock::now() - chrono::TimeDelta::hours(UNUSED_HOURS);
    let gone = {
        let mut state = shared.spares.state();
        let mut gone = std::mem::take(&mut state.used);
        state.kept.retain(|repo, kept| {
            let of = wanted.iter().find(|wanted| wanted.id == *repo);
            let Kept::Ready { spare, since } = kept else {
                return of.is_some();
            };
            let unused = *since < before;
            let old =
                || of.is_some_and(|of| hour && head(&of.repo_path) != Some(spare.base_commit()));
            if of.is_some() && !unused && !old() {
                return true;
            }
            gone.push(spare.folder().to_owned());
            if unused && of.is_some() {
                *kept = Kept::Resting;
                return true;
            }
            false
        });
        gone
    };
    gone.iter().for_each(|folder| remove(shared, folder));
}

/// The commit that a run of this repository begins from, unless it says otherwise.
fn head(repo_path: &Path) -> Option<String> {
    git::resolve_commit(repo_path, "HEAD").ok()
}

/// Makes one that is missing. False when there is nothing to do.
async fn make_one(shared: &Arc<Shared>) -> bool {
    let missing = shared.blocking(DOING, |shared| {
        let wanted = wanted(projects(shared));
        let state = shared.spares.state();
        let mut missing = wanted.into_iter();
        missing.find(|wanted| !state.kept.contains_key(&wanted.id))
    });
    let Some(Some(wanted)) = missing.await else {
        return false;
    };
    let permits = &shared.heavy_jobs;
    let permit = (permits.available_permits() >= crate::runtime::shared::HEAVY_JOBS_MAX)
        .then(|| permits.try_acquire().ok())
        .flatten();
    let Some(permit) = permit else {
        tokio::time::sleep(BUSY).await;
        return true;
    };
    let repo = wanted.id;
    let made = shared
        .blocking(DOING, move |shared| make(shared, wanted))
        .await;
    drop(permit);
    let kept = match made {
        // Another job waited. It goes first.
        Some(Err(GitError::Cancelled)) => return true,
        Some(Ok(Some(spare))) => {
            let (spare, since) = (Arc::new(spare), clock::now());
            Kept::Ready { spare, since }
        }
        Some(Ok(None)) => Kept::Resting,
        Some(Err(error)) => {
            log::warn!(repo_id:% = repo, error:% = error; "Could not create a spare worktree.");
            Kept::Resting
        }
        None => Kept::Resting,
    };
    shared.spares.state().kept.insert(repo, kept);
    // The project may have changed meanwhile.
    shared
        .blocking(DOING, |shared| remove_unneeded(shared, false))
        .await;
    true
}

fn make(shared: &Shared, wanted: Repo) -> Result<Option<Spare>, GitError> {
    let id = ids::run();
    let spec = SpareSpec {
        id,
        name: wanted.name,
        base_commit: git::resolve_commit(&wanted.repo_path, "HEAD")?,
        repo_path: wanted.repo_path,
        folder: folder(shared).join(id.to_string()),
    };
    let waited_for = || shared.heavy_jobs.available_permits() == 0;
    git::make_spare(&spec, &shared.repo_locks, &waited_for)
}
