//! A connection to a holder: checked, greeted, split into two ends that can be dropped anywhere.

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use uuid::Uuid;

use crate::fault;
use crate::pty::protocol::{BODY_LEN_MAX, Frame, PIECE_LEN_MAX, Size};
use crate::pty::run_files::{find_socket, own_uid};
use crate::pty::{Hello, PROTOCOL, PtyError};

/// How long a holder may take to say Hello; it does nothing else first.
const HELLO_WAIT: Duration = Duration::from_secs(5);
/// Frames that wait for the socket. Holders read at once, so this fills only with a stuck one.
const OUTGOING_LEN_MAX: usize = 32;
/// The largest piece of keystrokes in one frame.
const INPUT_LEN_MAX: usize = 64 * 1024;
/// Less room than this is not read into: an echo is shorter, and many fit into one buffer.
const ROOM_LEN_MIN: usize = 4 * 1024;
/// A new buffer: the frame of a piece of output fits into it, and the beginning of the next.
const READ_LEN: usize = PIECE_LEN_MAX + ROOM_LEN_MIN;

/// Connects to the holder of a run.
///
/// # Errors
/// `NotListening` when there is no holder; `Foreign` when it is another user's or run's; `Protocol`.
pub(crate) async fn connect(
    run_dir: &Path,
    run_id: Uuid,
) -> Result<(Hello, FrameReader, FrameWriter), PtyError> {
    let path = find_socket(run_dir)?.ok_or(PtyError::NotListening)?;
    // The file is there and its holder is not; or it went just now.
    let nobody = [io::ErrorKind::ConnectionRefused, io::ErrorKind::NotFound];
    let stream = UnixStream::connect(path).await.map_err(|error| {
        if nobody.contains(&error.kind()) {
            PtyError::NotListening
        } else {
            PtyError::Io(error)
        }
    })?;
    if stream.peer_cred()?.uid() != own_uid() {
        return Err(PtyError::Foreign);
    }
    let (reading, writing) = stream.into_split();
    let mut reader = FrameReader {
        stream: reading,
        buffer: BytesMut::with_capacity(READ_LEN),
    };
    let first = timeout(fault::wait("holder.hello", HELLO_WAIT), reader.next())
        .await
        .map_err(|_| PtyError::Timeout)??;
    let Frame::Hello(hello) = first.ok_or(PtyError::Closed)? else {
        return Err(PtyError::Malformed("no Hello"));
    };
    if PROTOCOL
        .checked_sub(hello.protocol)
        .is_none_or(|age| age > 1)
    {
        return Err(PtyError::Protocol {
            theirs: hello.protocol,
        });
    }
    if hello.run_id != run_id {
        return Err(PtyError::Foreign);
    }
    Ok((hello, reader, FrameWriter::new(writing)))
}

/// Reads frames; a dropped read loses nothing.
#[derive(Debug)]
pub(crate) struct FrameReader {
    stream: OwnedReadHalf,
    buffer: BytesMut,
}

impl FrameReader {
    /// Reads the next frame; `None` at the end.
    ///
    /// # Errors
    /// When the socket fails or a frame is invalid.
    pub(crate) async fn next(&mut self) -> Result<Option<Frame>, PtyError> {
        loop {
            if let Some(frame) = Frame::take(&mut self.buffer)? {
                return Ok(Some(frame));
            }
            if self.buffer.capacity() - self.buffer.len() < ROOM_LEN_MIN {
                self.buffer.reserve(READ_LEN);
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}

struct Outgoing {
    frame: Bytes,
    written: oneshot::Sender<()>,
}

/// Sends frames through a task that owns the socket, so that a caller that gives up in the middle
/// leaves no half frame behind. The socket's sending end closes with the last clone.
#[derive(Clone, Debug)]
pub struct FrameWriter {
    outgoing: mpsc::Sender<Outgoing>,
}

impl FrameWriter {
    fn new(stream: OwnedWriteHalf) -> Self {
        let (outgoing, waiting) = mpsc::channel(OUTGOING_LEN_MAX);
        tokio::spawn(write_all(stream, waiting));
        Self { outgoing }
    }

    /// Types keystrokes, in pieces that do not hold up what comes behind them.
    ///
    /// # Errors
    /// When the holder is gone.
    pub async fn input(&self, mut bytes: Bytes) -> Result<(), PtyError> {
        const { assert!(INPUT_LEN_MAX <= BODY_LEN_MAX) }
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(INPUT_LEN_MAX));
            self.send(&Frame::Input(piece)).await?;
        }
        Ok(())
    }

    /// Changes the size for all viewers.
    ///
    /// # Errors
    /// When the holder is gone.
    pub async fn resize(&self, cols: u16, rows: u16) -> Result<(), PtyError> {
        self.send(&Frame::Resize(Size { cols, rows })).await
    }

    /// Sends a frame; returns when it is written.
    ///
    /// # Errors
    /// `TooLong`; `Closed` when the holder is gone.
    pub(crate) async fn send(&self, frame: &Frame) -> Result<(), PtyError> {
        let (written, done) = oneshot::channel();
        let frame = frame.encode()?;
        let sent = self.outgoing.send(Outgoing { frame, written }).await;
        sent.map_err(|_| PtyError::Closed)?;
        done.await.map_err(|_| PtyError::Closed)
    }
}

async fn write_all(mut stream: OwnedWriteHalf, mut waiting: mpsc::Receiver<Outgoing>) {
    while let Some(Outgoing { frame, written }) = waiting.recv().await {
        if stream.write_all(&frame).await.is_err() {
            // Dropping the receiver tells all senders; the reading end tells why.
            return;
        }
        // Whoever gave up waiting does not need to know.
        written.send(()).ok();
    }
}
