//! What a holder keeps in the run folder, and how it is written.
//!
//! Used by the holder (writes) and the server (reads). Holds: a file that is read as a whole is
//! replaced by a rename of a synced one, so a kill at any point leaves the old or the new. The last
//! screen alone is not synced: a run's end does not wait for it, and its output is on disk. After
//! a power cut it may be missing, or be none.
//!
//! | file | what |
//! |---|---|
//! | `holder.lock` | locked while a holder lives; holds the highest attempt ever launched |
//! | `holder.sock` | the socket, or `holder.sock.path` names where it is |
//! | `exit.json` | how the recorded attempt ended |
//! | `screen.json`, `screen.ansi` | the last screen |
//! | `output.log`, `output.base` | see [`super::output_log`] |
//! | `holder.log` | what a holder could not carry out |

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ExitReport;
use crate::files;

/// Locked by a living holder; its content is the highest attempt launched.
pub const LOCK: &str = "holder.lock";
/// How the recorded attempt ended.
pub const EXIT: &str = "exit.json";
/// What a holder could not carry out, one line each.
pub const LOG: &str = "holder.log";
const SOCKET: &str = "holder.sock";
const SOCKET_PATH: &str = "holder.sock.path";
const SCREEN_HEAD: &str = "screen.json";
const SCREEN_BYTES: &str = "screen.ansi";
/// A screen with all its scrollback, each cell in a style of its own, is well below this.
const SCREEN_LEN_MAX: u64 = 256 * 1024 * 1024;
/// What a snapshot begins with: a full reset.
const RESET: &[u8] = b"\x1bc";

/// The longest socket path; the kernel's own limit is 107 bytes.
const SOCKET_PATH_LEN_MAX: usize = 100;

/// The screen as it was when the run's last program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastScreen {
    /// Columns of the terminal.
    pub cols: u16,
    /// Rows of the terminal.
    pub rows: u16,
    /// Escape codes that make a fresh terminal of this size equal to it.
    pub bytes: Vec<u8>,
    /// How that program ended.
    pub exit: ExitReport,
}

#[derive(Serialize, Deserialize)]
struct ScreenHead {
    cols: u16,
    rows: u16,
    /// Length of the bytes that belong to this head: a kill between the two renames shows.
    len: usize,
    exit: ExitReport,
}

/// Reads the screen that the last holder of this run left; `None` when there is none.
///
/// # Errors
/// As reading files does.
pub fn last_screen(run_dir: &Path) -> io::Result<Option<LastScreen>> {
    let Some(head) = read_json::<ScreenHead>(&run_dir.join(SCREEN_HEAD))? else {
        return Ok(None);
    };
    let bytes = files::read(&run_dir.join(SCREEN_BYTES), SCREEN_LEN_MAX);
    // A file system may have kept a file's length and not its bytes, which are zeros then.
    let whole = files::if_regular(bytes)?
        .filter(|bytes| bytes.len() == head.len && bytes.starts_with(RESET));
    Ok(whole.map(|bytes| LastScreen {
        cols: head.cols,
        rows: head.rows,
        bytes,
        exit: head.exit,
    }))
}

/// Writes the last screen, head last. It is not durable when this returns.
///
/// # Errors
/// As writing files does.
pub fn write_last_screen(run_dir: &Path, screen: &LastScreen) -> io::Result<()> {
    replace(&run_dir.join(SCREEN_BYTES), &screen.bytes, |_| Ok(()))?;
    let head = ScreenHead {
        cols: screen.cols,
        rows: screen.rows,
        len: screen.bytes.len(),
        exit: screen.exit.clone(),
    };
    let head = serde_json::to_vec(&head)?;
    replace(&run_dir.join(SCREEN_HEAD), &head, |_| Ok(()))
}

/// Reads `exit.json`; `None` when it does not exist or cannot be parsed.
///
/// # Errors
/// As reading files does.
pub fn read_exit(run_dir: &Path) -> io::Result<Option<ExitReport>> {
    read_json(&run_dir.join(EXIT))
}

/// How the highest attempt ever launched ended; `None` when it did not, or left no word.
///
/// # Errors
/// As reading files does.
pub fn recorded_exit(run_dir: &Path) -> io::Result<Option<ExitReport>> {
    let Some(mut file) = files::if_regular(files::open(&run_dir.join(LOCK)))? else {
        return Ok(None);
    };
    let recorded = read_attempt(&mut file)?;
    Ok(read_exit(run_dir)?.filter(|exit| exit.attempt == recorded))
}

/// Writes `exit.json`, durable when this returns.
///
/// # Errors
/// As writing files does.
pub fn write_exit(run_dir: &Path, exit: &ExitReport) -> io::Result<()> {
    write_atomic(&run_dir.join(EXIT), &serde_json::to_vec(exit)?)
}

