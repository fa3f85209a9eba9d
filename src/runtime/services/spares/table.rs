//! The worktrees that are ready, and what is left of those that were.

use crate::{
    domain::{RepoId, Time},
    git::Spare,
};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// What is kept, by repo.
#[derive(Default)]
pub(crate) struct Spares {
    state: Mutex<State>,
    pub(super) wake: Notify,
}

#[derive(Default)]
pub(super) struct State {
    pub kept: HashMap<RepoId, Kept>,
    /// Folders of those that runs took, with what is left in them.
    pub used: Vec<PathBuf>,
}

/// What there is for a repo.
pub(super) enum Kept {
    Ready {
        spare: Arc<Spare>,
        since: Time,
    },
    /// None, until its next run.
    Resting,
}

impl Spares {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are ready.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        let state = self.state();
        let ready = |kept: &&Kept| matches!(kept, Kept::Ready { .. });
        state.kept.values().filter(ready).count()
    }

    /// Projects or their repos are others now.
    pub(crate) fn projects_changed(&self) {
        let resting = |_: &RepoId, kept: &mut Kept| !matches!(kept, Kept::Resting);
        self.state().kept.retain(resting);
        self.wake.notify_one();
    }

    /// Gives what is ready for a run that begins; nobody else gets it.
    pub(crate) fn take(&self, repo: RepoId) -> Option<Arc<Spare>> {
        match self.state().kept.remove(&repo)? {
            Kept::Ready { spare, .. } => Some(spare),
            Kept::Resting => None,
        }
    }

    /// Runs have what they took; others may be made.
    pub(crate) fn taken(&self, spares: impl IntoIterator<Item = Arc<Spare>>) {
        let folders = spares.into_iter().map(|spare| spare.folder().to_owned());
        self.state().used.extend(folders);
        self.wake.notify_one();
    }
}
