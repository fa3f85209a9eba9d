//! Cuts the stream of `git diff-tree -p` into the patches of single files.
//!
//! A patch begins with a line `diff --git `. No other line can begin so: lines of text begin with
//! a space, a plus, a minus or a backslash, and those of a binary patch hold no space.

use super::GitError;

const HEAD: &[u8] = b"diff --git ";

/// The cutter.
pub(super) struct Splitter {
    /// The patch that is being read.
    patch: Vec<u8>,
    /// Where its last line, which may be half read, begins.
    line: usize,
}

type Each<'a> = &'a mut dyn FnMut(Vec<u8>) -> Result<(), GitError>;

impl Splitter {
    pub(super) const fn new() -> Self {
        Self {
            patch: Vec::new(),
            line: 0,
        }
    }

    /// Takes a piece of the stream; tells each patch that is complete.
    pub(super) fn take(&mut self, piece: &[u8], each: Each<'_>) -> Result<(), GitError> {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.patch.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.line_ended(each)?;
            }
        }
        Ok(())
    }

    fn line_ended(&mut self, each: Each<'_>) -> Result<(), GitError> {
        if self.line > 0 && self.patch[self.line..].starts_with(HEAD) {
            let next = self.patch.split_off(self.line);
            each(std::mem::replace(&mut self.patch, next))?;
        }
        self.line = self.patch.len();
        Ok(())
    }

    /// Tells the last patch.
    pub(super) fn end(self, each: Each<'_>) -> Result<(), GitError> {
        if self.patch.is_empty() {
            return Ok(());
        }
        each(self.patch)
    }
}