/// Removes what an earlier attempt left. Only the holder of the lock may call this, and only after
/// it recorded its own attempt.
///
/// # Errors
/// As removing files does; a missing file is none.
pub fn remove_stale(run_dir: &Path) -> io::Result<()> {
    for name in [EXIT, SCREEN_HEAD, SCREEN_BYTES] {
        files::remove(&run_dir.join(name))?;
    }
    Ok(())
}

fn read_json<T: for<'a> Deserialize<'a>>(path: &Path) -> io::Result<Option<T>> {
    let bytes = files::if_regular(files::read(path, files::SMALL))?;
    // A file that cannot be parsed was not written by us whole; it counts as absent.
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Replaces a file as a whole, durable when this returns.
pub(super) fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes, File::sync_all)?;
    sync_parent(path)
}

/// Writes a file beside, finishes it, and gives it its name: who reads finds the old or the new.
fn replace(
    path: &Path,
    bytes: &[u8],
    finish: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = files::make(Path::new(&beside))?;
    file.write_all(bytes)?;
    finish(&file)?;
    files::rename(Path::new(&beside), path)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => files::folder(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Why the lock was not given.
#[derive(Debug)]
pub enum LockRefusal {
    /// Another holder lives.
    Busy,
    /// The attempt was launched before.
    Attempt {
        /// The highest attempt launched.
        recorded: u32,
    },
    /// The file failed.
    Io(io::Error),
}

/// The run's lock, held until the process ends.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes the lock and records the attempt, durable when this returns: whoever sees the CLI
    /// running can rely on the attempt being used up.
    ///
    /// # Errors
    /// See [`LockRefusal`].
    pub fn acquire(run_dir: &Path, attempt: u32) -> Result<Self, LockRefusal> {
        let path = run_dir.join(LOCK);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).mode(0o600);
        let mut file = files::open_own(&mut options, &path).map_err(LockRefusal::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(LockRefusal::Busy),
            Err(fs::TryLockError::Error(err)) => return Err(LockRefusal::Io(err)),
        }
        let recorded = read_attempt(&mut file).map_err(LockRefusal::Io)?;
        if attempt <= recorded {
            return Err(LockRefusal::Attempt { recorded });
        }
        record_attempt(&mut file, &path, attempt).map_err(LockRefusal::Io)?;
        Ok(Self { _file: file })
    }
}

fn read_attempt(file: &mut File) -> io::Result<u32> {
    let mut text = String::new();
    file.take(files::SMALL).read_to_string(&mut text)?;
    Ok(text.trim().parse().unwrap_or(0))
}

fn record_attempt(file: &mut File, path: &Path, attempt: u32) -> io::Result<()> {
    // Digits never get fewer, so writing over the old ones needs no truncation that a kill could
    // leave half done.
    file.rewind()?;
    writeln!(file, "{attempt}")?;
    file.sync_all()?;
    sync_parent(path)
}

/// Whether a holder lives, seen from the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockState {
    /// No holder was ever started here.
    Never,
    /// A holder lives.
    Held,
    /// No holder lives.
    Free {
        /// The highest attempt launched.
        recorded: u32,
    },
}

/// Looks at the lock without keeping it.
///
/// # Errors
/// As opening files does.
pub fn lock_state(run_dir: &Path) -> io::Result<LockState> {
    let Some(mut file) = files::if_regular(files::open(&run_dir.join(LOCK)))? else {
        return Ok(LockState::Never);
    };
    match file.try_lock_shared() {
        Ok(()) => {
            let recorded = read_attempt(&mut file)?;
            Ok(if recorded == 0 {
                LockState::Never
            } else {
                LockState::Free { recorded }
            })
        }
        Err(fs::TryLockError::WouldBlock) => Ok(LockState::Held),
        Err(fs::TryLockError::Error(err)) => Err(err),
    }
}

/// Chooses where a new holder listens, and leaves word of it when that is not the run folder.
///
/// # Errors
/// When the private folder is not ours or cannot be made.
pub fn prepare_socket(run_dir: &Path, run_id: Uuid) -> io::Result<PathBuf> {
    let near = run_dir.join(SOCKET);
    let note = run_dir.join(SOCKET_PATH);
    let path = if near.as_os_str().len() < SOCKET_PATH_LEN_MAX {
        files::remove(&note)?;
        near
    } else {
        let far = runtime_folder()?.join(format!("{run_id}.sock"));
        write_atomic(&note, far.as_os_str().as_bytes())?;
        far
    };
    files::remove(&path)?;
    Ok(path)
}

/// Narrows a fresh socket to its owner.
///
/// # Errors
/// As changing a mode does.
pub fn protect_socket(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o600))
}

