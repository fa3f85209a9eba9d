//! What callers request and no run's actor decides alone: projects with their repositories,
//! agents, new runs, branches, pull requests, what a run changed, terminals, settings, folders to choose from.
//!
//! One file a resource. Each operation checks the rules, does the work (git and files on threads
//! that may block), stores the outcome, and answers with a typed value or an [`OperationError`].

pub(crate) mod agents;
pub(crate) mod approvals;
pub(crate) mod branches;
pub(crate) mod changes;
pub(crate) mod error;
pub(crate) mod folders;
pub(crate) mod hooks;
pub(crate) mod output;
pub(crate) mod projects;
pub(crate) mod pull_requests;
pub(crate) mod runs;
pub(crate) mod settings;
pub(crate) mod terminals;

pub(crate) use error::OperationError;

use super::{Runtime, clock, messages::Key};
use crate::{
    domain::{Project, ProjectId},
    store::{Idempotent, Reader, StoreError},
};
use serde::Serialize;

/// Does something that blocks.
async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, OperationError> {
    let done = tokio::task::spawn_blocking(job).await;
    done.map_err(OperationError::failed)
}

/// Reads from the store, as [`super::reads`] does.
async fn read<T, Q>(runtime: &Runtime, query: Q) -> Result<T, OperationError>
where
    T: Send + 'static,
    Q: FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
{
    let read = runtime.shared.reads.begin(query).await;
    Ok(read.map_err(OperationError::failed)??)
}

/// A project that exists.
async fn project(runtime: &Runtime, id: ProjectId) -> Result<Project, OperationError> {
    let project = read(runtime, move |reader| reader.project(id)).await?;
    project.ok_or(OperationError::Unknown("project"))
}

fn no_repo(project: &Project) -> OperationError {
    let why = format!("Project '{}' has no repo yet; add one first.", project.name);
    OperationError::conflict(why)
}

/// What the store remembers of a first answer, in the form in which callers get it.
fn record(key: Key, answer: &impl Serialize) -> Result<Option<Idempotent>, OperationError> {
    Ok(key.map(|key| key.with_answer(answer)).transpose()?)
}

impl Runtime {
    /// Remembers the answer of a write that could not carry its key along.
    pub(crate) async fn remember(&self, key: Key, answer: &impl Serialize) {
        let Some(key) = key else { return };
        let writer = &self.shared.writer;
        let remembered = match key.with_answer(answer) {
            Ok(record) => writer.remember(record, clock::now()).await,
            Err(error) => Err(error),
        };
        if let Err(error) = remembered {
            log::warn!("Could not store the answer to an Idempotency-Key: {error}.");
        }
    }
}
