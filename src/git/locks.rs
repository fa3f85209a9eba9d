//! One lock a repository, around worktree add and remove and moves of refs.
//!
//! Two `git worktree add` at once can choose the same record, and a check that a branch is free
//! holds only while nobody else makes one. Held by the callers, since a job is often several calls.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Locks by the repository's real git folder ([`super::Inspected::git_dir`]). Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct RepoLocks {
    /// Bounded by the number of repositories in use: locks that nobody holds are dropped.
    locks: Arc<Mutex<HashMap<PathBuf, Arc<Mutex<()>>>>>,
}

impl RepoLocks {
    /// Runs `work` while holding the locks of all these repositories. They are taken in the order
    /// of their paths, so that two jobs never wait for each other; one named twice counts once.
    /// `work` must not ask for a lock itself.
    pub(crate) fn with<'p, T>(
        &self,
        git_dirs: impl IntoIterator<Item = &'p PathBuf>,
        work: impl FnOnce() -> T,
    ) -> T {
        let ordered: BTreeSet<&PathBuf> = git_dirs.into_iter().collect();
        let locks = ordered.into_iter().map(|git_dir| self.lock_of(git_dir));
        let locks: Vec<_> = locks.collect();
        // A panic while holding one leaves no state of ours behind, so poison means nothing.
        let held: Vec<_> = locks
            .iter()
            .map(|lock| lock.lock().unwrap_or_else(PoisonError::into_inner))
            .collect();
        let outcome = work();
        drop(held);
        drop(locks);
        self.forget_unused();
        outcome
    }

    fn lock_of(&self, git_dir: &Path) -> Arc<Mutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(locks.entry(git_dir.to_owned()).or_default())
    }

    fn forget_unused(&self) {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        // New holders take theirs under this very lock, so a count of one is nobody's.
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
    }
}

#[cfg(test)]
mod unit {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn holders_exclude_each_other_in_any_order() {
        let locks = RepoLocks::default();
        let inside = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for turn in 0..8 {
                let (locks, inside) = (locks.clone(), &inside);
                scope.spawn(move || {
                    let mut wanted = vec![PathBuf::from("/a"), PathBuf::from("/b")];
                    if turn % 2 == 0 {
                        wanted.reverse();
                    }
                    for _ in 0..100 {
                        locks.with(&wanted, || {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                            std::thread::yield_now();
                            inside.fetch_sub(1, Ordering::SeqCst);
                        });
                    }
                });
            }
        });
        assert!(locks.locks.lock().unwrap().is_empty());
    }
}