/// Whether a holder left a socket in the run folder, or far from a folder with a long path.
#[must_use]
pub fn has_socket(run_dir: &Path) -> bool {
    matches!(find_socket(run_dir), Ok(Some(_)))
}

/// Finds where the run's holder listens; `None` when none was left there.
///
/// # Errors
/// When something else than a socket of this user is there.
pub fn find_socket(run_dir: &Path) -> io::Result<Option<PathBuf>> {
    let note = files::read(&run_dir.join(SOCKET_PATH), files::SMALL);
    let path = match files::if_regular(note)? {
        Some(bytes) => PathBuf::from(std::ffi::OsStr::from_bytes(&bytes)),
        None => run_dir.join(SOCKET),
    };
    match files::if_there(fs::symlink_metadata(&path))? {
        None => Ok(None),
        Some(meta) if meta.file_type().is_socket() && meta.uid() == own_uid() => Ok(Some(path)),
        Some(_) => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "not a socket of this user",
        )),
    }
}

/// A folder with a short name that only we can enter.
fn runtime_folder() -> io::Result<PathBuf> {
    let uid = own_uid();
    // The one look into the environment of this room: both ends would otherwise have to be told,
    // and the note in the run folder tells the server what the holder found.
    let base = std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute() && dir.is_dir() && dir.as_os_str().len() < 30)
        .unwrap_or_else(|| PathBuf::from("/tmp"));
    let folder = base.join(format!("abbado-{uid}"));
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(err) if err.kind() != io::ErrorKind::AlreadyExists => return Err(err),
        Ok(()) | Err(_) => {}
    }
    let meta = fs::symlink_metadata(&folder)?;
    if meta.is_dir() && meta.uid() == uid && meta.mode() & 0o077 == 0 {
        Ok(folder)
    } else {
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{} is not a private folder of this user", folder.display()),
        ))
    }
}

pub(super) fn own_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_given_once_and_only_upwards() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(lock_state(dir.path()).unwrap(), LockState::Never);
        let lock = RunLock::acquire(dir.path(), 9).unwrap();
        assert_eq!(lock_state(dir.path()).unwrap(), LockState::Held);
        assert!(matches!(
            RunLock::acquire(dir.path(), 10),
            Err(LockRefusal::Busy)
        ));
        drop(lock);
        assert_eq!(
            lock_state(dir.path()).unwrap(),
            LockState::Free { recorded: 9 }
        );
        for used in [1, 9] {
            let refused = RunLock::acquire(dir.path(), used);
            assert!(matches!(refused, Err(LockRefusal::Attempt { recorded: 9 })));
        }
        drop(RunLock::acquire(dir.path(), 10).unwrap());
        assert_eq!(
            lock_state(dir.path()).unwrap(),
            LockState::Free { recorded: 10 }
        );
    }

    #[test]
    fn a_last_screen_that_is_not_whole_counts_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let exit = ExitReport {
            attempt: 1,
            pid: 7,
            code: Some(0),
            signal: None,
            because: None,
        };
        let screen = LastScreen {
            cols: 80,
            rows: 24,
            // The output may have ended in a sequence, with any byte in it.
            bytes: b"\x1bchello\x1b]2;\0".to_vec(),
            exit,
        };
        assert_eq!(last_screen(dir.path()).unwrap(), None);
        write_last_screen(dir.path(), &screen).unwrap();
        assert_eq!(last_screen(dir.path()).unwrap(), Some(screen.clone()));
        let (head, bytes) = (dir.path().join(SCREEN_HEAD), dir.path().join(SCREEN_BYTES));
        let head_len = fs::metadata(&head).unwrap().len() as usize;
        let broken = [
            (&bytes, b"other".to_vec()),
            // What a power cut may leave of a file that was not synced.
            (&bytes, Vec::new()),
            (&bytes, vec![0; screen.bytes.len()]),
            (&head, Vec::new()),
            (&head, vec![0; head_len]),
        ];
        for (path, kept) in broken {
            write_last_screen(dir.path(), &screen).unwrap();
            fs::write(path, kept).unwrap();
            assert_eq!(last_screen(dir.path()).unwrap(), None);
        }
    }

    #[test]
    fn a_long_run_folder_gets_its_socket_elsewhere_and_says_where() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(120));
        fs::create_dir(&deep).unwrap();
        let path = prepare_socket(&deep, Uuid::from_u128(7)).unwrap();
        assert!(
            path.as_os_str().len() < SOCKET_PATH_LEN_MAX,
            "{}",
            path.display()
        );
        assert_eq!(find_socket(&deep).unwrap(), None);
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert_eq!(find_socket(&deep).unwrap(), Some(path.clone()));
        drop(listener);
        fs::remove_file(path).unwrap();
    }
}
