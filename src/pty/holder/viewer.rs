//! What a connection is sent: the exit, and for a viewer the output from its own place on.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::peer::{Connection, Lent};
use super::shared::{HolderState, ResizeMark, Shared};
use crate::pty::output_log::LogReader;
use crate::pty::protocol::{Frame, OUTPUT_HEAD_LEN, PIECE_LEN_MAX, SnapshotPiece, output_head};
use crate::pty::{ExitReport, Program, PtyError};

/// How far a viewer may be behind when it does not keep reading; it is then shown the screen
/// instead of what it missed.
const LAG_LEN_MAX: u64 = 1024 * 1024;
/// A viewer that takes this long for one piece does not keep reading. One that does gets every
/// byte, however fast the program writes.
const SLOW: Duration = Duration::from_millis(250);
/// How long the screen may take to answer.
const SNAPSHOT_WAIT: Duration = Duration::from_secs(20);

/// What all senders read from.
pub(super) struct Source {
    pub shared: Arc<Shared>,
    pub log: LogReader,
    /// How far behind a viewer may be that does keep reading.
    pub lag_len_max: u64,
}

/// Sends Hello, then what the connection is for, until it closes or all is said.
pub(super) fn send(source: &Source, connection: &Arc<Connection>) -> Result<(), PtyError> {
    let hello = source.shared.hello();
    let mut told = hello.exit.is_some();
    let mut program = hello.program.clone();
    connection.write(&Frame::Hello(hello))?;
    loop {
        let begin = source.shared.wait(|state| {
            if connection.closed.load(Ordering::Relaxed) {
                Some(Begin::Closed)
            } else if connection.viewer.load(Ordering::Relaxed) {
                Some(Begin::Attach)
            } else if let Some(exit) = state.exit.as_ref().filter(|_| !told) {
                Some(Begin::Exit(exit.clone()))
            } else if state.program != program {
                Some(Begin::Program(state.program.clone()))
            } else {
                state.closing.then_some(Begin::Closed)
            }
        });
        match begin {
            Begin::Closed => return Ok(()),
            Begin::Attach => return Sender::begin(source, connection)?.run(),
            Begin::Program(now) => {
                connection.write(&Frame::Program(now.clone()))?;
                program = now;
            }
            // A viewer that was about to attach still can.
            Begin::Exit(exit) => {
                connection.write(&Frame::Exit(exit))?;
                told = true;
            }
        }
    }
}

enum Begin {
    Closed,
    Attach,
    Exit(ExitReport),
    Program(Program),
}

enum Step {
    Output {
        len: u64,
    },
    Resized(ResizeMark),
    Resync,
    /// The end of a frame that the reader began to send.
    Rest(Vec<u8>),
    Exit(ExitReport),
    Closed,
}

/// A viewer's place in the output. While the viewer has all of it, the place is lent to the reader,
/// which then sends small output by itself: a key's echo wakes one thread less.
struct Sender<'a> {
    source: &'a Source,
    connection: &'a Arc<Connection>,
    offset: u64,
    next_resize: u64,
    /// The last piece took long.
    slow: bool,
    /// A frame of output is read from the log into its place behind the frame's head.
    buffer: Vec<u8>,
}

impl<'a> Sender<'a> {
    fn begin(source: &'a Source, connection: &'a Arc<Connection>) -> Result<Self, PtyError> {
        let viewer = Arc::clone(connection);
        source.shared.lock().viewers.push(viewer);
        let mut sender = Self {
            source,
            connection,
            offset: 0,
            next_resize: 0,
            slow: false,
            buffer: Vec::new(),
        };
        sender.show_screen(false)?;
        Ok(sender)
    }

