//! The frames on a holder's socket: u32 little-endian length, one type byte, body.
//!
//! Used by the holder (blocking reads and writes) and by the server's ends (incremental decoding).
//! Holds: a frame is at most 1 MiB with its head; control frames are JSON, bytes travel raw after
//! a fixed head; a frame that breaks these rules ends its connection and nothing else.

use std::io::{self, Read};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::{ExitReport, Hello, Program, PtyError, SIZE_MAX};

/// The largest frame with its head.
pub const FRAME_LEN_MAX: usize = 1024 * 1024;
/// Length and type.
const HEAD_LEN: usize = 5;
/// The largest body of a frame.
pub const BODY_LEN_MAX: usize = FRAME_LEN_MAX - HEAD_LEN;
/// The largest piece of a snapshot or of output in one frame. Larger ones let the allocator of a
/// server keep more for good (decision 20).
pub const PIECE_LEN_MAX: usize = 64 * 1024;

const HELLO: u8 = 1;
const OUTPUT: u8 = 2;
const SNAPSHOT: u8 = 3;
const RESIZED: u8 = 4;
const EXIT: u8 = 5;
const PROGRAM: u8 = 6;
const ATTACH: u8 = 16;
const INPUT: u8 = 17;
const PASTE: u8 = 18;
const RESIZE: u8 = 19;
const STOP: u8 = 20;
const ACK: u8 = 21;
const RESUME: u8 = 22;
const NO_DRAFT: u8 = 23;
const PROMPTED: u8 = 24;

/// More pieces of the same snapshot follow.
const FLAG_MORE: u8 = 1;
/// The snapshot replaces output that this viewer has not been sent.
const FLAG_RESYNC: u8 = 2;

/// A size of a terminal.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
}

impl Size {
    /// This size, moved inside of 1 to 1000.
    #[must_use]
    pub fn clamped(self) -> Self {
        Self {
            cols: self.cols.clamp(1, SIZE_MAX),
            rows: self.rows.clamp(1, SIZE_MAX),
        }
    }
}

/// Ends everything that the run started.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Milliseconds between SIGTERM and SIGKILL.
    pub grace_ms: u64,
    /// See [`ExitReport::because`]; holders of earlier versions pass over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// A piece of a snapshot, or all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotPiece {
    /// The output offset that the snapshot stands for.
    pub offset: u64,
    /// The size that it was written for.
    pub size: Size,
    /// It replaces output that was not sent.
    pub resync: bool,
    /// More pieces follow.
    pub more: bool,
    /// Escape codes.
    pub bytes: Bytes,
}

/// A frame, either way.
#[derive(Clone, Debug)]
pub enum Frame {
    /// From the holder, first on each connection.
    Hello(Hello),
    /// From the holder: output that begins at this offset.
    Output {
        /// Absolute, in bytes since the run's first launch.
        offset: u64,
        /// What the program wrote.
        bytes: Bytes,
    },
    /// From the holder: escape codes that make a fresh terminal equal to this one.
    Snapshot(SnapshotPiece),
    /// From the holder: output from here on is for this size.
    Resized(Size),
    /// From the holder: the run's tree has ended and all output was sent.
    Exit(ExitReport),
    /// From the holder, on connections that are no viewer's: what it knows of the program changed.
    Program(Program),
    /// From the server: this connection is a viewer's.
    Attach,
    /// From the server: keystrokes.
    Input(Bytes),
    /// From the server: a message typed at once.
    Paste(String),
    /// From the server: a new size.
    Resize(Size),
    /// From the server: end the tree.
    Stop(Stop),
    /// From the server: the exit is recorded, the holder may end.
    Ack,
    /// From the server: resume a stopped program.
    Resume,
    /// From the server: what was typed answered a question, and stands at no prompt.
    NoDraft,
    /// From the server, to a holder that told of a key that may have opened a menu: the program took
    /// a prompt, so none is open.
    Prompted,
}

