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

/// Gives the log, when it can be read.
pub(super) fn look(config: &Config, report: &mut Report) -> Option<Reader> {
    let data_dir = &config.data_dir;
    if !data_dir.exists() {
        report.fine(format!(
            "no data folder yet ({}): `abbado serve` makes it",
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
        report.mend(
            format!("database {} cannot be written ({error})", path.display()),
            "no run can start until it can; look at the mount and the disk",
        );
    }
    opened(&location, report)
}

fn opened(location: &Location, report: &mut Report) -> Option<Reader> {
    let restore = "stop the server, and put a copy of it in its place";
    let reader = match store::look(location) {
        Ok(Some(reader)) => reader,
        Ok(None) => {
            report.fine("database of an older version: `abbado serve` brings it up to date");
            return None;
        }
        Err(error @ store::StoreError::Newer { .. }) => {
            report.mend(error, "install the newer abbado");
            return None;
        }
        Err(error) => {
            report.mend(format!("database cannot be read ({error})"), restore);
            return None;
        }
    };
    match reader
        .damage()
        .and_then(|damage| Ok((damage, reader.live_runs()?)))
    {
        Ok((None, live)) => {
            report.fine(format!("database is whole; {} runs are live", live.len()));
            Some(reader)
        }
        Ok((Some(damage), _)) => {
            report.mend(format!("database is damaged ({damage})"), restore);
            Some(reader)
        }
        Err(error) => {
            report.mend(format!("database cannot be read ({error})"), restore);
            None
        }
    }
}

/// Something of ours that nobody else may look at.
fn private(what: &str, path: &Path, mode: u32, report: &mut Report) {
    let shown = path.display();
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) => {
            return report.mend(
                format!("{what} {shown} ({error})"),
                "look at its permissions",
            );
        }
    };
    let found_mode = found.permissions().mode() & 0o777;
    let quoted = quoted(path);
    if found.uid() != nix::unistd::geteuid().as_raw() {
        let how = format!("run `chown -R \"$USER\" {quoted}` as its present owner or root");
        report.mend(format!("{what} {shown} is another user's"), how);
    } else if found_mode != mode {
        let trouble = format!("{what} {shown} has mode {found_mode:o}, not {mode:o}");
        report.mend(trouble, format!("run `chmod {mode:o} {quoted}`"));
    } else {
        report.fine(format!("{what} {shown} is yours alone (mode {mode:o})"));
    }
}
