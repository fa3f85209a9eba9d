//! Files that are too large to be read: they are reported, and left alone.
//!
//! A sparse file can be of any length, and git would read all of it. The bound is far above what
//! repositories have, and low enough for git to read one such file within its time limit.

use super::GitError;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Longest file that is kept, compared or committed: 4 GiB.
pub(super) const FILE_BYTES_MAX: u64 = if cfg!(test) { 1 << 23 } else { 1 << 32 };

/// Longest `.gitignore`, in bytes: git reads it into memory before anything else.
const RULES_BYTES_MAX: u64 = 100 << 20;

/// Whether git would read a file of rules of that name and length that is too large. It skips other
/// files of rules of that size by itself.
pub(super) fn are_endless_rules(name: &[u8], len: u64) -> bool {
    name == b".gitignore" && len > RULES_BYTES_MAX
}

/// The refusal to start git while there is such a file.
pub(super) fn endless_rules(path: &[u8]) -> GitError {
    let path = String::from_utf8_lossy(path);
    let mib = RULES_BYTES_MAX >> 20;
    GitError::TooMuch {
        what: format!(
            "'{path}' is larger than {mib} MiB, and git would read it completely; remove it"
        ),
    }
}

/// Why a file is left out.
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

/// Whether a plain file of that length is too large.
pub(super) const fn is_large(len: u64) -> bool {
    len > FILE_BYTES_MAX
}

/// Whether there is a plain file at a path that is too large.
pub(super) fn stands_at(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && is_large(found.len()))
}

/// Paths of too large files below a folder, relative to it and in any order; links are not followed.
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
