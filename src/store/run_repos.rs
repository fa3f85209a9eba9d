//! What the read model and the log say of runs' repos, for those who work in them.

use super::{Reader, RunFilter, StoreError, query::decode_json};
use crate::domain::{
    ProjectId, RepoId, RunId, Time,
    run::{
        Event,
        event::{CheckpointAt, WorktreeAt},
    },
};
use serde::Deserialize;
use std::path::PathBuf;

/// A run with its repos.
#[derive(Deserialize)]
pub(crate) struct RunRepos {
    pub id: RunId,
    pub status: String,
    pub run_branch: String,
    pub repos: Vec<RunRepo>,
}

/// A repo of a run.
#[derive(Deserialize)]
pub(crate) struct RunRepo {
    pub repo_id: RepoId,
    pub name: String,
    /// The user's checkout.
    pub repo_path: PathBuf,
    /// None while there is none.
    pub worktree: Option<PathBuf>,
    /// The branch with the run's work.
    pub branch: String,
    /// The commit that its changes are compared with.
    pub base_commit: String,
    /// The branch that the run came from.
    #[serde(default)]
    pub source: Option<String>,
}

impl RunRepo {
    /// Its worktree, with an empty path when there is none.
    pub(crate) fn at(&self) -> WorktreeAt {
        WorktreeAt {
            repo_id: self.repo_id,
            name: self.name.clone(),
            worktree: self.worktree.clone().unwrap_or_default(),
            branch: self.branch.clone(),
        }
    }
}

/// A checkpoint of a run.
pub(crate) struct StoredCheckpoint {
    /// Counts from 1.
    pub number: u32,
    /// Why it was taken.
    pub reason: String,
    pub created_at: Time,
    /// Its commits.
    pub repos: Vec<CheckpointAt>,
}

fn parse(view: &str) -> Result<RunRepos, StoreError> {
    decode_json(view)
}

impl Reader {
    /// A run with its repos; nothing for an unknown one.
    pub(crate) fn run_repos(&self, id: RunId) -> Result<Option<RunRepos>, StoreError> {
        self.run_view(id)?.map(|view| parse(&view)).transpose()
    }

    /// All runs with their repos, or those of one project, newest first.
    pub(crate) fn runs_repos(
        &self,
        project_id: Option<ProjectId>,
    ) -> Result<Vec<RunRepos>, StoreError> {
        let filter = RunFilter {
            project_id,
            ..RunFilter::default()
        };
        self.runs(&filter)?.iter().map(|view| parse(view)).collect()
    }

    /// Checkpoints of a run, oldest first.
    pub(crate) fn checkpoints(&self, id: RunId) -> Result<Vec<StoredCheckpoint>, StoreError> {
        let mut all = Vec::new();
        for stored in self.events_of_run(id, 0, None, Some("run.checkpointed"))? {
            if let Event::RunCheckpointed(kept) = stored.event()? {
                all.push(StoredCheckpoint {
                    number: kept.number,
                    reason: kept.reason,
                    created_at: stored.created_at,
                    repos: kept.repos,
                });
            }
        }
        Ok(all)
    }
}
