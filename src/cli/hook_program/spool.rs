//! The spool: payloads that did not reach the server, one file each, in the order of their names.
//!
//! # Crash
//! A file is written under another name, synced and renamed: the server finds it complete or not at
//! all. Leftovers start with a dot and are not spool entries.

use crate::domain::run::callers::Callers;
use crate::files;
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// Name of the spool in the run folder.
pub(super) const SPOOL: &str = "spool";

/// Writes the payload as `<nanoseconds since 1970, 20 digits>-<delivery>[.<callers>].json`.
///
/// # Errors
/// When it cannot be written: then it is lost.
pub(super) fn keep(
    run_dir: &Path,
    payload: &[u8],
    delivery: Uuid,
    callers: &Callers,
) -> io::Result<()> {
    let folder = run_dir.join(SPOOL);
    if files::make_folder(&folder)? {
        files::folder(run_dir)?.sync_all()?;
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "a program of its own, outside the runtime"
    )]
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let aside = folder.join(format!(".{delivery}.new"));
    let mut file = files::make(&aside)?;
    let written = file.write_all(payload).and_then(|()| file.sync_all());
    if let Err(error) = written {
        // Half a payload is of no use; free its space.
        std::fs::remove_file(&aside)?;
        return Err(error);
    }
    let dot = if callers.is_empty() { "" } else { "." };
    let name = format!("{:020}-{delivery}{dot}{callers}.json", now.as_nanos());
    std::fs::rename(&aside, folder.join(name))?;
    files::folder(&folder)?.sync_all()
}
