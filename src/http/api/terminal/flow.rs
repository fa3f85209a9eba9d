//! How far a viewer has read, by its Pongs.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use tokio::sync::Notify;

/// Bytes that may be sent beyond the last Pong.
const AHEAD_BYTES_MAX: u64 = 256 * 1024;

/// Counts of bytes since the viewer connected.
#[derive(Default)]
pub(super) struct Flow {
    sent: AtomicU64,
    read: AtomicU64,
    moved: Notify,
}

impl Flow {
    /// Waits until the viewer has read enough for more.
    pub(super) async fn room(&self) {
        loop {
            let moved = self.moved.notified();
            let (sent, read) = (self.sent.load(SeqCst), self.read.load(SeqCst));
            if sent.saturating_sub(read) < AHEAD_BYTES_MAX {
                return;
            }
            moved.await;
        }
    }

    /// Counts what is sent; gives the sum.
    pub(super) fn has_sent(&self, length: u64) -> u64 {
        self.sent.fetch_add(length, SeqCst) + length
    }

    /// What was sent so far.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(SeqCst)
    }

    /// The viewer has read so far.
    pub(super) fn has_read(&self, read: u64) {
        self.read.fetch_max(read, SeqCst);
        self.moved.notify_waiters();
    }
}
