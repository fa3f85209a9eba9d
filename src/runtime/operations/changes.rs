//! What a run changed, and its checkpoints.

use super::{OperationError, blocking, read};
use crate::{
    domain::{
        RepoId, RunId, Time,
        run::{
            Event,
            event::{CheckpointAt, LeftOut, WorktreeAt},
        },
    },
    git::{self, ChangesOf, ErrorKind, GitError},
    runtime::Runtime,
    store::{Reader, StoreError},
};
use serde::Deserialize;
use std::{io, path::PathBuf, sync::Arc};

pub(crate) use git::{DiffStats, FileChange, FileStatus};

/// A repo of a run, as its row tells.
#[derive(Deserialize)]
pub(crate) struct RunRepo {
    /// The repo.
    pub repo_id: RepoId,
    /// Its name.
    pub name: String,
    /// The user's checkout.
    pub repo_path: PathBuf,
    worktree: Option<PathBuf>,
    /// The branch with the run's work.
    pub branch: String,
    /// The commit that its changes are compared with.
    pub base_commit: String,
    #[serde(default)]
    source: Option<String>,
    #[serde(skip)]
    checkpoint: Option<String>,
}

impl RunRepo {
    pub(super) fn at(&self) -> WorktreeAt {
        WorktreeAt {
            repo_id: self.repo_id,
            name: self.name.clone(),
            worktree: self.worktree.clone().unwrap_or_default(),
            branch: self.branch.clone(),
        }
    }

    /// What its changes are compared with: itself, with the base commit that leaves the run's own.
    fn on_own_base(mut self) -> Result<Self, GitError> {
        let source = self.source.as_deref();
        self.base_commit = git::own_base(&self.at(), &self.repo_path, &self.base_commit, source)?;
        Ok(self)
    }

    fn of<'a>(&'a self, at: &'a WorktreeAt) -> ChangesOf<'a> {
        ChangesOf {
            at,
            repo_path: &self.repo_path,
            base_commit: &self.base_commit,
            checkpoint: self.checkpoint.as_deref(),
        }
    }
}

#[derive(Deserialize)]
struct RunRow {
    repos: Vec<RunRepo>,
}

/// The repos of a run, each with its last checkpoint.
///
/// # Errors
/// `Unknown` run; when the database fails.
pub(crate) async fn repos(runtime: &Runtime, id: RunId) -> Result<Vec<RunRepo>, OperationError> {
    let repos = read(runtime, move |reader| stored_repos(reader, id)).await?;
    repos.ok_or(OperationError::Unknown("run"))
}

fn stored_repos(reader: &Reader, id: RunId) -> Result<Option<Vec<RunRepo>>, StoreError> {
    let Some(view) = reader.run_view(id)? else {
        return Ok(None);
    };
    let row: RunRow =
        serde_json::from_str(&view).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let mut repos = row.repos;
    for checkpoint in checkpoints(reader, id)? {
        for repo in &mut repos {
            let mut kept = checkpoint.repos.iter();
            if let Some(kept) = kept.find(|kept| kept.repo_id == repo.repo_id) {
                repo.checkpoint = Some(kept.commit.clone());
            }
        }
    }
    Ok(Some(repos))
}

/// A checkpoint of a run.
pub(crate) struct Checkpoint {
    /// Counts from 1.
    pub number: u32,
    /// Why it was taken.
    pub reason: String,
    /// When.
    pub created_at: Time,
    /// Its commits.
    pub repos: Vec<CheckpointAt>,
}

/// Checkpoints of a run, oldest first.
///
/// # Errors
/// When the database fails.
pub(crate) fn checkpoints(reader: &Reader, id: RunId) -> Result<Vec<Checkpoint>, StoreError> {
    let mut all = Vec::new();
    for stored in reader.events_of_run(id, 0, None, Some("run.checkpointed"))? {
        if let Event::RunCheckpointed(kept) = stored.event()? {
            all.push(Checkpoint {
                number: kept.number,
                reason: kept.reason,
                created_at: stored.created_at,
                repos: kept.repos,
            });
        }
    }
    Ok(all)
}

fn fault(name: &str, error: GitError) -> OperationError {
    match error.kind() {
        ErrorKind::Fault => OperationError::failed(error),
        ErrorKind::Invalid
        | ErrorKind::Unknown
        | ErrorKind::Unusable
        | ErrorKind::Conflict
        | ErrorKind::TimedOut => OperationError::conflict(format!("Repo '{name}': {error}.")),
    }
}

/// How much a run has changed.
///
/// # Errors
/// `Unknown` run; a conflict when the state of a repository does not allow a look.
pub(crate) async fn diff_stats(runtime: &Runtime, id: RunId) -> Result<DiffStats, OperationError> {
    let repos = repos(runtime, id).await?;
    let shared = Arc::clone(&runtime.shared);
    let counted = blocking(move || {
        let mut total = DiffStats::default();
        for repo in repos {
            let name = repo.name.clone();
            let stats = repo
                .on_own_base()
                .and_then(|repo| shared.stats.diff_stats(repo.of(&repo.at())));
            total.add(stats.map_err(|error| fault(&name, error))?);
        }
        Ok(total)
    });
    counted.await?
}

/// What [`walk`] shows, in this order for each repo.
pub(crate) enum Change<'a> {
    /// The files of this repo are next.
    Repo(&'a RunRepo),
    /// A file.
    File(&'a FileChange),
    /// It has no more. Its worktree holds something that no commit of its branch has, or not.
    RepoEnd {
        /// Whether it does.
        uncommitted: bool,
    },
}

/// All that [`walk`] showed.
#[derive(Default)]
pub(crate) struct Walked {
    /// How much that is.
    pub total: DiffStats,
    /// Paths that cannot be read, by the names of their repos.
    pub left_out: Vec<(String, LeftOut)>,
}

/// Shows what a run has changed, file by file: ten thousand need no more memory than one. Blocks.
///
/// # Errors
/// A conflict when the state of a repository does not allow a look; what `show` says.
pub(crate) fn walk(
    repos: Vec<RunRepo>,
    show: &mut dyn FnMut(Change<'_>) -> io::Result<()>,
) -> Result<Walked, OperationError> {
    let mut walked = Walked::default();
    for repo in repos {
        let name = repo.name.clone();
        let repo = repo.on_own_base().map_err(|error| fault(&name, error))?;
        show(Change::Repo(&repo)).map_err(OperationError::failed)?;
        let changed = git::changes(repo.of(&repo.at()), &mut |file| {
            show(Change::File(&file)).map_err(|source| GitError::Io {
                doing: "passing a change on",
                source,
            })
        });
        let changed = changed.map_err(|error| fault(&name, error))?;
        walked.total.add(changed.total);
        let left_out = changed.left_out.into_iter();
        walked
            .left_out
            .extend(left_out.map(|left| (name.clone(), left)));
        let uncommitted = changed.uncommitted;
        show(Change::RepoEnd { uncommitted }).map_err(OperationError::failed)?;
    }
    Ok(walked)
}
