//! One connected peer: what its own two threads share, and the thread that reads the terminal.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use nix::sys::socket::{MsgFlags, send};

use super::locked;
use crate::pty::PtyError;
use crate::pty::protocol::Frame;

/// One connection, shared by its two threads, and by the reader while a place is lent.
#[derive(Debug)]
pub(super) struct Connection {
    /// The peer.
    pub(super) stream: UnixStream,
    /// Set by the connection's thread once the peer asked for output.
    pub(super) viewer: AtomicBool,
    /// Set by the connection's thread when the peer is gone.
    pub(super) closed: AtomicBool,
    lent: Mutex<Option<Lent>>,
}

/// The place of a viewer that has all output so far.
#[derive(Debug)]
pub(super) struct Lent {
    pub offset: u64,
    /// The first change of size that it was not sent.
    pub next_resize: u64,
    /// The end of a frame that the peer did not take at once.
    pub rest: Vec<u8>,
}

impl Connection {
    /// A peer that asked for nothing yet.
    pub(super) const fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            viewer: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            lent: Mutex::new(None),
        }
    }

    /// Lets the reader send.
    pub(super) fn lend(&self, lent: Lent) {
        *locked(&self.lent) = Some(lent);
    }

    /// Ends what [`Connection::lend`] began; `None` when there was nothing.
    pub(super) fn take_back(&self) -> Option<Lent> {
        locked(&self.lent).take()
    }

    /// Sends a frame with the output from `offset` to `end` without waiting; false when the
    /// viewer is not there, or does not take it, and its own thread has to look.
    pub(super) fn send_now(&self, frame: &[u8], offset: u64, end: u64, next_resize: u64) -> bool {
        let mut lent = locked(&self.lent);
        let here = |lent: &&mut Lent| {
            lent.offset == offset && lent.next_resize == next_resize && lent.rest.is_empty()
        };
        let Some(lent) = lent.as_mut().filter(here) else {
            return false;
        };
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        // A peer that is gone is noticed by the connection's own threads.
        let Ok(sent) = send(self.stream.as_raw_fd(), frame, flags) else {
            return false;
        };
        lent.offset = end;
        lent.rest.extend_from_slice(&frame[sent..]);
        lent.rest.is_empty()
    }

    /// Writes a frame; waits until the peer takes it.
    pub(super) fn write(&self, frame: &Frame) -> Result<(), PtyError> {
        self.write_bytes(&frame.encode()?)
    }

    /// Writes frames that are encoded; waits until the peer takes them.
    pub(super) fn write_bytes(&self, frames: &[u8]) -> Result<(), PtyError> {
        (&self.stream).write_all(frames)?;
        Ok(())
    }
}
