//! Which ended runs get their actor without being spoken to: those whose holder or late hooks still
//! wait.

use super::Registry;
use crate::{
    domain::RunId,
    pty,
    runtime::{
        run::{mailbox::Recover, spool},
        shared::Shared,
    },
};
use actix::Addr;
use std::{path::Path, sync::Arc};

/// Run folders that are checked before anything else of this thread pool may have its turn, or
/// the server its end.
const LOOKED_AT_ONCE: usize = 256;

/// As the log names the work.
const DOING: &str = "check the leftovers of ended runs";

/// Removes folders of deleted runs that a crash left, and has the actors of ended runs built whose
/// holder still waits, or whose spool holds hooks that came late.
///
/// It continues while the server serves, so that a start does not last longer the more runs have
/// ended: who speaks to such a run meanwhile has its actor built, which does the same first.
pub(in crate::runtime) async fn release_holders(shared: Arc<Shared>, registry: Addr<Registry>) {
    let listed = shared.blocking(DOING, |shared| {
        let runs = shared.config.data_dir.join("runs");
        name_strays(shared, &runs);
        run_ids_in(&runs)
    });
    for some in listed.await.unwrap_or_default().chunks(LOOKED_AT_ONCE) {
        let mut some = some.to_vec();
        let left = shared.blocking(DOING, move |shared| {
            some.retain(|id| is_left(shared, *id));
            some
        });
        for run_id in left.await.unwrap_or_default() {
            if let Err(error) = registry.send(Recover { run_id }).await {
                log::debug!(run_id:%; "Could not resume run {run_id}: {error}.");
            }
        }
    }
}

/// Says which holders are of no run.
fn name_strays(shared: &Shared, runs: &Path) {
    for holder in pty::holders(runs).unwrap_or_default() {
        let known = holder.run_id().map(RunId);
        if known.is_none_or(|id| shared.reader.run_exists(id).is_ok_and(|known| !known)) {
            let (pid, path) = (holder.pid, holder.run_dir.display());
            log::warn!(pid; "Found a holder without a run ({path}); `abbado doctor` says how to end it.");
        }
    }
}

/// The runs that have a folder.
fn run_ids_in(runs: &Path) -> Vec<RunId> {
    let Ok(entries) = std::fs::read_dir(runs) else {
        return Vec::new();
    };
    let id = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    entries.flatten().filter_map(id).collect()
}

/// Whether a run's holder or its late hooks wait for its actor. The folder of a deleted run goes.
fn is_left(shared: &Shared, run_id: RunId) -> bool {
    match shared.reader.is_deleted(run_id) {
        Ok(false) => {
            let folder = shared.run_dir(run_id);
            pty::has_socket(&folder) || !spool::is_empty(&folder)
        }
        Ok(true) => {
            shared.remove_run_dir(run_id);
            false
        }
        Err(error) => {
            log::warn!(run_id:%; "Could not resume run {run_id}: {error}.");
            false
        }
    }
}
