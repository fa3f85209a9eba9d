//! The server's end for one attached viewer: a connection of its own, begun with a snapshot.
//!
//! Called by `http` for each terminal socket. Holds: after a snapshot at offset `n` the output
//! from `n` on follows, without gap or repetition, until the next snapshot.

use std::path::Path;

use bytes::Bytes;
use uuid::Uuid;

use super::protocol::{Frame, Size, SnapshotPiece};
use super::session::{FrameReader, FrameWriter, connect};
use super::{ExitReport, Hello, PtyError};

/// From this protocol on a holder answers what programs ask, and takes colours for it.
const TAKES_COLORS: u32 = 2;

/// What a viewer is sent.
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
    Snapshot(SnapshotPiece),
    /// Output from here on is for this size.
    Resized(Size),
    /// The run's tree has ended and all output was sent; nothing follows.
    Exit(ExitReport),
}

/// Attaches a viewer to a run's living holder. For a run without one, the last screen is in
/// [`super::last_screen`].
///
/// # Errors
/// `NotListening` when there is no holder, else as the socket fails.
pub async fn attach(run_dir: &Path, run_id: Uuid) -> Result<Viewer, PtyError> {
    let (hello, frames, writer) = connect(run_dir, run_id).await?;
    writer.send(&Frame::Attach).await?;
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
    pub fn split(self) -> (ViewerReader, FrameWriter) {
        let reader = ViewerReader {
            frames: self.frames,
            begun: false,
        };
        (reader, self.writer)
    }
}

/// What comes from the run. Not reading it holds up this viewer only.
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
    /// When the socket fails or a frame is invalid.
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
            Frame::Snapshot(piece) => ToViewer::Snapshot(piece),
            Frame::Resized(size) => ToViewer::Resized(size),
            // What came before the holder knew us for a viewer.
            Frame::Program(_) => return Ok(None),
            // An exit that came before the holder knew us for a viewer; it comes again at the end.
            Frame::Exit(_) if !self.begun => return Ok(None),
            Frame::Exit(exit) => ToViewer::Exit(exit),
            Frame::Hello(_)
            | Frame::Attach
            | Frame::Input(_)
            | Frame::Paste(_)
            | Frame::Resize(_)
            | Frame::Stop(_)
            | Frame::Ack
            | Frame::Resume
            | Frame::NoDraft
            | Frame::Prompted => return Err(PtyError::Malformed("not for a viewer")),
        };
        self.begun = true;
        Ok(Some(told))
    }
}