impl Frame {
    /// Writes the frame as it travels.
    ///
    /// # Errors
    /// `TooLong` when the body does not fit into one frame.
    pub fn encode(&self) -> Result<Bytes, PtyError> {
        let mut body = BytesMut::new();
        let kind = match self {
            Self::Hello(hello) => json(HELLO, hello, &mut body)?,
            Self::Output { offset, bytes } => {
                body.reserve(8 + bytes.len());
                body.put_u64_le(*offset);
                body.put_slice(bytes);
                OUTPUT
            }
            Self::Snapshot(piece) => {
                body.reserve(13 + piece.bytes.len());
                body.put_u64_le(piece.offset);
                body.put_u16_le(piece.size.cols);
                body.put_u16_le(piece.size.rows);
                let more = if piece.more { FLAG_MORE } else { 0 };
                let resync = if piece.resync { FLAG_RESYNC } else { 0 };
                body.put_u8(more | resync);
                body.put_slice(&piece.bytes);
                SNAPSHOT
            }
            Self::Resized(size) => json(RESIZED, size, &mut body)?,
            Self::Exit(report) => json(EXIT, report, &mut body)?,
            Self::Program(program) => json(PROGRAM, program, &mut body)?,
            Self::Attach => json(ATTACH, &serde_json::Map::new(), &mut body)?,
            Self::Input(bytes) => {
                body.put_slice(bytes);
                INPUT
            }
            Self::Paste(text) => {
                body.put_slice(text.as_bytes());
                PASTE
            }
            Self::Resize(size) => json(RESIZE, size, &mut body)?,
            Self::Stop(stop) => json(STOP, stop, &mut body)?,
            Self::Ack => json(ACK, &serde_json::Map::new(), &mut body)?,
            Self::Resume => json(RESUME, &serde_json::Map::new(), &mut body)?,
            Self::NoDraft => json(NO_DRAFT, &serde_json::Map::new(), &mut body)?,
            Self::Prompted => json(PROMPTED, &serde_json::Map::new(), &mut body)?,
        };
        assemble(kind, &body)
    }

    /// Reads a frame from its type and body.
    ///
    /// # Errors
    /// `Malformed` or `Body` when the two are no frame.
    pub fn decode(kind: u8, mut body: Bytes) -> Result<Self, PtyError> {
        Ok(match kind {
            HELLO => Self::Hello(serde_json::from_slice(&body)?),
            OUTPUT => {
                let short = |_| PtyError::Malformed("short output");
                let offset = body.try_get_u64_le().map_err(short)?;
                let bytes = body;
                Self::Output { offset, bytes }
            }
            SNAPSHOT => Self::Snapshot(decode_snapshot(body)?),
            RESIZED => Self::Resized(serde_json::from_slice(&body)?),
            EXIT => Self::Exit(serde_json::from_slice(&body)?),
            PROGRAM => Self::Program(serde_json::from_slice(&body)?),
            ATTACH => {
                // Earlier servers send a field that nobody set.
                serde_json::from_slice::<IgnoredAny>(&body)?;
                Self::Attach
            }
            INPUT => Self::Input(body),
            PASTE => {
                let text = String::from_utf8(body.into());
                Self::Paste(text.map_err(|_| PtyError::Malformed("paste not UTF-8"))?)
            }
            RESIZE => Self::Resize(serde_json::from_slice(&body)?),
            STOP => Self::Stop(serde_json::from_slice(&body)?),
            ACK => Self::Ack,
            RESUME => Self::Resume,
            NO_DRAFT => Self::NoDraft,
            PROMPTED => Self::Prompted,
            _ => return Err(PtyError::Malformed("unknown type")),
        })
    }

