//! Opening files that a run can replace by something else.
//!
//! A run may replace the files that it writes with a FIFO, a device, a socket, a link or an endless
//! file. Every such file is opened here: without blocking, without following a link of that name,
//! and only if it is a regular file; reads of whole files are bounded. A test of the architecture
//! enforces this.

use std::fs::{self, DirBuilder, File, OpenOptions, ReadDir};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{AccessFlags, access};

/// Files of a few lines: locks, exits, secrets, addresses.
pub(crate) const SMALL: u64 = 64 * 1024;
/// Indexes of git, and other files that grow with a repository.
pub(crate) const LARGE: u64 = 1024 * 1024 * 1024;

/// Opens for reading.
///
/// # Errors
/// As opening files does; also when it is no regular file.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    open_with(OpenOptions::new().read(true), path)
}

/// Opens with these options, whose flags are set here.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_with(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    regular(options, path, OFlag::O_NOFOLLOW).map(|(file, _)| file)
}

/// Opens a file of the user, following links.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_linked(path: &Path) -> io::Result<File> {
    regular(OpenOptions::new().read(true), path, OFlag::empty()).map(|(file, _)| file)
}

/// The file, and its present length.
fn regular(options: &mut OpenOptions, path: &Path, more: OFlag) -> io::Result<(File, u64)> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY | more;
    let no_file = || unusable("it is not a regular file");
    match options.custom_flags(flags.bits()).open(path) {
        Ok(file) => {
            let found = file.metadata()?;
            if found.is_file() {
                Ok((file, found.len()))
            } else {
                Err(no_file())
            }
        }
        Err(error) => Err(match error.raw_os_error().map(Errno::from_raw) {
            // A link that is not followed; a socket, or a FIFO without reader; a folder.
            Some(Errno::ELOOP | Errno::ENXIO | Errno::EISDIR) => no_file(),
            Some(_) | None => error,
        }),
    }
}

/// Opens a file of ours with these options. Anything else of that name is moved aside.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_own(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    match open_with(options, path) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            set_aside(path)?;
            open_with(options, path)
        }
        opened => opened,
    }
}

/// Creates a file that [`rename`] will give its name. A leftover of a killed process is removed.
///
/// # Errors
/// As creating files.
pub(crate) fn make(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => set_aside(path)?,
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = OpenOptions::new();
    open_with(options.write(true).create_new(true).mode(0o600), path)
}

/// Gives a file its name, replacing a file there; a folder is moved aside.
///
/// # Errors
/// As renaming.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            set_aside(to)?;
            fs::rename(from, to)
        }
        done => done,
    }
}

/// Creates a folder that only its owner may enter, unless it exists; anything else is moved aside.
/// Returns whether it was created.
///
/// # Errors
/// As creating folders.
pub(crate) fn make_folder(path: &Path) -> io::Result<bool> {
    let make = || DirBuilder::new().mode(0o700).create(path);
    match make() {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if path.symlink_metadata()?.is_dir() {
                return Ok(false);
            }
            set_aside(path)?;
            make()?;
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

/// Nothing of what is not there.
///
/// # Errors
/// Those of `done` but for the one that says so.
pub(crate) fn if_there<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        done => done.map(Some),
    }
}

/// Removes a file, if it is there.
///
/// # Errors
/// As removing files does.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    if_there(fs::remove_file(path)).map(drop)
}

/// Whether a folder is there; a link to one is none.
pub(crate) fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
}

/// Whether there is no regular file.
#[must_use]
pub(crate) fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, NotFound};
    matches!(error.kind(), NotFound | InvalidData)
}

/// Nothing of a regular file that is not there.
///
/// # Errors
/// Those of `done` but for [`is_absent`].
pub(crate) fn if_regular<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Err(error) if is_absent(&error) => Ok(None),
        done => done.map(Some),
    }
}

fn set_aside(path: &Path) -> io::Result<()> {
    let names = (1..u32::MAX).map(|number| {
        let mut aside = path.as_os_str().to_owned();
        aside.push(format!(".not-ours-{number}"));
        PathBuf::from(aside)
    });
    let mut free = names.filter(|aside| aside.symlink_metadata().is_err());
    fs::rename(path, free.next().ok_or(io::ErrorKind::AlreadyExists)?)
}

/// Reads a file as a whole.
///
/// # Errors
/// As [`open`]; also when it is longer than the limit.
pub(crate) fn read(path: &Path, len_max: u64) -> io::Result<Vec<u8>> {
    whole(path, len_max, OFlag::O_NOFOLLOW)
}

/// Reads a file of text as a whole.
///
/// # Errors
/// As [`read`]; also when it is not UTF-8.
pub(crate) fn read_text(path: &Path, len_max: u64) -> io::Result<String> {
    let bytes = read(path, len_max)?;
    String::from_utf8(bytes).map_err(|_| unusable("it is not UTF-8"))
}

/// Reads a file of the user as a whole, following links.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_linked(path: &Path, len_max: u64) -> io::Result<Vec<u8>> {
    whole(path, len_max, OFlag::empty())
}

