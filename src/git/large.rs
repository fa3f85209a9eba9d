//! Files that are too large to be read: they are named, and stay where they are.
//!
//! A file without contents can be of any length, and git would read all of it. The bound is far above
//! what repositories have, and low enough for git to be done with one such file in its time.

use super::GitError;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Longest file that is kept, compared or committed: 4 GiB.
pub(super) const FILE_BYTES_MAX: u64 = if cfg!(test) { 1 << 23 } else { 1 << 32 };

/// Longest `.gitignore`: git reads it into memory before it does anything else.
const RULES_BYTES_MAX: u64 = 100 << 20;

/// Whether git would choke on a file of rules of that name and length. It passes over others of this size
/// by itself.
pub(super) fn are_endless_rules(name: &[u8], len: u64) -> bool {
    name == b".gitignore" && len > RULES_BYTES_MAX
}

/// Refuses to start git beside such a file.
pub(super) fn endless_rules(path: &[u8]) -> GitError {
    let path = String::from_utf8_lossy(path);
    let mib = RULES_BYTES_MAX >> 20;
    GitError::TooMuch {
        what: format!(
            "'{path}' is larger than {mib} MiB, and git would read it completely; remove it"
        ),
    }
}

/// Why one is left out.
pub(super) fn why() -> String {
    format!("it is larger than {}", bound())
}

/// The bound as people read it.
pub(super) fn bound() -> String {
    match FILE_BYTES_MAX >> 30 {
        0 => format!("{} MiB", FILE_BYTES_MAX >> 20),
        gib => format!("{gib} GiB"),
    }
}

/// Whether a plain file of that length is.
pub(super) const fn is_large(len: u64) -> bool {
    len > FILE_BYTES_MAX
}

/// Whether a plain file that is too large stands at a path.
pub(super) fn stands_at(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && is_large(found.len()))
}

/// Paths of those below a folder, relative to it and in any order; no link is followed.
pub(super) fn below(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(items) = fs::read_dir(&folder) else {
            continue; // git says so
        };
        for item in items.flatten() {
            let path = item.path();
            if item.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if stands_at(&path) {
                found.extend(path.strip_prefix(root).map(Path::to_owned));
            }
        }
    }
    found
}
