//! File notification: which run's spool or transcript grew.
//!
//! One watcher for the whole server. Changes of one run between two looks are one look. What the
//! kernel does not watch, since the user's instances or watches of inotify are used up, is looked
//! at every two seconds.

use crate::domain::RunId;
use notify::{PollWatcher, RecommendedWatcher, RecursiveMode, Watcher};
use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::mpsc;

/// Runs waiting to be looked at; each stands in it once.
const QUEUE_LEN_MAX: usize = 1024;

/// Between two looks at what the kernel does not watch.
const LOOK: Duration = Duration::from_secs(2);

/// The watcher.
pub(in crate::runtime) struct Watch {
    watchers: Mutex<Watchers>,
    table: Arc<Mutex<Table>>,
}

struct Watchers {
    /// None when the user's instances of inotify are used up.
    kernel: Option<RecommendedWatcher>,
    /// Made for the first path that the kernel does not watch.
    poll: Option<PollWatcher>,
    changes: ChangeSender,
}

impl Watchers {
    /// Watches a path in the way that is to be had; false when there is none, or no such path.
    fn watch(&mut self, path: &Path) -> bool {
        let mode = RecursiveMode::NonRecursive;
        let error = match &mut self.kernel {
            Some(kernel) => match kernel.watch(path, mode) {
                Ok(()) => return true,
                Err(error) => Some(error),
            },
            None => None,
        };
        if !path.exists() {
            return false;
        }
        if self.poll.is_none() {
            if let Some(error) = error {
                log::warn!(
                    "The limit of file watches is reached ({error}; see fs.inotify.max_user_watches); other files are checked every {LOOK:?}."
                );
            }
            let config = notify::Config::default().with_poll_interval(LOOK);
            match PollWatcher::new(self.changes.clone(), config) {
                Ok(poll) => self.poll = Some(poll),
                Err(error) => {
                    log::error!("Cannot watch files for changes: {error}.");
                    return false;
                }
            }
        }
        let poll = self.poll.as_mut();
        poll.is_some_and(|poll| poll.watch(path, mode).is_ok())
    }

    fn unwatch(&mut self, path: &Path) {
        // Only one of them knows the path, and a path that vanished is no longer watched either.
        if let Some(kernel) = &mut self.kernel {
            drop(kernel.unwatch(path));
        }
        if let Some(poll) = &mut self.poll {
            drop(poll.unwatch(path));
        }
    }
}

/// Tells which runs a change concerns.
#[derive(Clone)]
struct ChangeSender {
    table: Arc<Mutex<Table>>,
    changed: mpsc::Sender<RunId>,
}

impl notify::EventHandler for ChangeSender {
    fn handle_event(&mut self, event: notify::Result<notify::Event>) {
        let Ok(event) = event else { return };
        if event.kind.is_access() {
            return;
        }
        let mut table = lock(&self.table);
        for run_id in table.concerned(&event) {
            if table.reported.insert(run_id) && self.changed.try_send(run_id).is_err() {
                table.reported.remove(&run_id);
            }
        }
    }
}

#[derive(Default)]
struct Table {
    /// Folders above a file that is not there yet may be several runs'.
    runs: HashMap<PathBuf, HashSet<RunId>>,
    /// Reported, and not looked at since.
    reported: HashSet<RunId>,
}

impl Table {
    /// Runs that a change concerns: of the path itself, or of its folder.
    fn concerned(&self, event: &notify::Event) -> HashSet<RunId> {
        // The kernel dropped changes: anything may have.
        if event.need_rescan() {
            return self.runs.values().flatten().copied().collect();
        }
        let paths = event.paths.iter();
        let known = paths.flat_map(|path| [Some(path.as_path()), path.parent()]);
        let runs = known.filter_map(|path| self.runs.get(path?));
        runs.flatten().copied().collect()
    }
}

