//! Removes what deleted runs left in the users' repositories, once it is old.

use crate::git;
use crate::runtime::{clock, shared::Shared};
use chrono::TimeDelta;
use std::{sync::Arc, time::Duration};

/// How long a deleted run's last work is kept.
const KEPT_DAYS: i64 = 30;
/// Between two checks.
const EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Checks now and then once a day, for as long as the server runs.
pub(in crate::runtime) async fn run(shared: Arc<Shared>) {
    let mut days = tokio::time::interval(EVERY);
    loop {
        days.tick().await;
        shared
            .blocking("prune the work of deleted runs", prune)
            .await;
    }
}

fn prune(shared: &Shared) {
    let projects = match shared.reader.projects() {
        Ok(projects) => projects,
        Err(error) => return log::warn!("Could not prune the work of deleted runs: {error}."),
    };
    let paths = projects.into_iter().flat_map(|project| project.repos);
    let before = clock::now() - TimeDelta::days(KEPT_DAYS);
    for path in paths.map(|repo| repo.repo_path) {
        // A repository that is gone keeps nothing.
        let Ok(inspected) = git::inspect(&path) else {
            continue;
        };
        let job = || git::prune_deleted(&path, before);
        match shared.repo_locks.with(&[inspected.git_dir], job) {
            Ok(0) => {}
            Ok(count) => log::info!(
                "{}: pruned the work of {count} deleted runs.",
                path.display()
            ),
            Err(error) => log::warn!(
                "{}: could not prune the work of deleted runs: {error}.",
                path.display()
            ),
        }
    }
}
