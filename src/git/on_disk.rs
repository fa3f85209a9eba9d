//! What is on disk at a path of a worktree.

use super::text::os_string;
use crate::{domain::run::event::LeftOut, files};
use nix::{
    fcntl::AT_FDCWD,
    sys::{
        stat::{UtimensatFlags, utimensat},
        time::TimeSpec,
    },
};
use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

/// A path that had to be left out, and why.
pub(super) fn named(path: &[u8], why: &str) -> LeftOut {
    LeftOut {
        path: String::from_utf8_lossy(path).into_owned(),
        why: why.to_owned(),
    }
}

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnDisk {
    /// A plain file, and whether it can be run.
    File { runs: bool },
    /// A symbolic link.
    Link,
    /// A folder.
    Folder,
    /// A pipe, socket or device, which has no contents to save.
    Strange(&'static str),
    /// Nothing, or something beyond a link.
    Nothing,
}

/// Inspects a path below a folder, without following links.
///
/// # Errors
/// When the system refuses.
pub(super) fn look_at(root: &Path, path: &[u8]) -> io::Result<OnDisk> {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    let path = PathBuf::from(os_string(path));
    let above = path.ancestors().skip(1);
    let above: Vec<_> = above.filter(|part| !part.as_os_str().is_empty()).collect();
    for folder in above.into_iter().rev() {
        if root.join(folder).is_symlink() {
            return Ok(OnDisk::Nothing);
        }
    }
    let found = match fs::symlink_metadata(root.join(&path)) {
        Ok(found) => found,
        Err(error) if is_gone(&error) => return Ok(OnDisk::Nothing),
        Err(error) => return Err(error),
    };
    let kind = found.file_type();
    Ok(if kind.is_file() {
        let runs = found.permissions().mode() & 0o100 != 0;
        OnDisk::File { runs }
    } else if kind.is_symlink() {
        OnDisk::Link
    } else if kind.is_dir() {
        OnDisk::Folder
    } else if kind.is_fifo() {
        OnDisk::Strange("it is a pipe, which has no contents to save")
    } else if kind.is_socket() {
        OnDisk::Strange("it is a socket, which has no contents to save")
    } else {
        OnDisk::Strange("it is a device, which has no contents to save")
    })
}

/// Whether there is nothing at a path.
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Creates the folders above a path below a folder, following no link.
///
/// # Errors
/// `NotADirectory` when one is something else, and the system's.
pub(super) fn make_parents(root: &Path, path: &Path) -> io::Result<()> {
    let mut above: Vec<PathBuf> = path.ancestors().skip(1).map(|at| root.join(at)).collect();
    above.reverse();
    for folder in above {
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            other => other?,
        }
        if !files::is_folder(&folder) {
            return Err(ErrorKind::NotADirectory.into());
        }
    }
    Ok(())
}

/// Sets both times of a file, or of a link itself, to so many seconds since 1970.
///
/// # Errors
/// The system's.
pub(super) fn set_times(path: &Path, seconds: u32) -> nix::Result<()> {
    let time = TimeSpec::new(seconds.into(), 0);
    let flags = UtimensatFlags::NoFollowSymlink;
    utimensat(AT_FDCWD, path, &time, &time, flags)
}
