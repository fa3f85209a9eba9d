//! Hook payloads that the hook program kept while the server was away.
//!
//! Each file is one delivery, named `<time>-<delivery uuid>[.<callers>].json`, so that their order,
//! their identity and who called survive. A file goes only after its events are durable.

use crate::{cli::payload, files, runtime::messages::Delivery};
use serde_json::Value;
use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};
use uuid::Uuid;

/// The hook program keeps no larger one.
const PAYLOAD_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// A folder that changes after so long has another time of change than before, on file systems
/// that count whole seconds, too.
const SETTLES: Duration = Duration::from_millis(2500);

/// What is known of a spool folder, so that it is not listed for every hook that comes: listing
/// it wakes who watches it.
#[derive(Default)]
pub(in crate::runtime) struct Known {
    /// The folder, held open: asking it is cheaper than looking for it by its path.
    folder: Option<File>,
    /// The last time that it was listed.
    listed: Option<Listing>,
}

struct Listing {
    /// The folder's time of change then.
    changed: SystemTime,
    /// When that was first seen.
    since: Instant,
    /// It was listed so long after that change that a later one would show.
    settled: bool,
}

impl Known {
    /// As [`waiting`]; nothing when the folder is as it was at the last call.
    pub(crate) fn new_ones(&mut self, run_dir: &Path) -> io::Result<Vec<PathBuf>> {
        let Some(changed) = self.changed(run_dir)? else {
            return Ok(Vec::new());
        };
        let since = match &self.listed {
            Some(last) if last.changed == changed && last.settled => return Ok(Vec::new()),
            Some(last) if last.changed == changed => last.since,
            Some(_) | None => Instant::now(),
        };
        let settled = since.elapsed() >= SETTLES;
        let waiting = waiting(run_dir)?;
        self.listed = Some(Listing {
            changed,
            since,
            settled,
        });
        Ok(waiting)
    }

    /// The folder's time of change; none when there is no folder.
    fn changed(&mut self, run_dir: &Path) -> io::Result<Option<SystemTime>> {
        if let Some(folder) = &self.folder {
            let found = folder.metadata()?;
            // One that was removed has no name any more.
            if found.nlink() > 0 {
                return found.modified().map(Some);
            }
        }
        self.folder = match files::folder(&folder(run_dir)) {
            Ok(folder) => Some(folder),
            Err(error) if files::is_absent(&error) => None,
            Err(error) => return Err(error),
        };
        let Some(folder) = &self.folder else {
            return Ok(None);
        };
        folder.metadata()?.modified().map(Some)
    }
}

/// The spool folder of a run folder.
pub(in crate::runtime) fn folder(run_dir: &Path) -> PathBuf {
    run_dir.join("spool")
}

/// The files of kept deliveries, oldest first. An absent folder is an empty one.
pub(in crate::runtime) fn waiting(run_dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match files::list(&folder(run_dir)) {
        Ok(entries) => entries,
        Err(error) if files::is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        let named = path
            .extension()
            .is_some_and(|extension| extension == "json");
        // What is no file is no delivery, and stays.
        if named && entry.file_type()?.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Whether there are any.
pub(in crate::runtime) fn is_empty(run_dir: &Path) -> bool {
    waiting(run_dir).is_ok_and(|paths| paths.is_empty())
}

/// Reads one; none for what is no file that the hook program wrote.
pub(in crate::runtime) fn read(path: &Path) -> Option<Delivery> {
    let bytes = files::read(path, PAYLOAD_BYTES_MAX).ok()?;
    let object = payload::object(&bytes);
    let object = object.unwrap_or_else(|why| payload::kept_raw(&bytes, &why));
    let named = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .and_then(|stem| stem.split_once('-'))
        .map(|(_, named)| named.split_once('.').unwrap_or((named, "")));
    let callers = named.and_then(|(_, callers)| callers.parse().ok());
    Some(Delivery {
        id: named.and_then(|(id, _)| Uuid::try_parse(id).ok()),
        payload: Value::Object(object),
        callers: callers.unwrap_or_default(),
        waits: false,
    })
}

/// Takes away a file whose events are durable.
pub(in crate::runtime) fn taken(path: &Path) {
    crate::fault::point("spool.before_remove");
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        log::warn!("Could not remove a spooled hook that is already recorded: {error}.");
    }
    crate::fault::point("spool.after_remove");
}

/// Sets a file aside that is no hook, so that it is not read for ever and not lost.
pub(in crate::runtime) fn set_aside(path: &Path) {
    if let Err(error) = fs::rename(path, path.with_extension("rejected")) {
        log::warn!("Could not set aside a spooled file that is not a hook: {error}.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_listed_until_its_time_of_change_says_enough() {
        let run = tempfile::tempdir().unwrap();
        let put = |name: &str| fs::write(folder(run.path()).join(name), "{}").unwrap();
        let mut known = Known::default();
        assert!(known.new_ones(run.path()).unwrap().is_empty());
        fs::create_dir(folder(run.path())).unwrap();
        put("1.json");
        assert_eq!(known.new_ones(run.path()).unwrap().len(), 1);
        // As long as a change might not show, it is listed.
        assert_eq!(known.new_ones(run.path()).unwrap().len(), 1);
        let state = known.listed.as_mut().unwrap();
        state.since -= SETTLES;
        assert_eq!(known.new_ones(run.path()).unwrap().len(), 1);
        assert!(known.listed.as_ref().unwrap().settled);
        assert!(known.new_ones(run.path()).unwrap().is_empty());
        put("2.json");
        assert_eq!(known.new_ones(run.path()).unwrap().len(), 2);
        assert!(!known.listed.as_ref().unwrap().settled);
        fs::remove_file(folder(run.path()).join("1.json")).unwrap();
        assert_eq!(known.new_ones(run.path()).unwrap().len(), 1);
        // One that is made anew is another one.
        fs::remove_dir_all(folder(run.path())).unwrap();
        assert!(known.new_ones(run.path()).unwrap().is_empty());
        fs::create_dir(folder(run.path())).unwrap();
        put("3.json");
        assert_eq!(known.new_ones(run.path()).unwrap().len(), 1);
    }
}
