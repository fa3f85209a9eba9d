//! The one place that draws ids and secrets.

use crate::domain::{AgentId, MessageId, ProjectId, RepoId, RunId};
use uuid::Uuid;

/// A run's id: random, since its first eight digits name its branch.
#[must_use]
pub(crate) fn run() -> RunId {
    RunId(random())
}

/// A project's id.
#[must_use]
pub(crate) fn project() -> ProjectId {
    ProjectId(Uuid::now_v7())
}

/// A repo's id.
#[must_use]
pub(crate) fn repo() -> RepoId {
    RepoId(Uuid::now_v7())
}

/// An agent's id.
#[must_use]
pub(crate) fn agent() -> AgentId {
    AgentId(Uuid::now_v7())
}

/// A message's id.
#[must_use]
pub(crate) fn message() -> MessageId {
    MessageId(Uuid::now_v7())
}

/// A random id, for sessions and ephemeral terminals.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the place the lint points to"
)]
pub(crate) fn random() -> Uuid {
    Uuid::new_v4()
}
