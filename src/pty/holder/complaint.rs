//! What a holder could not carry out, one line each in `holder.log`.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

/// A holder says no more than so many bytes: it may live for weeks beside something that fails.
const BYTES_MAX: u64 = 1024 * 1024;

/// Writes a line; on a disk that takes none it is lost. (`eprintln!` would panic, and a holder that
/// ends takes its CLI along.)
pub(super) fn complain(line: impl Display) {
    static SAID: AtomicU64 = AtomicU64::new(0);
    let line = format!("{line}\n");
    let said = SAID.fetch_add(line.len() as u64, Ordering::Relaxed);
    if said < BYTES_MAX {
        io::stderr().lock().write_all(line.as_bytes()).ok();
    }
}
