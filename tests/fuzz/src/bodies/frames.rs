//! The frames on a holder's socket. The first byte says into what pieces the rest is cut.

use abbado::pty::{
    PtyError,
    protocol::{FRAME_LEN_MAX, Frame},
};
use bytes::BytesMut;

/// Whatever the pieces, the same frames and the same end; what was read is written as it was.
pub fn holder_frames(data: &[u8]) {
    let Some((cut, wire)) = data.split_first() else {
        return;
    };
    let whole = taken(wire, wire.len().max(1));
    let pieces = taken(wire, usize::from(*cut).max(1));
    assert_eq!(whole, pieces, "pieces make no difference");
    assert_eq!(whole, read(wire), "blocking or not makes no difference");
}

/// How a stream of frames ends.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// Between two frames, or within one.
    More,
    /// With something that is no frame.
    Broken,
}

fn taken(wire: &[u8], cut: usize) -> (Vec<String>, End) {
    let mut buffer = BytesMut::new();
    let mut frames = Vec::new();
    let mut left = wire;
    for piece in wire.chunks(cut) {
        buffer.extend_from_slice(piece);
        loop {
            let waiting = buffer.len();
            match Frame::take(&mut buffer) {
                Ok(Some(frame)) => {
                    let (came, rest) = left.split_at(waiting - buffer.len());
                    left = rest;
                    frames.push(written(&frame, came));
                }
                Ok(None) => break,
                Err(PtyError::Malformed(_) | PtyError::Body(_)) => return (frames, End::Broken),
                Err(other) => panic!("{other}"),
            }
        }
        assert!(
            buffer.capacity() <= 2 * (FRAME_LEN_MAX + wire.len()),
            "{} bytes wait for one frame",
            buffer.capacity()
        );
    }
    (frames, End::More)
}

fn read(mut wire: &[u8]) -> (Vec<String>, End) {
    let mut frames = Vec::new();
    loop {
        match Frame::read_from(&mut wire) {
            Ok(Some(frame)) => frames.push(format!("{frame:?}")),
            Ok(None) | Err(PtyError::Io(_)) => return (frames, End::More),
            Err(_) => return (frames, End::Broken),
        }
    }
}

/// The frame in words, the same after it was written and read once more. Where bytes travel raw,
/// it is written as it came, but for flags that nobody knows.
fn written(frame: &Frame, came: &[u8]) -> String {
    const FLAGS_AT: usize = 17;
    const FLAGS: u8 = 3;
    let words = format!("{frame:?}");
    let wire = frame.encode().expect("a frame that came fits into a frame");
    assert!(wire.len() <= FRAME_LEN_MAX);
    let mut came = came.to_vec();
    if let Frame::Snapshot(_) = frame {
        came[FLAGS_AT] &= FLAGS;
    }
    if let Frame::Output { .. } | Frame::Snapshot(_) | Frame::Input(_) | Frame::Paste(_) = frame {
        assert_eq!(wire, came);
    }
    let mut buffer = BytesMut::from(&wire[..]);
    let again = Frame::take(&mut buffer).expect("our own frame");
    assert!(buffer.is_empty());
    assert_eq!(format!("{:?}", again.expect("all of it")), words);
    words
}
