//! Cuts the stream of `git diff-tree -p` into the patches of single files.
//!
//! A patch begins with a line `diff --git `. No other line can begin so: lines of text begin with
//! a space, a plus, a minus or a backslash, and those of a binary patch hold no space.

use super::GitError;

const HEAD: &[u8] = b"diff --git ";

#[derive(Default)]
pub(super) struct Splitter {
    /// The patch that is being read.
    patch: Vec<u8>,
    /// Where its last line, which may be half read, begins.
    line: usize,
}

type Each<'a> = &'a mut dyn FnMut(Vec<u8>) -> Result<(), GitError>;

impl Splitter {
    /// Takes a piece of the stream, and passes on each patch that is complete.
    pub(super) fn take(&mut self, piece: &[u8], each: Each<'_>) -> Result<(), GitError> {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.patch.extend_from_slice(part);
            if !part.ends_with(b"\n") {
                continue;
            }
            if self.line > 0 && self.patch[self.line..].starts_with(HEAD) {
                let next = self.patch.split_off(self.line);
                each(std::mem::replace(&mut self.patch, next))?;
            }
            self.line = self.patch.len();
        }
        Ok(())
    }

    /// Passes the last patch on.
    pub(super) fn end(self, each: Each<'_>) -> Result<(), GitError> {
        if self.patch.is_empty() {
            return Ok(());
        }
        each(self.patch)
    }
}
