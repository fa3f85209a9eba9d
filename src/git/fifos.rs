//! Named pipes in a worktree that would block git.

use nix::fcntl::OFlag;
use std::{
    cell::OnceCell,
    fs::File,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

/// Pipes in the place of files such as `.gitignore`, which git opens. Until this is dropped, a thread
/// opens and closes their other end again and again, so that a blocked `git` reads an empty file.
#[derive(Default)]
pub(super) struct Fifos {
    known: Arc<Mutex<Vec<PathBuf>>>,
    /// The thread ends when this is dropped.
    alive: OnceCell<Sender<()>>,
}

impl Fifos {
    /// Longest time that a `git` is blocked.
    const PAUSE: Duration = Duration::from_millis(2);

    /// Unblocks one more pipe.
    pub(super) fn answer(&self, path: PathBuf) {
        lock(&self.known).push(path);
        self.alive.get_or_init(|| {
            let (alive, over) = channel();
            let known = Arc::clone(&self.known);
            let work = move || {
                while let Err(RecvTimeoutError::Timeout) = over.recv_timeout(Self::PAUSE) {
                    let paths = lock(&known).clone();
                    paths.iter().for_each(|path| open_other_end(path));
                }
            };
            let started = thread::Builder::new().name("git-pipes".into()).spawn(work);
            if let Err(error) = started {
                // git is ended when it takes too long.
                log::warn!(error:% = error; "Could not serve the pipes of a worktree.");
            }
            alive
        });
    }
}

fn lock(known: &Mutex<Vec<PathBuf>>) -> MutexGuard<'_, Vec<PathBuf>> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open_other_end(path: &Path) {
    // Without a reader this fails immediately, as it does for a socket.
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW;
    let opened = File::options()
        .write(true)
        .custom_flags(flags.bits())
        .open(path);
    drop(opened);
}
