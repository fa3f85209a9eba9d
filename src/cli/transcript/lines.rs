//! Cuts bytes into lines, and follows a file that grows.

use crate::files;
use serde::Deserialize;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Longest line that is understood; of a longer one nothing is kept. A tool result may hold a
/// whole file, so lines of some MiB are ordinary.
const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// No session writes so much: a larger file is not a transcript, or has a hole.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// Read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// The buffer of an unfinished line is given back when it has grown beyond this.
const KEPT_BYTES_MAX: usize = 1024 * 1024;

/// Bytes in, whole lines out, whatever the pieces.
#[derive(Default)]
pub(super) struct Lines {
    /// Start of a line whose end has not come.
    partial: Vec<u8>,
    /// Bytes of the present line beyond the longest allowed.
    overlong: bool,
    /// All bytes taken in.
    taken: u64,
    /// Bytes up to the end of the last whole line.
    consumed: u64,
}

impl Lines {
    /// Starts at a place in the input, the beginning of a line.
    pub(super) fn at(offset: u64) -> Self {
        Self {
            taken: offset,
            consumed: offset,
            ..Self::default()
        }
    }

    /// Where the last whole line ends.
    pub(super) const fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Leaves out bytes that are lost, and the line that they belong to.
    pub(super) fn pass_over(&mut self, bytes: u64) {
        self.taken += bytes;
        self.consumed = self.taken;
        self.clear();
    }

    /// Takes the next bytes and calls `each` for every line that they end, without its newline.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8])) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            self.taken += end as u64 + 1;
            self.consumed = self.taken;
            bytes = rest;
            if self.overlong || self.partial.len() + line.len() > LINE_BYTES_MAX {
                log::debug!(limit = LINE_BYTES_MAX; "Skipped a line that is longer than the limit.");
            } else if self.partial.is_empty() {
                each(line);
            } else {
                self.partial.extend_from_slice(line);
                each(&self.partial);
            }
            self.clear();
        }
        self.taken += bytes.len() as u64;
        if self.overlong || self.partial.len() + bytes.len() > LINE_BYTES_MAX {
            self.clear();
            self.overlong = true;
        } else {
            self.partial.extend_from_slice(bytes);
        }
    }

    fn clear(&mut self) {
        self.overlong = false;
        if self.partial.capacity() > KEPT_BYTES_MAX {
            self.partial = Vec::new();
        } else {
            self.partial.clear();
        }
    }
}

/// A record of which the parts that matter are read; none for a blank line, and for what is no
/// record.
pub(super) fn parsed<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Option<T> {
    if line.iter().all(u8::is_ascii_whitespace) {
        return None;
    }
    let parsed = serde_json::from_slice(line).ok();
    if parsed.is_none() {
        log::debug!(bytes = line.len(); "A line of a session is no record.");
    }
    parsed
}

/// The JSON object in a line of a terminal, which may be sent escape codes before and after it.
pub(super) fn record(line: &[u8]) -> Option<&[u8]> {
    let start = line.iter().position(|byte| *byte == b'{')?;
    let end = line.iter().rposition(|byte| *byte == b'}')?;
    line.get(start..=end)
}

/// A file that only grows, and how far it has been read.
pub(crate) struct Tail {
    path: PathBuf,
    lines: Lines,
}

impl Tail {
    /// Begins at the beginning.
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            lines: Lines::default(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the last whole line ends.
    pub(super) const fn consumed(&self) -> u64 {
        self.lines.consumed()
    }

    /// Reads to the present end of the file, or to `limit`. A file that is not there is empty; one
    /// that has become shorter is another file, read from its beginning.
    ///
    /// # Errors
    /// When the file cannot be opened or read. The cursor stays behind what was given to `each`.
    pub(super) fn read(
        &mut self,
        limit: Option<u64>,
        mut each: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        let Some(mut file) = files::if_there(files::open(&self.path))? else {
            return Ok(());
        };
        // The end is fixed now: a writer that never pauses must not hold the reader for ever.
        let length = file.metadata()?.len();
        if length > FILE_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it is too large for a transcript",
            ));
        }
        if length < self.lines.taken {
            log::debug!(length, read = self.lines.taken; "A transcript became shorter; reading it again from the start.");
            self.lines = Lines::default();
        }
        let end = limit.map_or(length, |limit| limit.min(length));
        let wanted = end.saturating_sub(self.lines.taken);
        file.seek(SeekFrom::Start(self.lines.taken))?;
        let mut input = file.take(wanted);
        let mut chunk = vec![0_u8; CHUNK_BYTES];
        loop {
            match input.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(count) => self.lines.feed(&chunk[..count], &mut each),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, u64) {
        let mut lines = Lines::default();
        let mut out = Vec::new();
        for piece in pieces {
            lines.feed(piece, |line| out.push(line.to_vec()));
        }
        (out, lines.consumed())
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(text in "[ab\n]{0,40}", sizes in prop::collection::vec(1_usize..7, 1..9)) {
            let bytes = text.as_bytes();
            let whole = cut(&[bytes]);
            let mut pieces = Vec::new();
            let (mut rest, mut turn) = (bytes, 0);
            while !rest.is_empty() {
                let (head, tail) = rest.split_at(sizes[turn % sizes.len()].min(rest.len()));
                pieces.push(head);
                rest = tail;
                turn += 1;
            }
            prop_assert_eq!(&cut(&pieces), &whole);
            let end = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at as u64 + 1);
            prop_assert_eq!(whole.1, end);
        }
    }

    #[test]
    fn an_overlong_line_is_passed_over_and_costs_no_memory() {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        let mib = vec![b'x'; 1024 * 1024];
        for _ in 0..70 {
            lines.feed(&mib, |line| seen.push(line.len()));
        }
        assert!(
            lines.partial.capacity() <= KEPT_BYTES_MAX,
            "{}",
            lines.partial.capacity()
        );
        lines.feed(b"x\nnext\n", |line| seen.push(line.len()));
        assert_eq!(seen, [4]);
        assert_eq!(lines.consumed(), 70 * 1024 * 1024 + 7);
    }

    #[test]
    fn a_long_line_is_kept_only_until_its_end() {
        let mut lines = Lines::default();
        let mut longest = 0;
        lines.feed(&vec![b'x'; 8 * 1024 * 1024], |_| ());
        lines.feed(b"\n", |line| longest = line.len());
        assert_eq!(longest, 8 * 1024 * 1024);
        assert_eq!(lines.partial.capacity(), 0);
    }

    #[test]
    fn a_file_is_followed_and_a_shorter_one_is_read_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t");
        let mut tail = Tail::new(&path);
        let read = |tail: &mut Tail, limit| {
            let mut out = Vec::new();
            tail.read(limit, |line| {
                out.push(String::from_utf8_lossy(line).into_owned());
            })
            .unwrap();
            out
        };
        assert!(read(&mut tail, None).is_empty());
        std::fs::write(&path, "one\ntwo\nthr").unwrap();
        assert_eq!(read(&mut tail, Some(4)), ["one"]);
        assert_eq!(read(&mut tail, None), ["two"]);
        assert_eq!(tail.consumed(), 8);
        std::fs::write(&path, "one\ntwo\nthree\n").unwrap();
        assert_eq!(read(&mut tail, None), ["three"]);
        std::fs::write(&path, "new\n").unwrap();
        assert_eq!(read(&mut tail, None), ["new"]);
    }
}
