//! What a run changed.

use super::{OperationError, blocking, read};
use crate::{
    domain::{
        RunId,
        run::event::{LeftOut, WorktreeAt},
    },
    git::{self, ChangesOf, ErrorKind, GitError},
    runtime::Runtime,
    store::RunRepo,
};
use std::{io, sync::Arc};

pub(crate) use git::{DiffStats, FileChange, FileStatus};

/// A repo of a run, and the last checkpoint of it.
pub(crate) struct Compared {
    repo: RunRepo,
    checkpoint: Option<String>,
}

impl Compared {
    /// Itself, with the base commit that leaves the run's own changes.
    fn on_own_base(mut self) -> Result<Self, GitError> {
        let repo = &mut self.repo;
        let source = repo.source.as_deref();
        repo.base_commit = git::own_base(&repo.at(), &repo.repo_path, &repo.base_commit, source)?;
        Ok(self)
    }

    fn of<'a>(&'a self, at: &'a WorktreeAt) -> ChangesOf<'a> {
        ChangesOf {
            at,
            repo_path: &self.repo.repo_path,
            base_commit: &self.repo.base_commit,
            checkpoint: self.checkpoint.as_deref(),
        }
    }
}

/// The repos of a run.
///
/// # Errors
/// `Unknown` run; when the database fails.
pub(super) async fn repos(runtime: &Runtime, id: RunId) -> Result<Vec<RunRepo>, OperationError> {
    let run = read(runtime, move |reader| reader.run_repos(id)).await?;
    Ok(run.ok_or(OperationError::Unknown("run"))?.repos)
}

/// The repos of a run, to be compared with their base commits.
///
/// # Errors
/// Those of [`repos`].
pub(crate) async fn compared(
    runtime: &Runtime,
    id: RunId,
) -> Result<Vec<Compared>, OperationError> {
    let repos = repos(runtime, id).await?;
    let kept = read(runtime, move |reader| reader.checkpoints(id)).await?;
    let last = |repo: &RunRepo| {
        let mut kept = kept.iter().rev().flat_map(|kept| &kept.repos);
        let last = kept.find(|kept| kept.repo_id == repo.repo_id)?;
        Some(last.commit.clone())
    };
    let compared = repos.into_iter().map(|repo| Compared {
        checkpoint: last(&repo),
        repo,
    });
    Ok(compared.collect())
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
    let repos = compared(runtime, id).await?;
    let shared = Arc::clone(&runtime.shared);
    let counted = blocking(move || {
        let mut total = DiffStats::default();
        for repo in repos {
            let name = repo.repo.name.clone();
            let stats = repo
                .on_own_base()
                .and_then(|repo| shared.stats.diff_stats(repo.of(&repo.repo.at())));
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
    /// It has no more; `uncommitted` when its worktree holds something that no commit of its branch has.
    RepoEnd { uncommitted: bool },
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
    repos: Vec<Compared>,
    show: &mut dyn FnMut(Change<'_>) -> io::Result<()>,
) -> Result<Walked, OperationError> {
    let mut walked = Walked::default();
    for repo in repos {
        let name = repo.repo.name.clone();
        let repo = repo.on_own_base().map_err(|error| fault(&name, error))?;
        show(Change::Repo(&repo.repo)).map_err(OperationError::failed)?;
        let changed = git::changes(repo.of(&repo.repo.at()), &mut |file| {
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
