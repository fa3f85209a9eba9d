//! Hook payloads that the hook program kept while the server was away.
//!
//! Each file is one delivery, named `<time>-<delivery uuid>.json`, so that their order and their
//! identity survive. A file goes only after its events are durable.

use serde_json::Value;
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use uuid::Uuid;

/// Most files taken in at one look; the rest follows at the next.
const FILES_MAX: usize = 256;

/// A kept delivery.
pub(super) struct Spooled {
    pub path: PathBuf,
    pub delivery: Option<Uuid>,
    /// None for a file that is no JSON object: it is set aside.
    pub payload: Option<Value>,
}

/// The spool folder of a run folder.
pub(super) fn folder(run_dir: &Path) -> PathBuf {
    run_dir.join("spool")
}

/// Kept deliveries, oldest first. An absent folder is an empty one.
pub(super) fn waiting(run_dir: &Path) -> io::Result<Vec<Spooled>> {
    let entries = match fs::read_dir(folder(run_dir)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            paths.push(path);
        }
    }
    paths.sort();
    paths.truncate(FILES_MAX);
    Ok(paths.into_iter().map(read).collect())
}

fn read(path: PathBuf) -> Spooled {
    let delivery = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .and_then(|stem| stem.split_once('-'))
        .and_then(|(_, id)| Uuid::try_parse(id).ok());
    let payload = fs::read(&path)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
        .filter(Value::is_object);
    Spooled {
        path,
        delivery,
        payload,
    }
}

/// Takes away a file whose events are durable.
pub(super) fn taken(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        log::warn!("A spooled hook that is recorded could not be removed: {error}.");
    }
}

/// Sets a file aside that is no hook, so that it is not read for ever and not lost.
pub(super) fn set_aside(path: &Path) {
    if let Err(error) = fs::rename(path, path.with_extension("rejected")) {
        log::warn!("A spooled file that is no hook could not be set aside: {error}.");
    }
}
