//! Our ends of a program's streams, served from one thread.

use crate::git::{Context, GitError};
use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use std::{
    io::{self, PipeReader, PipeWriter, Read, Write},
    os::fd::AsFd,
    time::Duration,
};

/// Output read at once.
const PIECE_LEN: usize = 64 * 1024;

/// Our ends of its streams; each is closed when it closed its own.
pub(super) struct Pipes {
    input: Option<Input>,
    stdout: Option<PipeReader>,
    stderr: Option<PipeReader>,
}

/// What it is given to read; its pipe does not block.
pub(super) struct Input {
    pipe: PipeWriter,
    bytes: Vec<u8>,
    written: usize,
}

/// A piece of what it wrote.
pub(super) enum Printed<'a> {
    Output(&'a [u8]),
    Complaint(&'a [u8]),
}

impl Pipes {
    pub(super) fn new(input: Option<Input>, stdout: PipeReader, stderr: PipeReader) -> Self {
        Self {
            input,
            stdout: Some(stdout),
            stderr: Some(stderr),
        }
    }

    /// Whether it may still write something.
    pub(super) fn are_open(&self) -> bool {
        self.stdout.is_some() || self.stderr.is_some()
    }

    /// Waits until it reads or writes, for so long at most, and passes that on. Says whether there
    /// was anything.
    pub(super) fn pass(
        &mut self,
        wait: Duration,
        hand_on: &mut dyn FnMut(Printed<'_>) -> Result<(), GitError>,
    ) -> Result<bool, GitError> {
        let (write, out, err) = self.ready(wait)?;
        if write && self.input.as_mut().is_some_and(|input| !input.feed()) {
            self.input = None;
        }
        let mut piece = [0; PIECE_LEN];
        if out && let Some(read) = read(&mut self.stdout, &mut piece) {
            hand_on(Printed::Output(&piece[..read]))?;
        }
        if err && let Some(read) = read(&mut self.stderr, &mut piece) {
            hand_on(Printed::Complaint(&piece[..read]))?;
        }
        Ok(write || out || err)
    }

    /// Which of stdin, stdout and stderr can be used without waiting.
    fn ready(&self, wait: Duration) -> Result<(bool, bool, bool), GitError> {
        let input = self.input.as_ref().map(|input| input.pipe.as_fd());
        let readers = [&self.stdout, &self.stderr].map(|pipe| pipe.as_ref().map(AsFd::as_fd));
        let wanted = [
            (input, PollFlags::POLLOUT),
            (readers[0], PollFlags::POLLIN),
            (readers[1], PollFlags::POLLIN),
        ];
        let open = wanted
            .iter()
            .filter_map(|(fd, flags)| Some(PollFd::new((*fd)?, *flags)));
        let mut open: Vec<_> = open.collect();
        let wait = PollTimeout::try_from(wait).unwrap_or(PollTimeout::ZERO);
        match poll(&mut open, wait) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("reading from git"),
        }
        let mut open = open.iter();
        let ready = wanted.map(|(fd, _)| fd.is_some() && open.next().is_some_and(is_ready));
        Ok((ready[0], ready[1], ready[2]))
    }
}

fn is_ready(fd: &PollFd<'_>) -> bool {
    fd.any().unwrap_or(true)
}

/// Reads a piece; at its end, or when it fails, the pipe is closed.
fn read(pipe: &mut Option<PipeReader>, piece: &mut [u8]) -> Option<usize> {
    match pipe.as_mut()?.read(piece) {
        Ok(read) if read > 0 => Some(read),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
        Ok(_) | Err(_) => {
            *pipe = None;
            None
        }
    }
}

impl Input {
    /// # Errors
    /// When the pipe cannot be set not to block.
    pub(super) fn new(pipe: PipeWriter, bytes: Vec<u8>) -> io::Result<Self> {
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self {
            pipe,
            bytes,
            written: 0,
        })
    }

    /// Writes what there is room for; says whether there is more. A program that ends early closes
    /// its side, and its status tells the rest.
    fn feed(&mut self) -> bool {
        match self.pipe.write(&self.bytes[self.written..]) {
            Ok(written) => {
                self.written += written;
                self.written < self.bytes.len()
            }
            Err(error) => matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
            ),
        }
    }
}
