//! The server's end for one attached viewer: a connection of its own, begun with a snapshot.
//!
//! Called by `http` for each terminal socket. Holds: after a snapshot at offset `n` the output
//! from `n` on follows, without gap or repetition, until the next snapshot.

use std::path::Path;

use bytes::Bytes;
use uuid::Uuid;

use super::protocol::{Attach, Frame, Size};
use super::session::{FrameReader, FrameWriter, connect};
use super::{ExitReport, Hello, PtyError};

/// From this protocol on a holder answers what programs ask, and takes colours for it.
const TAKES_COLORS: u32 = 2;

/// What a viewer is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToViewer {
    /// What the program wrote, from this offset on.
    Output {
        /// Absolute, in bytes since the run's first launch.
        offset: u64,
        /// As written.
        bytes: Bytes,
    },
    /// Escape codes that make a terminal of this size equal to the run's, whatever it showed; or a
    /// piece of them, with which all say the same of the rest.
    Snapshot {
        /// The output that goes on from here.
        offset: u64,
        /// Columns.
        cols: u16,
        /// Rows.
        rows: u16,
        /// Begin with a full reset.
        bytes: Bytes,
        /// It replaces output that this viewer was too slow for.
        resync: bool,
        /// Another piece of it is next.
        more: bool,
    },
    /// Output from here on is for this size.
    Resized {
        /// Columns.
        cols: u16,
        /// Rows.
        rows: u16,
    },
    /// The run's tree has ended and all output was told; nothing follows.
    Exit(ExitReport),
}

/// Attaches a viewer to a run's living holder. For a run without one, the last screen is in
/// [`super::last_screen`].
///
/// # Errors
/// `NotListening` when there is no holder, else as the socket fails.
pub async fn attach(run_dir: &Path, run_id: Uuid) -> Result<Viewer, PtyError> {
    attach_from(run_dir, run_id, None).await
}

/// Attaches a viewer that has seen the output up to `from` and goes on there, after a `Resized`;
/// when that output is no longer kept, it begins with a snapshot.
///
/// # Errors
/// As [`attach`].
pub(crate) async fn attach_from(
    run_dir: &Path,
    run_id: Uuid,
    from: Option<u64>,
) -> Result<Viewer, PtyError> {
    let (hello, frames, writer) = connect(run_dir, run_id).await?;
    writer.send(&Frame::Attach(Attach { from })).await?;
    Ok(Viewer {
        hello,
        frames,
        writer,
    })
}

/// An attached viewer.
#[derive(Debug)]
pub struct Viewer {
    hello: Hello,
    frames: FrameReader,
    writer: FrameWriter,
}

impl Viewer {
    /// Tells what the holder said first.
    #[must_use]
    pub const fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Whether the holder answers what programs ask, and takes colours for it.
    #[must_use]
    pub const fn takes_colors(&self) -> bool {
        self.hello.protocol >= TAKES_COLORS
    }

    /// Splits it. The connection closes when the writer is dropped.
    #[must_use]
    pub fn split(self) -> (ViewerReader, ViewerWriter) {
        let reader = ViewerReader {
            frames: self.frames,
            begun: false,
        };
        (
            reader,
            ViewerWriter {
                writer: self.writer,
            },
        )
    }
}

/// What comes from the run. Not reading it holds nobody up but this viewer.
#[derive(Debug)]
pub struct ViewerReader {
    frames: FrameReader,
    /// Something other than an exit has come.
    begun: bool,
}

impl ViewerReader {
    /// Waits for what is next; `None` when the holder is gone. May be dropped and called again.
    ///
    /// # Errors
    /// When the socket fails or what comes is no frame.
    pub async fn next(&mut self) -> Result<Option<ToViewer>, PtyError> {
        while let Some(frame) = self.frames.next().await? {
            if let Some(told) = self.translate(frame)? {
                return Ok(Some(told));
            }
        }
        Ok(None)
    }

    fn translate(&mut self, frame: Frame) -> Result<Option<ToViewer>, PtyError> {
        let told = match frame {
            Frame::Output { offset, bytes } => ToViewer::Output { offset, bytes },
            Frame::Snapshot(piece) => ToViewer::Snapshot {
                offset: piece.offset,
                cols: piece.size.cols,
                rows: piece.size.rows,
                bytes: piece.bytes,
                resync: piece.resync,
                more: piece.more,
            },
            Frame::Resized(Size { cols, rows }) => ToViewer::Resized { cols, rows },
            // What came before the holder knew us for a viewer.
            Frame::Program(_) => return Ok(None),
            // An exit that came before the holder knew us for a viewer; it comes again at the end.
            Frame::Exit(_) if !self.begun => return Ok(None),
            Frame::Exit(exit) => ToViewer::Exit(exit),
            Frame::Hello(_)
            | Frame::Attach(_)
            | Frame::Input(_)
            | Frame::Paste(_)
            | Frame::Resize(_)
            | Frame::Stop(_)
            | Frame::Ack
            | Frame::GoOn
            | Frame::NoDraft
            | Frame::Prompted => return Err(PtyError::Malformed("not for a viewer")),
        };
        self.begun = true;
        Ok(Some(told))
    }
}

/// What goes to the run.
#[derive(Clone, Debug)]
pub struct ViewerWriter {
    writer: FrameWriter,
}

impl ViewerWriter {
    /// Types keystrokes.
    ///
    /// # Errors
    /// When the holder is gone.
    pub async fn input(&self, bytes: Bytes) -> Result<(), PtyError> {
        self.writer.input(bytes).await
    }

    /// Changes the size for all viewers.
    ///
    /// # Errors
    /// When the holder is gone.
    pub async fn resize(&self, cols: u16, rows: u16) -> Result<(), PtyError> {
        self.writer.send(&Frame::Resize(Size { cols, rows })).await
    }
}