fn lock(table: &Mutex<Table>) -> std::sync::MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    /// Starts it; changed runs come out of the receiver.
    pub(crate) fn start() -> (Self, mpsc::Receiver<RunId>) {
        Self::with(notify::recommended_watcher)
    }

    fn with(
        kernel: impl FnOnce(ChangeSender) -> notify::Result<RecommendedWatcher>,
    ) -> (Self, mpsc::Receiver<RunId>) {
        let (changed, runs) = mpsc::channel(QUEUE_LEN_MAX);
        let table: Arc<Mutex<Table>> = Arc::default();
        let changes = ChangeSender {
            table: Arc::clone(&table),
            changed,
        };
        let kernel = kernel(changes.clone())
            .inspect_err(|error| {
                log::warn!("No inotify instance is available ({error}; see fs.inotify.max_user_instances); files are checked every {LOOK:?}.");
            })
            .ok();
        let watchers = Mutex::new(Watchers {
            kernel,
            poll: None,
            changes,
        });
        (Self { watchers, table }, runs)
    }

    /// Watches a file or folder (not what lies below its folders) for a run. Of one that is not
    /// there yet the nearest folder above it is watched: to be called again when that changed.
    pub(crate) fn add(&self, run_id: RunId, path: &Path) {
        let mut reached: Option<&Path> = None;
        loop {
            let wanted = path.ancestors().take_while(|at| Some(*at) != reached);
            let Some(nearest) = wanted.into_iter().find(|at| self.watch(run_id, at)) else {
                return;
            };
            if nearest == path {
                return;
            }
            // What is below it may have come before it was watched.
            reached = Some(nearest);
        }
    }

    /// False when it is not there.
    fn watch(&self, run_id: RunId, path: &Path) -> bool {
        if let Some(runs) = lock(&self.table).runs.get_mut(path) {
            runs.insert(run_id);
            return true;
        }
        // Asking the watcher costs two changes of threads, and hooks name a transcript before it
        // is there.
        if !path.exists() {
            return false;
        }
        // In this order, so that no change between the two is lost.
        let first = {
            let mut table = lock(&self.table);
            let runs = table.runs.entry(path.to_owned()).or_default();
            let first = runs.is_empty();
            runs.insert(run_id);
            first
        };
        if !first {
            return true;
        }
        let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        let watched = watchers.watch(path);
        if !watched {
            lock(&self.table).runs.remove(path);
        }
        watched
    }

    /// Watches nothing more for a run.
    pub(crate) fn remove(&self, run_id: RunId) {
        let mut free = Vec::new();
        {
            let mut table = lock(&self.table);
            table.runs.retain(|path, runs| {
                if runs.remove(&run_id) && runs.is_empty() {
                    free.push(path.clone());
                }
                !runs.is_empty()
            });
            table.reported.remove(&run_id);
        }
        let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        for path in free {
            watchers.unwatch(&path);
        }
    }

    /// The run is being looked at: a change from now on is reported again.
    pub(crate) fn looked(&self, run_id: RunId) {
        lock(&self.table).reported.remove(&run_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    async fn told(runs: &mut mpsc::Receiver<RunId>) -> Option<RunId> {
        let wait = Duration::from_secs(10);
        tokio::time::timeout(wait, runs.recv()).await.ok().flatten()
    }

    #[tokio::test]
    async fn a_file_is_followed_from_before_its_folders_are_there() {
        followed(Watch::start()).await;
    }

    #[tokio::test]
    async fn without_inotify_a_file_is_looked_at() {
        let none = |_| Err(notify::Error::generic("none is left"));
        followed(Watch::with(none)).await;
    }

    async fn followed((watch, mut runs): (Watch, mpsc::Receiver<RunId>)) {
        let folder = tempfile::tempdir().unwrap();
        let (mine, other) = (
            RunId(uuid::Uuid::from_u128(1)),
            RunId(uuid::Uuid::from_u128(2)),
        );
        let path = folder.path().join("a/b/session.jsonl");
        watch.add(mine, &path);
        watch.add(other, &folder.path().join("c/d"));
        // Two runs wait in one folder: both are told, and look again.
        fs::create_dir(folder.path().join("a")).unwrap();
        let both = HashSet::from([told(&mut runs).await, told(&mut runs).await]);
        assert_eq!(both, HashSet::from([Some(mine), Some(other)]));
        watch.remove(other);
        fs::create_dir(folder.path().join("a/b")).unwrap();
        watch.looked(mine);
        watch.add(mine, &path);
        for text in ["one", "two", "three"] {
            fs::write(&path, text).unwrap();
            assert_eq!(told(&mut runs).await, Some(mine), "{text}");
            watch.looked(mine);
            watch.add(mine, &path);
        }
        watch.remove(mine);
        assert!(lock(&watch.table).runs.is_empty());
    }
}
