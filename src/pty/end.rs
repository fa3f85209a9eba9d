//! Holders as processes: which ones live, and ending one that cannot be spoken with.
//!
//! Every holder, whatever it speaks, ends its tree on SIGTERM and leaves word of it in the run
//! folder. Holds: only a process that listens on the run's own socket, or that has the run's lock
//! open, is taken for its holder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::PtyError;
use super::process_tree::{self, Process};
use super::run_files::{self, LockState, own_uid};

/// How long a killed process may take to go.
const KILL_WAIT: Duration = Duration::from_secs(5);
/// Between two looks at the lock.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Ends the holder that has the run's lock: SIGTERM, after `wait` SIGKILL. Returns when the lock is
/// free; what a killed one leaves, [`process_tree::end_leftovers`] ends.
///
/// # Errors
/// When nobody listens on the run's socket, it is not ours, or `Timeout` when it cannot be killed.
pub(crate) async fn end_holder(run_dir: &Path, wait: Duration) -> Result<(), PtyError> {
    let holder = listener(run_dir).await?;
    process_tree::terminate(&[holder]);
    if timeout(wait, until_free(run_dir)).await.is_ok() {
        return Ok(());
    }
    process_tree::kill_one(holder);
    let free = timeout(KILL_WAIT, until_free(run_dir)).await;
    free.map_err(|_| PtyError::Timeout)?
}

/// The process that listens on the run's socket, also when it is stopped.
async fn listener(run_dir: &Path) -> Result<Process, PtyError> {
    let path = run_files::find_socket(run_dir)?.ok_or(PtyError::NotListening)?;
    let peer = UnixStream::connect(path).await?.peer_cred()?;
    if peer.uid() != own_uid() {
        return Err(PtyError::Foreign);
    }
    let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok());
    pid.and_then(process_tree::process).ok_or(PtyError::Closed)
}

/// Whether a holder has the run's lock.
#[must_use]
pub(crate) fn is_held(run_dir: &Path) -> bool {
    run_files::lock_state(run_dir).is_ok_and(|state| state == LockState::Held)
}

async fn until_free(run_dir: &Path) -> Result<(), PtyError> {
    while run_files::lock_state(run_dir)? == LockState::Held {
        sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

/// A holder, found by its lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivingHolder {
    /// Its process id.
    pub pid: u32,
    /// The run folder that it works in, or worked in before somebody removed it.
    pub run_dir: PathBuf,
}

impl LivingHolder {
    /// The run, as the folder is named.
    #[must_use]
    pub fn run_id(&self) -> Option<Uuid> {
        self.run_dir.file_name()?.to_str()?.parse().ok()
    }
}

/// Lists this user's holders of run folders in `runs`, those whose folder is gone included.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn holders(runs: &Path) -> io::Result<Vec<LivingHolder>> {
    // The kernel names files by their real paths.
    let runs = fs::canonicalize(runs)?;
    let mut found = Vec::new();
    for pid in process_tree::numbers("/proc")? {
        if process_tree::is_ours(pid)
            && let Some(run_dir) = lock_of(pid, &runs)
        {
            found.push(LivingHolder { pid, run_dir });
        }
    }
    Ok(found)
}

/// Asks a holder to end whose run folder no longer exists, so that its socket cannot be found.
///
/// # Errors
/// When `/proc` cannot be read.
pub(crate) fn end_stray(run_dir: &Path) -> io::Result<()> {
    let Some((runs, name)) = run_dir.parent().zip(run_dir.file_name()) else {
        return Ok(());
    };
    let of_run = holders(runs)?
        .into_iter()
        .filter(|holder| holder.run_dir.file_name() == Some(name));
    let strays: Vec<_> = of_run
        .filter_map(|it| process_tree::process(it.pid))
        .collect();
    process_tree::terminate(&strays);
    Ok(())
}

/// The run folder whose lock a holder has open. One whose program was replaced is one all the same.
fn lock_of(pid: u32, runs: &Path) -> Option<PathBuf> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    if !line.ends_with(b"\0holder\0") {
        return None;
    }
    let files = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
    let mut targets = files.filter_map(|file| fs::read_link(file.path()).ok());
    targets.find_map(|target| {
        let name = target.file_name()?.to_str()?;
        let is_lock = name.strip_suffix(" (deleted)").unwrap_or(name) == run_files::LOCK;
        let run_dir = target.parent()?;
        (is_lock && run_dir.parent()? == runs).then(|| run_dir.to_owned())
    })
}
