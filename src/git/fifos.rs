//! Named pipes in a worktree at which git would wait.

use nix::fcntl::OFlag;
use std::{
    cell::OnceCell,
    fs::File,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

/// Pipes that git opens in search of rules. For as long as this lives a thread opens their other end and
/// closes it again, so that a `git` that waits there finds an empty file.
#[derive(Default)]
pub(super) struct Fifos {
    known: Arc<Mutex<Vec<PathBuf>>>,
    /// Ends the thread when it goes.
    alive: OnceCell<Sender<()>>,
}

impl Fifos {
    /// How long a `git` waits at most.
    const PAUSE: Duration = Duration::from_millis(2);

    /// Answers at one more path.
    pub(super) fn answer(&self, path: PathBuf) {
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
                log::warn!(error:% = error; "Could not serve the pipes of a worktree.");
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
