//! Who may hold a lock file.
//!
//! A lock is held by a process that has it open, whatever program it is, and by a `git` or a user of
//! libgit2 that works in the repository: git closes a lock while its hooks and editors run.
//!
//! Not seen: processes of other machines and of containers that do not share `/proc`, and on macOS,
//! which has none, all of them. Where there is no `/proc` the lock's age alone counts.

use std::{
    ffi::OsStr,
    fs::{self, Metadata},
    io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use memchr::memmem;
use nix::unistd::geteuid;

/// Variables that say where a `git` works, and the option that does.
const PLACES: [&[u8]; 4] = [
    b"GIT_DIR=",
    b"GIT_WORK_TREE=",
    b"--git-dir=",
    b"--work-tree=",
];

/// Whether somebody may hold a lock; `folders` are those in which whoever does works. `None` when
/// that cannot be told.
pub(super) fn is_held(lock: &Metadata, folders: &[&Path]) -> Option<bool> {
    held_as_listed_in(Path::new("/proc"), lock, folders)
}

fn held_as_listed_in(processes: &Path, lock: &Metadata, folders: &[&Path]) -> Option<bool> {
    let own = geteuid().as_raw();
    let folders = folders.iter();
    let folders: Vec<PathBuf> = folders.filter_map(|it| it.canonicalize().ok()).collect();
    let (mut any, mut doubt) = (false, false);
    for process in fs::read_dir(processes).ok()?.flatten() {
        let name = process.file_name();
        if !name.as_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        any = true;
        let at = process.path();
        let Ok(found) = fs::metadata(&at) else {
            continue; // it ended
        };
        // A file belongs to whoever makes it.
        if lock.uid() == own && found.uid() != own {
            continue;
        }
        match (has_open(&at, lock), works_in(&at, &folders)) {
            (Ok(true), _) | (_, Ok(true)) => return Some(true),
            (Ok(false), Ok(false)) => {}
            // Another user's.
            (Err(_), _) | (_, Err(_)) => doubt |= is_git(&at),
        }
    }
    (any && !doubt).then_some(false)
}

fn has_open(process: &Path, lock: &Metadata) -> io::Result<bool> {
    let same = |found: Metadata| (found.dev(), found.ino()) == (lock.dev(), lock.ino());
    let files = or_ended(fs::read_dir(process.join("fd")))?;
    let mut files = files.into_iter().flatten().flatten();
    Ok(files.any(|file| fs::metadata(file.path()).is_ok_and(same)))
}

/// Whether it is a `git`, or uses libgit2, and is at work in one of the folders or below.
fn works_in(process: &Path, folders: &[PathBuf]) -> io::Result<bool> {
    let inside = |path: &Path| folders.iter().any(|folder| path.starts_with(folder));
    let cwd = or_ended(fs::read_link(process.join("cwd")))?;
    if cwd.is_some_and(|cwd| inside(&cwd)) && (is_git(process) || uses_libgit2(process)?) {
        return Ok(true);
    }
    if !is_git(process) {
        return Ok(false);
    }
    let names = |file: &str| -> io::Result<bool> {
        let words = or_ended(fs::read(process.join(file)))?.unwrap_or_default();
        let mut words = words.split(|byte| *byte == 0);
        Ok(words.any(|word| {
            let place = PLACES.iter().find_map(|place| word.strip_prefix(*place));
            let place = place.map(|place| Path::new(OsStr::from_bytes(place)));
            place.is_some_and(|place| place.canonicalize().is_ok_and(|place| inside(&place)))
        }))
    };
    Ok(names("environ")? || names("cmdline")?)
}

fn is_git(process: &Path) -> bool {
    fs::read(process.join("comm")).is_ok_and(|name| name.starts_with(b"git"))
}

fn uses_libgit2(process: &Path) -> io::Result<bool> {
    let maps = or_ended(fs::read(process.join("maps")))?;
    Ok(maps.is_some_and(|maps| memmem::find(&maps, b"libgit2").is_some()))
}

/// Nothing of a process that has ended.
fn or_ended<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    use nix::libc::ESRCH;
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(ESRCH) => Ok(None),
        read => read.map(Some),
    }
}
