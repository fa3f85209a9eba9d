//! Reports whether anything changed below a worktree since it was watched.
//!
//! The kernel queues a change before the call that made it returns, and the queue is read on request.
//! So no change is missed because it is reported late, and no thread has to listen. A full queue is
//! reported, and counts as a change.
//!
//! Not reported: what is written through a shared mapping before it is unmapped, and changes made on
//! another machine, which is why network file systems are not watched.

use std::{
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// What happened since the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WatchedChange {
    Nothing,
    /// Files changed.
    Files,
    /// Folders were created or removed, or ignore rules changed: others have to be watched.
    Folders,
}

/// Folders that may be watched, by all together.
#[derive(Debug, Clone)]
pub(super) struct Budget(Arc<AtomicUsize>);

impl Budget {
    pub(super) fn new(folders: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(folders)))
    }

    fn take(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }

    fn give_back(&self, folders: usize) {
        self.0.fetch_add(folders, Ordering::Relaxed);
    }
}

/// A worktree that is watched.
#[derive(Debug)]
pub(super) struct Watched {
    root: PathBuf,
    queue: queue::Queue,
    budget: Budget,
    folders: AtomicUsize,
    failed: AtomicUsize,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.budget.give_back(self.folders.load(Ordering::Relaxed));
    }
}

impl Watched {
    /// Starts without a folder. `None` where changes are not reported.
    pub(super) fn begin(root: &Path, budget: &Budget) -> Option<Self> {
        Some(Self {
            root: root.to_owned(),
            queue: queue::Queue::begin(root)?,
            budget: budget.clone(),
            folders: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
        })
    }

    /// Watches a folder, by its path below the root, but not what is below it. One that is not
    /// there needs no watch: its creation is a change of the folder above.
    pub(super) fn add(&self, folder: &[u8]) {
        let path = self.root.join(std::ffi::OsStr::from_bytes(folder));
        if !self.budget.take() {
            self.failed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.folders.fetch_add(1, Ordering::Relaxed);
        if !self.queue.add(&path) {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether all folders are watched that were to be.
    pub(super) fn is_whole(&self) -> bool {
        self.failed.load(Ordering::Relaxed) == 0
    }

    /// What happened since the last call.
    pub(super) fn news(&self) -> WatchedChange {
        if self.is_whole() {
            self.queue.news()
        } else {
            WatchedChange::Folders
        }
    }
}

/// How many folders all worktrees together may have watched: a part of what the kernel allows the
/// user, whose other programs watch too.
pub(super) fn folders_max() -> usize {
    let told = std::fs::read_to_string("/proc/sys/fs/inotify/max_user_watches");
    let told = told.ok().and_then(|text| text.trim().parse::<usize>().ok());
    told.map_or(0, |max| max / 4)
}

#[cfg(target_os = "linux")]
mod queue {
    use super::WatchedChange;
    use nix::{
        errno::Errno,
        sys::{
            inotify::{AddWatchFlags, InitFlags, Inotify},
            statfs::{self, FsType, statfs},
        },
    };
    use std::path::Path;

    /// File systems of this machine alone; the last three have no name in the library.
    const LOCAL: [FsType; 8] = [
        statfs::EXT4_SUPER_MAGIC,
        statfs::XFS_SUPER_MAGIC,
        statfs::BTRFS_SUPER_MAGIC,
        statfs::TMPFS_MAGIC,
        statfs::OVERLAYFS_SUPER_MAGIC,
        // f2fs, ZFS, bcachefs
        FsType(0xF2F5_2010),
        FsType(0x2FC1_2FC1),
        FsType(0xCA45_1A4E),
    ];

    #[derive(Debug)]
    pub(super) struct Queue(Inotify);

    impl Queue {
        pub(super) fn begin(root: &Path) -> Option<Self> {
            let kind = statfs(root).ok()?.filesystem_type();
            if !LOCAL.contains(&kind) {
                return None;
            }
            let flags = InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC;
            Inotify::init(flags).ok().map(Self)
        }

        pub(super) fn add(&self, folder: &Path) -> bool {
            let wanted = AddWatchFlags::IN_MODIFY
                | AddWatchFlags::IN_ATTRIB
                | AddWatchFlags::IN_CLOSE_WRITE
                | AddWatchFlags::IN_MOVE
                | AddWatchFlags::IN_CREATE
                | AddWatchFlags::IN_DELETE
                | AddWatchFlags::IN_DELETE_SELF
                | AddWatchFlags::IN_MOVE_SELF
                | AddWatchFlags::IN_ONLYDIR
                | AddWatchFlags::IN_DONT_FOLLOW;
            matches!(
                self.0.add_watch(folder, wanted),
                Ok(_) | Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP)
            )
        }

        pub(super) fn news(&self) -> WatchedChange {
            let mut news = WatchedChange::Nothing;
            loop {
                let events = match self.0.read_events() {
                    Ok(events) => events,
                    Err(Errno::EAGAIN) => return news,
                    Err(_) => return WatchedChange::Folders,
                };
                for event in events {
                    let own = AddWatchFlags::IN_ISDIR
                        | AddWatchFlags::IN_Q_OVERFLOW
                        | AddWatchFlags::IN_IGNORED
                        | AddWatchFlags::IN_UNMOUNT
                        | AddWatchFlags::IN_DELETE_SELF
                        | AddWatchFlags::IN_MOVE_SELF;
                    let rules = event.name.is_some_and(|name| name == ".gitignore");
                    if rules || event.mask.intersects(own) {
                        news = WatchedChange::Folders;
                    } else if news == WatchedChange::Nothing {
                        news = WatchedChange::Files;
                    }
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod queue {
    use super::WatchedChange;
    use std::path::Path;

    /// Other systems report changes late, or not all of them.
    #[derive(Debug)]
    pub(super) enum Queue {}

    impl Queue {
        pub(super) fn begin(_root: &Path) -> Option<Self> {
            None
        }

        pub(super) fn add(&self, _folder: &Path) -> bool {
            match *self {}
        }

        pub(super) fn news(&self) -> WatchedChange {
            match *self {}
        }
    }
}