    fn run(mut self) -> Result<(), PtyError> {
        let source = self.source;
        loop {
            match source.shared.wait_output(|state| self.look(state)) {
                Step::Closed => return Ok(()),
                Step::Resync => self.show_screen(true)?,
                Step::Resized(mark) => {
                    self.next_resize = mark.seq + 1;
                    self.connection.write(&Frame::Resized(mark.size))?;
                }
                Step::Output { len } => self.send_output(len)?,
                Step::Rest(rest) => self.connection.write_bytes(&rest)?,
                Step::Exit(exit) => return self.connection.write(&Frame::Exit(exit)),
            }
        }
    }

    /// Takes the place back, and lends it when there is nothing to do.
    fn look(&mut self, state: &HolderState) -> Option<Step> {
        if let Some(lent) = self.connection.take_back() {
            self.offset = lent.offset;
            if !lent.rest.is_empty() {
                return Some(Step::Rest(lent.rest));
            }
        }
        let step = self.next_step(state);
        if step.is_none() {
            self.connection.lend(Lent {
                offset: self.offset,
                next_resize: self.next_resize,
                rest: Vec::new(),
            });
        }
        step
    }

    fn next_step(&self, state: &HolderState) -> Option<Step> {
        if self.connection.closed.load(Ordering::Relaxed) {
            return Some(Step::Closed);
        }
        let end = state.extent.end;
        let lag = end.saturating_sub(self.offset);
        let lost = self.offset < state.extent.base;
        // Only forward: the screen may be behind this viewer. Half of what the log keeps is the
        // most that any viewer may be behind, or the log would overtake it.
        let far = lag > LAG_LEN_MAX && self.slow || lag > self.source.lag_len_max;
        if lost || far && state.screen_offset > self.offset {
            return Some(Step::Resync);
        }
        let mark = state.resize_from(self.next_resize);
        if let Some(mark) = mark.filter(|mark| mark.offset <= self.offset) {
            return Some(Step::Resized(mark));
        }
        let until = mark.map_or(end, |mark| mark.offset.min(end));
        let len = until.saturating_sub(self.offset).min(PIECE_LEN_MAX as u64);
        if len > 0 {
            return Some(Step::Output { len });
        }
        state.exit.clone().map(Step::Exit)
    }

    fn send_output(&mut self, len: u64) -> Result<(), PtyError> {
        let body = OUTPUT_HEAD_LEN..OUTPUT_HEAD_LEN + len as usize;
        if self.buffer.len() < body.end {
            self.buffer.resize(body.end, 0);
        }
        let read = self
            .source
            .log
            .read_at(&mut self.buffer[body], self.offset)?;
        // The log may have dropped these bytes while they were read: then they are zeros.
        if self.source.shared.lock().extent.base > self.offset {
            return Ok(());
        }
        let frame = &mut self.buffer[..OUTPUT_HEAD_LEN + read];
        frame[..OUTPUT_HEAD_LEN].copy_from_slice(&output_head(self.offset, read));
        let begin = Instant::now();
        self.connection.write_bytes(frame)?;
        self.slow = begin.elapsed() >= SLOW;
        self.offset += read as u64;
        Ok(())
    }

    fn show_screen(&mut self, resync: bool) -> Result<(), PtyError> {
        let snapshot = self
            .source
            .shared
            .snapshot(SNAPSHOT_WAIT)
            .ok_or(PtyError::Timeout)?;
        let mut pieces = snapshot.bytes.chunks(PIECE_LEN_MAX).peekable();
        while let Some(piece) = pieces.next() {
            self.connection.write(&Frame::Snapshot(SnapshotPiece {
                offset: snapshot.offset,
                size: snapshot.size,
                resync,
                more: pieces.peek().is_some(),
                bytes: Bytes::copy_from_slice(piece),
            }))?;
        }
        self.offset = snapshot.offset;
        self.next_resize = snapshot.next_resize;
        self.slow = false;
        Ok(())
    }
}

impl Drop for Sender<'_> {
    fn drop(&mut self) {
        let own = |viewer: &Arc<Connection>| Arc::ptr_eq(viewer, self.connection);
        self.source.shared.lock().viewers.retain(|it| !own(it));
    }
}
