//! File notification: which run's spool or transcript grew.
//!
//! One watcher for the whole server. Changes of one run between two looks are one look.

use crate::domain::RunId;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::mpsc;

/// Runs waiting to be looked at; each stands in it once.
const QUEUE_LEN_MAX: usize = 1024;

/// The watcher.
pub(super) struct Watch {
    watcher: Mutex<RecommendedWatcher>,
    table: Arc<Mutex<Table>>,
}

#[derive(Default)]
struct Table {
    runs: HashMap<PathBuf, RunId>,
    /// Told already and not looked at yet.
    told: HashSet<RunId>,
}

fn lock(table: &Mutex<Table>) -> std::sync::MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    /// Starts it; changed runs come out of the receiver.
    pub fn start() -> notify::Result<(Self, mpsc::Receiver<RunId>)> {
        let (changed, runs) = mpsc::channel(QUEUE_LEN_MAX);
        let table: Arc<Mutex<Table>> = Arc::default();
        let seen = Arc::clone(&table);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            if event.kind.is_access() {
                return;
            }
            for path in &event.paths {
                let mut table = lock(&seen);
                let folder = path.parent();
                let known = table
                    .runs
                    .get(path)
                    .or_else(|| table.runs.get(folder?))
                    .copied();
                if let Some(run_id) = known
                    && table.told.insert(run_id)
                    && changed.try_send(run_id).is_err()
                {
                    table.told.remove(&run_id);
                }
            }
        })?;
        Ok((
            Self {
                watcher: Mutex::new(watcher),
                table,
            },
            runs,
        ))
    }

    /// Watches a file or folder (not what lies below its folders) for a run. Returns false when
    /// it is not there yet.
    pub fn add(&self, run_id: RunId, path: &Path) -> bool {
        if lock(&self.table).runs.contains_key(path) {
            return true;
        }
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        if watcher.watch(path, RecursiveMode::NonRecursive).is_err() {
            return false;
        }
        lock(&self.table).runs.insert(path.to_owned(), run_id);
        true
    }

    /// Watches nothing more for a run.
    pub fn remove(&self, run_id: RunId) {
        let paths: Vec<PathBuf> = {
            let mut table = lock(&self.table);
            let paths = table
                .runs
                .iter()
                .filter(|(_, of)| **of == run_id)
                .map(|(path, _)| path.clone());
            let paths = paths.collect::<Vec<_>>();
            for path in &paths {
                table.runs.remove(path);
            }
            table.told.remove(&run_id);
            paths
        };
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        for path in paths {
            // A path that vanished is no longer watched either.
            drop(watcher.unwatch(&path));
        }
    }

    /// The run is being looked at: a change from now on is told again.
    pub fn looked(&self, run_id: RunId) {
        lock(&self.table).told.remove(&run_id);
    }
}
