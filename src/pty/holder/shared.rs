//! What the holder's threads tell each other, under one lock and one condition.
//!
//! Nothing is done under the lock but looking and setting; what has no bound by nature (output)
//! is not here but in the log.

use std::collections::VecDeque;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::pty::output_log::Extent;
use crate::pty::protocol::Size;
use crate::pty::{ExitReport, Hello, LaunchSpec, PROTOCOL};

/// How many size changes a slow reader of the log can be behind; it then misses the oldest ones,
/// and the last size is right all the same.
const RESIZES_LEN_MAX: usize = 256;

/// A change of size, at its place in the output.
#[derive(Clone, Copy, Debug)]
pub struct ResizeMark {
    /// Counts the changes.
    pub seq: u64,
    /// The output up to here was for the size before.
    pub offset: u64,
    /// The new size.
    pub size: Size,
}

/// The screen at a place in the output.
#[derive(Debug)]
pub struct Snapshot {
    /// The output offset it stands for.
    pub offset: u64,
    /// The first change of size that is not in it.
    pub next_resize: u64,
    /// The size it was written for.
    pub size: Size,
    /// Escape codes.
    pub bytes: Vec<u8>,
}

/// See the module. Fields are read and set by all threads.
#[derive(Debug)]
pub struct State {
    /// What the log keeps; its end is the end of the output.
    pub extent: Extent,
    /// The size of the terminal.
    pub size: Size,
    resizes: VecDeque<ResizeMark>,
    next_resize: u64,
    /// How far the screen has come.
    pub screen_offset: u64,
    /// The first change of size that the screen has not taken in.
    pub screen_resizes: u64,
    /// As of `screen_offset`.
    pub bracketed_paste: bool,
    /// Who waits for a snapshot; at most one a connection, and the main thread.
    pub snapshot_waiters: Vec<SyncSender<Arc<Snapshot>>>,
    /// No output will come any more.
    pub output_ended: bool,
    /// Set when the tree is gone and `exit.json` is durable.
    pub exit: Option<ExitReport>,
    /// The holder ends: everyone finishes.
    pub closing: bool,
    /// Connections that still send.
    pub senders: usize,
}

impl State {
    /// The first change of size from `seq` on.
    #[must_use]
    pub fn resize_from(&self, seq: u64) -> Option<ResizeMark> {
        self.resizes.iter().find(|mark| mark.seq >= seq).copied()
    }

    /// The screen has taken in all there is.
    #[must_use]
    pub const fn screen_is_current(&self) -> bool {
        self.screen_offset >= self.extent.end && self.screen_resizes >= self.next_resize
    }

    /// The number that the next change of size will get.
    #[must_use]
    pub const fn next_resize(&self) -> u64 {
        self.next_resize
    }

    /// Records a change of size at the present end of the output.
    pub fn resize(&mut self, size: Size) {
        self.size = size;
        let mark = ResizeMark {
            seq: self.next_resize,
            offset: self.extent.end,
            size,
        };
        self.resizes.push_back(mark);
        self.next_resize += 1;
        if self.resizes.len() > RESIZES_LEN_MAX {
            self.resizes.pop_front();
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Shared {
    run_id: Uuid,
    attempt: u32,
    pid: u32,
    argv: Vec<String>,
    /// Where this launch's output begins.
    start: u64,
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    /// Begins at the end of the log, where the new attempt's output will go.
    #[must_use]
    pub fn new(spec: &LaunchSpec, pid: u32, extent: Extent) -> Self {
        let state = State {
            extent,
            size: Size {
                cols: spec.cols,
                rows: spec.rows,
            },
            resizes: VecDeque::new(),
            next_resize: 0,
            screen_offset: extent.end,
            screen_resizes: 0,
            bracketed_paste: false,
            snapshot_waiters: Vec::new(),
            output_ended: false,
            exit: None,
            closing: false,
            senders: 0,
        };
        Self {
            run_id: spec.run_id,
            attempt: spec.attempt,
            pid,
            argv: spec.argv.clone(),
            start: extent.end,
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// Looks, without waiting. A thread that panicked under the lock left values, not halves.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something and tells everyone.
    pub fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until `look` finds something.
    pub fn wait<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut state = self.lock();
        loop {
            if let Some(found) = look(&mut state) {
                return found;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until `look` finds something, or the time is over.
    pub fn wait_timeout<T>(
        &self,
        timeout: Duration,
        mut look: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        let deadline = Instant::now() + timeout;
        let mut state = self.lock();
        loop {
            let found = look(&mut state);
            let left = deadline.saturating_duration_since(Instant::now());
            if found.is_some() || left.is_zero() {
                return found;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Asks the screen thread for a snapshot; `None` when it does not answer in time.
    #[must_use]
    pub fn snapshot(&self, timeout: Duration) -> Option<Arc<Snapshot>> {
        let (sender, receiver) = sync_channel(1);
        self.update(|state| state.snapshot_waiters.push(sender));
        receiver.recv_timeout(timeout).ok()
    }

    /// The first frame for a connection.
    #[must_use]
    pub fn hello(&self) -> Hello {
        let state = self.lock();
        Hello {
            protocol: PROTOCOL,
            run_id: self.run_id,
            attempt: self.attempt,
            pid: self.pid,
            argv: self.argv.clone(),
            start: self.start,
            offset: state.extent.end,
            cols: state.size.cols,
            rows: state.size.rows,
            exit: state.exit.clone(),
        }
    }
}
