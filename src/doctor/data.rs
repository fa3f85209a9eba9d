//! The data folder and the database.

use super::{Report, quoted};
use crate::{
    config::Config,
    store::{self, Location, Reader},
};
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

/// Checks both; returns the log when it can be read.
pub(super) fn look(config: &Config, report: &mut Report) -> Option<Reader> {
    let data_dir = &config.data_dir;
    if !data_dir.exists() {
        report.fine(format!(
            "no data folder yet ({}); `abbado serve` creates it",
            data_dir.display()
        ));
        return None;
    }
    private("data folder", data_dir, 0o700, report);
    let location = Location::of(data_dir);
    let path = location.path();
    if !path.exists() {
        report.fine("no database yet");
        return None;
    }
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        if Path::new(&file).exists() {
            private("database", Path::new(&file), 0o600, report);
        }
    }
    if let Err(error) = fs::File::options().append(true).open(path) {
        report.fix(
            format!("database {} cannot be written ({error})", path.display()),
            "check the mount and the disk; no run can start until this is fixed",
        );
    }
    opened(&location, report)
}

fn opened(location: &Location, report: &mut Report) -> Option<Reader> {
    let restore = "stop the server and restore the database from a backup";
    let reader = match store::look(location) {
        Ok(Some(reader)) => reader,
        Ok(None) => {
            report.fine("database of an older version; `abbado serve` upgrades it");
            return None;
        }
        Err(error @ store::StoreError::Newer { .. }) => {
            report.fix(error, "install a newer abbado");
            return None;
        }
        Err(error) => {
            report.fix(format!("database cannot be read ({error})"), restore);
            return None;
        }
    };
    match reader
        .damage()
        .and_then(|damage| Ok((damage, reader.live_runs()?)))
    {
        Ok((None, live)) => {
            report.fine(format!("database is intact; {} live runs", live.len()));
            Some(reader)
        }
        Ok((Some(damage), _)) => {
            report.fix(format!("database is damaged ({damage})"), restore);
            Some(reader)
        }
        Err(error) => {
            report.fix(format!("database cannot be read ({error})"), restore);
            None
        }
    }
}

/// A file or folder that only its owner may read.
fn private(what: &str, path: &Path, mode: u32, report: &mut Report) {
    let shown = path.display();
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) => {
            return report.fix(format!("{what} {shown} ({error})"), "check its permissions");
        }
    };
    let found_mode = found.permissions().mode() & 0o777;
    let quoted = quoted(path);
    if found.uid() != nix::unistd::geteuid().as_raw() {
        let how = format!("run `chown -R \"$USER\" {quoted}` as its current owner or root");
        report.fix(format!("{what} {shown} belongs to another user"), how);
    } else if found_mode != mode {
        let trouble = format!("{what} {shown} has mode {found_mode:o}, not {mode:o}");
        report.fix(trouble, format!("run `chmod {mode:o} {quoted}`"));
    } else {
        report.fine(format!("{what} {shown} is private (mode {mode:o})"));
    }
}