    /// Takes the next whole frame out of `buffer`; `None` when it is not there yet.
    ///
    /// # Errors
    /// As [`Frame::decode`]; the length is checked before anything is waited for.
    pub fn take(buffer: &mut BytesMut) -> Result<Option<Self>, PtyError> {
        let Some((head, _)) = buffer.split_first_chunk::<HEAD_LEN>() else {
            return Ok(None);
        };
        let (len, kind) = split_head(*head)?;
        if buffer.len() < HEAD_LEN + len {
            buffer.reserve(HEAD_LEN + len - buffer.len());
            return Ok(None);
        }
        buffer.advance(HEAD_LEN);
        let body = buffer.split_to(len).freeze();
        Self::decode(kind, body).map(Some)
    }

    /// Reads the next frame, blocking; `None` at a clean end of the stream.
    ///
    /// # Errors
    /// As [`Frame::decode`], and `Io`.
    pub fn read_from(stream: &mut impl Read) -> Result<Option<Self>, PtyError> {
        let mut head = [0_u8; HEAD_LEN];
        match stream.read_exact(&mut head) {
            Ok(()) => {}
            Err(err) if err.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(err) => return Err(err.into()),
        }
        let (len, kind) = split_head(head)?;
        let mut body = vec![0; len];
        stream.read_exact(&mut body)?;
        Self::decode(kind, body.into()).map(Some)
    }
}

/// The length of what [`output_head`] gives.
pub const OUTPUT_HEAD_LEN: usize = HEAD_LEN + 8;

/// What goes before this many bytes of output in their frame, for who has them in place already.
#[must_use]
pub fn output_head(offset: u64, len: usize) -> [u8; OUTPUT_HEAD_LEN] {
    let mut head = [OUTPUT; OUTPUT_HEAD_LEN];
    head[..4].copy_from_slice(&(8 + len as u32).to_le_bytes());
    head[HEAD_LEN..].copy_from_slice(&offset.to_le_bytes());
    head
}

fn json(kind: u8, value: &impl Serialize, body: &mut BytesMut) -> Result<u8, PtyError> {
    serde_json::to_writer(body.writer(), value)?;
    Ok(kind)
}

fn assemble(kind: u8, body: &[u8]) -> Result<Bytes, PtyError> {
    if body.len() > BODY_LEN_MAX {
        return Err(PtyError::TooLong {
            len: body.len(),
            limit: BODY_LEN_MAX,
        });
    }
    let mut frame = BytesMut::with_capacity(HEAD_LEN + body.len());
    // The length counts the body: a reader knows how much to wait for after the type byte.
    frame.put_u32_le(body.len() as u32);
    frame.put_u8(kind);
    frame.put_slice(body);
    Ok(frame.freeze())
}

fn split_head(head: [u8; HEAD_LEN]) -> Result<(usize, u8), PtyError> {
    let [a, b, c, d, kind] = head;
    let len = u32::from_le_bytes([a, b, c, d]) as usize;
    if len > BODY_LEN_MAX {
        return Err(PtyError::Malformed("longer than a frame may be"));
    }
    Ok((len, kind))
}

