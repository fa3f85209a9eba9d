//! What deleted runs left in a repository, and for how long.
//!
//! Called by `abbado doctor`, which lists it, and by the runtime once a day, which removes
//! what is old. A run's refs are known by the record that [`super::keep_deleted`] wrote; without
//! one, nothing is removed.
//!
//! # Crash
//! The record goes last: what is left is found again.

use super::{
    GitError,
    keep::{self, DELETED},
    repository,
};
use crate::domain::RunId;
use chrono::{DateTime, Utc};
use std::path::Path;

const RECORD: &str = "/record";

/// A deleted run whose work is still here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeletedRun {
    /// The run.
    pub run_id: RunId,
    /// When it was deleted.
    pub deleted_at: DateTime<Utc>,
    /// One sentence of its record.
    pub note: String,
}

/// The deleted runs of which a repository still keeps work, oldest first.
///
/// # Errors
/// `NotARepository`, or `Library` when refs cannot be listed.
pub(crate) fn deleted_runs(repo_path: &Path) -> Result<Vec<DeletedRun>, GitError> {
    let repository = repository::open(repo_path)?;
    let listed = repository
        .references_glob(&format!("{DELETED}*{RECORD}"))
        .map_err(GitError::library("listing deleted runs"))?;
    let mut found: Vec<_> = listed
        .filter_map(|reference| {
            let reference = reference.ok()?;
            let id = reference.name().ok()?.strip_prefix(DELETED)?;
            let run_id = id.strip_suffix(RECORD)?.parse().ok()?;
            let commit = reference.peel_to_commit().ok()?;
            Some(DeletedRun {
                run_id,
                deleted_at: DateTime::from_timestamp(commit.time().seconds(), 0)?,
                note: String::from_utf8_lossy(commit.message_bytes())
                    .trim()
                    .to_owned(),
            })
        })
        .collect();
    found.sort_by_key(|run| run.deleted_at);
    Ok(found)
}

/// Removes what is kept of runs deleted before a moment, and returns how many there were. Their
/// commits stay until git itself collects them.
///
/// # Errors
/// Those of [`deleted_runs`], or `Library` when a ref cannot be removed.
pub(crate) fn prune_deleted(repo_path: &Path, before: DateTime<Utc>) -> Result<usize, GitError> {
    let old = deleted_runs(repo_path)?;
    let old: Vec<_> = old.iter().filter(|run| run.deleted_at < before).collect();
    let repository = repository::open(repo_path)?;
    for run in &old {
        let under = keep::deleted_refs(run.run_id);
        let record = format!("{DELETED}{}{RECORD}", run.run_id);
        keep::delete_refs(&repository, &under, Some(&record))?;
    }
    Ok(old.len())
}