/// The first bytes of a file, links followed.
///
/// # Errors
/// As [`open`].
pub(crate) fn head(path: &Path, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(len);
    open_linked(path)?
        .take(len as u64)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The reason of [`not_executable`] for a missing file.
pub(crate) const NO_SUCH_FILE: &str = "there is no such file";

/// Why a file cannot be executed, judged by its metadata; none for one that can.
#[must_use]
pub(crate) fn not_executable(path: &Path) -> Option<&'static str> {
    match path.metadata() {
        Ok(found) if found.is_dir() => Some("it is a directory"),
        Ok(found) if !found.is_file() => Some("it is not a regular file"),
        Ok(_) => match access(path, AccessFlags::X_OK) {
            Ok(()) => None,
            Err(_) => Some("it is not executable"),
        },
        Err(error) => Some(match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ELOOP) => "its symbolic links form a loop",
            Some(Errno::EACCES) => "permission denied: a folder above it may not be entered",
            Some(Errno::ENAMETOOLONG) => "its path is too long",
            Some(Errno::ENOTDIR) => "a part of its path is a file, not a folder",
            Some(_) | None if path.symlink_metadata().is_ok() => {
                "it is a link to something that does not exist"
            }
            Some(_) | None => NO_SUCH_FILE,
        }),
    }
}

/// Opens a folder, to sync it or to read its modification time.
///
/// # Errors
/// As opening files does; also when it is a link, or no folder.
pub(crate) fn folder(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    let mut options = OpenOptions::new();
    let opened = options.read(true).custom_flags(flags.bits()).open(path);
    opened.map_err(|error| match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ELOOP | Errno::ENOTDIR) => unusable("it is not a directory"),
        Some(_) | None => error,
    })
}

/// Lists a folder; a link to a folder is refused.
///
/// # Errors
/// As [`folder`].
pub(crate) fn list(path: &Path) -> io::Result<ReadDir> {
    folder(path)?;
    fs::read_dir(path)
}

fn whole(path: &Path, len_max: u64, more: OFlag) -> io::Result<Vec<u8>> {
    let too_long = || unusable("it is too large");
    let (file, len) = regular(OpenOptions::new().read(true), path, more)?;
    if len > len_max {
        return Err(too_long());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or_default());
    // It may have grown in the meantime.
    file.take(len_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > len_max {
        Err(too_long())
    } else {
        Ok(bytes)
    }
}

fn unusable(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;
    use std::os::unix::{fs::symlink, net::UnixListener};

    #[test]
    fn only_regular_files_within_the_bound_are_opened_and_nobody_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "text").unwrap();
        mkfifo(&at("fifo"), Mode::S_IRWXU).unwrap();
        symlink("loop", at("loop")).unwrap();
        symlink("file", at("link")).unwrap();
        symlink("/dev/zero", at("device")).unwrap();
        fs::create_dir(at("folder")).unwrap();
        let _listener = UnixListener::bind(at("socket")).unwrap();
        File::create(at("sparse"))
            .unwrap()
            .set_len(100 << 30)
            .unwrap();
        assert_eq!(read(&at("file"), 4).unwrap(), b"text");
        assert_eq!(read_text(&at("file"), 4).unwrap(), "text");
        assert!(read(&at("file"), 3).is_err());
        for name in [
            "fifo", "loop", "link", "device", "folder", "socket", "sparse", "absent",
        ] {
            assert!(read(&at(name), SMALL).is_err(), "{name}");
            assert!(read(&at(name).join("below"), SMALL).is_err(), "{name}");
            let mut append = OpenOptions::new();
            let wrote = open_with(append.append(true), &at(name));
            assert_eq!(wrote.is_ok(), name == "sparse", "{name}");
        }
        // Files of ours get their place back.
        for name in ["fifo", "loop", "link", "device", "folder", "socket"] {
            let mut append = OpenOptions::new();
            open_own(append.append(true).create(true), &at(name)).unwrap();
            assert_eq!(read(&at(name), SMALL).unwrap(), b"", "{name}");
        }
        assert_eq!(read(&at("file"), 4).unwrap(), b"text");
    }

    #[test]
    fn a_file_gets_its_name_whatever_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (fresh, name) in [("folder", "fifo"), ("fifo", "folder"), ("link", "absent")] {
            for name in [fresh, name] {
                drop(fs::remove_file(at(name)));
                match name {
                    "folder" => fs::create_dir_all(at("folder/full")).unwrap(),
                    "fifo" => mkfifo(&at(name), Mode::S_IRWXU).unwrap(),
                    "link" => symlink("/dev/zero", at(name)).unwrap(),
                    _ => {}
                }
            }
            make(&at(fresh)).unwrap();
            rename(&at(fresh), &at(name)).unwrap();
            assert_eq!(read(&at(name), 0).unwrap(), b"", "{fresh} {name}");
            fs::remove_file(at(name)).unwrap();
        }
        mkfifo(&at("spool"), Mode::S_IRWXU).unwrap();
        assert!(make_folder(&at("spool")).unwrap());
        assert!(!make_folder(&at("spool")).unwrap());
    }

    #[test]
    fn links_are_followed_where_a_person_made_them() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "text").unwrap();
        fs::create_dir(at("folder")).unwrap();
        mkfifo(&at("fifo"), Mode::S_IRWXU).unwrap();
        symlink("file", at("link")).unwrap();
        symlink("/dev/zero", at("device")).unwrap();
        // A person's link is followed, and what it leads to is looked at.
        assert_eq!(read_linked(&at("link"), SMALL).unwrap(), b"text");
        assert_eq!(head(&at("link"), 2).unwrap(), b"te");
        assert!(read_linked(&at("device"), SMALL).is_err());
        assert!(read_linked(&at("fifo"), SMALL).is_err());
        symlink("folder", at("link to folder")).unwrap();
        assert!(list(&at("folder")).is_ok());
        for name in ["link to folder", "fifo", "file"] {
            assert!(list(&at(name)).is_err(), "{name}");
        }
    }
}