fn decode_snapshot(mut body: Bytes) -> Result<SnapshotPiece, PtyError> {
    let short = |_| PtyError::Malformed("short snapshot");
    let offset = body.try_get_u64_le().map_err(short)?;
    let cols = body.try_get_u16_le().map_err(short)?;
    let rows = body.try_get_u16_le().map_err(short)?;
    let flags = body.try_get_u8().map_err(short)?;
    Ok(SnapshotPiece {
        offset,
        size: Size { cols, rows },
        resync: flags & FLAG_RESYNC != 0,
        more: flags & FLAG_MORE != 0,
        bytes: body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pty::Stopped;
    use proptest::prelude::*;

    fn same(left: &Frame, right: &Frame) -> bool {
        format!("{left:?}") == format!("{right:?}")
    }

    fn any_frame() -> impl Strategy<Value = Frame> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from);
        let size = || (any::<u16>(), any::<u16>()).prop_map(|(cols, rows)| Size { cols, rows });
        prop_oneof![
            (any::<u64>(), bytes()).prop_map(|(offset, bytes)| Frame::Output { offset, bytes }),
            (any::<u64>(), size(), any::<bool>(), any::<bool>(), bytes()).prop_map(
                |(offset, size, resync, more, bytes)| Frame::Snapshot(SnapshotPiece {
                    offset,
                    size,
                    resync,
                    more,
                    bytes
                })
            ),
            size().prop_map(Frame::Resized),
            size().prop_map(Frame::Resize),
            Just(Frame::Attach),
            bytes().prop_map(Frame::Input),
            ".*".prop_map(Frame::Paste),
            (any::<u64>(), any::<Option<String>>())
                .prop_map(|(grace_ms, because)| Frame::Stop(Stop { grace_ms, because })),
            Just(Frame::Ack),
            Just(Frame::Resume),
            Just(Frame::NoDraft),
            Just(Frame::Prompted),
            (any::<bool>(), any::<Option<String>>()).prop_map(|(draft, signal)| {
                let stopped = draft.then_some(Stopped { signal });
                Frame::Program(Program {
                    stopped,
                    draft,
                    ..Program::default()
                })
            }),
            (any::<u32>(), any::<Option<i32>>()).prop_map(|(pid, code)| Frame::Exit(ExitReport {
                attempt: 1,
                pid,
                code,
                signal: None,
                because: None,
            })),
        ]
    }

    proptest! {
        #[test]
        fn frames_survive_any_chunking(frames in proptest::collection::vec(any_frame(), 1..8),
                                       cut in 1_usize..40) {
            let mut wire = Vec::new();
            for frame in &frames {
                wire.extend_from_slice(&frame.encode().unwrap());
            }
            let mut buffer = BytesMut::new();
            let mut seen = Vec::new();
            for chunk in wire.chunks(cut) {
                buffer.extend_from_slice(chunk);
                while let Some(frame) = Frame::take(&mut buffer).unwrap() {
                    seen.push(frame);
                }
            }
            prop_assert!(buffer.is_empty());
            prop_assert_eq!(seen.len(), frames.len());
            prop_assert!(seen.iter().zip(&frames).all(|(a, b)| same(a, b)));
            let mut blocking = Vec::new();
            let mut stream = wire.as_slice();
            while let Some(frame) = Frame::read_from(&mut stream).unwrap() {
                blocking.push(frame);
            }
            prop_assert!(blocking.iter().zip(&frames).all(|(a, b)| same(a, b)));
        }

        #[test]
        fn noise_never_panics(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut buffer = BytesMut::from(noise.as_slice());
            while let Ok(Some(_)) = Frame::take(&mut buffer) {}
            let mut stream = noise.as_slice();
            while let Ok(Some(_)) = Frame::read_from(&mut stream) {}
        }
    }

    #[test]
    fn output_in_place_is_the_same_frame() {
        let bytes = Bytes::from_static(b"output");
        let head = output_head(7 << 40, bytes.len());
        let offset = 7 << 40;
        let frame = Frame::Output {
            offset,
            bytes: bytes.clone(),
        };
        assert_eq!(frame.encode().unwrap(), [&head[..], &bytes].concat());
    }

    #[test]
    fn a_frame_longer_than_the_limit_is_refused_before_it_is_read() {
        let mut buffer = BytesMut::new();
        buffer.put_u32_le(FRAME_LEN_MAX as u32);
        buffer.put_u8(INPUT);
        assert!(matches!(
            Frame::take(&mut buffer),
            Err(PtyError::Malformed(_))
        ));
        let long = Frame::Input(vec![0; BODY_LEN_MAX + 1].into());
        assert!(matches!(long.encode(), Err(PtyError::TooLong { .. })));
        assert_eq!(
            Frame::Input(vec![0; BODY_LEN_MAX].into())
                .encode()
                .unwrap()
                .len(),
            FRAME_LEN_MAX
        );
    }
}
