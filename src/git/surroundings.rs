//! What stands in a worktree that git passes over in silence: pipes, sockets and devices, and folders
//! that cannot be read.
//!
//! Only folders are listed, and only those that git itself would look into. It comes before any `git`
//! that reads the worktree's rules: at a pipe named `.gitignore` or `.gitattributes` git would wait for
//! a writer, so that there has to be one ([`Pipes`]).

use super::{
    GitError,
    ignored::not_ignored,
    place::Place,
    program::os_string,
    stage::{Stands, Tracked, named, stands},
};
use crate::domain::run::event::LeftOut;
use nix::fcntl::OFlag;
use std::{
    cell::OnceCell,
    fs::{self, File},
    io,
    os::unix::{ffi::OsStrExt, fs::OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

/// Files that git reads wherever it finds them.
pub(super) const RULES: [&[u8]; 3] = [b".gitignore", b".gitattributes", b".gitmodules"];

/// Names what git passes over, ignored paths aside.
///
/// # Errors
/// Those of starting `git`.
pub(super) fn look(
    place: &Place,
    tracked: &Tracked,
    pipes: &Pipes,
) -> Result<Vec<LeftOut>, GitError> {
    let root = place.work_tree();
    let mut left_out = Vec::new();
    let mut level = vec![Vec::new()];
    while !level.is_empty() {
        let mut looking = Looking {
            root,
            tracked,
            pipes,
            known: Vec::new(),
            unknown: Vec::new(),
            left_out: &mut left_out,
        };
        for folder in &level {
            looking.folder(folder);
        }
        let Looking { known, unknown, .. } = looking;
        level = known;
        for path in not_ignored(place, unknown)? {
            if !path.ends_with(b"/") {
                left_out.extend(strange(root, &path));
            } else if fs::symlink_metadata(root.join(os_string(&path)).join(".git")).is_err() {
                // What is in a nested repository is its own.
                level.push(path);
            }
        }
    }
    Ok(left_out)
}

struct Looking<'a> {
    root: &'a Path,
    tracked: &'a Tracked,
    pipes: &'a Pipes,
    /// Folders that hold tracked files; each path of a folder ends with a slash.
    known: Vec<Vec<u8>>,
    /// What git may ignore.
    unknown: Vec<Vec<u8>>,
    left_out: &'a mut Vec<LeftOut>,
}

impl Looking<'_> {
    fn folder(&mut self, folder: &[u8]) {
        let items = match fs::read_dir(self.root.join(os_string(folder))) {
            Ok(items) => items,
            Err(error) => return self.unreadable(folder, &error),
        };
        for item in items {
            let item = match item {
                Ok(item) => item,
                Err(error) => return self.unreadable(folder, &error),
            };
            let name = item.file_name();
            let name = name.as_bytes();
            let Ok(kind) = item.file_type() else {
                continue; // it went meanwhile
            };
            if name == b".git" || kind.is_file() || kind.is_symlink() {
                continue;
            }
            let mut path = [folder, name].concat();
            if kind.is_dir() {
                path.push(b'/');
                let known = self.tracked.has_below(&path);
                let into = if known {
                    &mut self.known
                } else {
                    &mut self.unknown
                };
                into.push(path);
                continue;
            }
            if RULES.contains(&name) {
                self.pipes.answer(self.root.join(os_string(&path)));
            }
            if self.tracked.find(&path).is_some() {
                self.left_out.extend(strange(self.root, &path));
            } else {
                self.unknown.push(path);
            }
        }
    }

    fn unreadable(&mut self, folder: &[u8], error: &io::Error) {
        if !matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        ) {
            let why = format!("the folder cannot be read: {error}");
            self.left_out.push(named(folder, &why));
        }
    }
}

fn strange(root: &Path, path: &[u8]) -> Option<LeftOut> {
    match stands(root, path) {
        Ok(Stands::Strange(why)) => Some(named(path, why)),
        _ => None,
    }
}

/// Pipes that git opens in search of rules. For as long as this lives a thread opens their other end and
/// closes it again, so that a `git` that waits there finds an empty file.
#[derive(Default)]
pub(super) struct Pipes {
    known: Arc<Mutex<Vec<PathBuf>>>,
    /// Ends the thread when it goes.
    alive: OnceCell<Sender<()>>,
}

impl Pipes {
    /// How long a `git` waits at most.
    const PAUSE: Duration = Duration::from_millis(2);

    /// Answers at one more path.
    fn answer(&self, path: PathBuf) {
        let paths = |known: &Mutex<Vec<PathBuf>>| {
            let known = known.lock().unwrap_or_else(PoisonError::into_inner);
            known.clone()
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.push(path);
        drop(known);
        self.alive.get_or_init(|| {
            let (alive, over) = channel();
            let known = Arc::clone(&self.known);
            let work = move || {
                while let Err(RecvTimeoutError::Timeout) = over.recv_timeout(Self::PAUSE) {
                    paths(&known).iter().for_each(|path| open_other_end(path));
                }
            };
            let started = thread::Builder::new().name("git-pipes".into()).spawn(work);
            if let Err(error) = started {
                // git is ended when it takes too long.
                log::warn!(error:% = error; "Nobody answers at the pipes of a worktree.");
            }
            alive
        });
    }
}

fn open_other_end(path: &Path) {
    // Without a reader this is refused at once, and so is a socket.
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW;
    let opened = File::options()
        .write(true)
        .custom_flags(flags.bits())
        .open(path);
    drop(opened);
}
