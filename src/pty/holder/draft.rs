//! Whether viewers left a text at the program's prompt that they did not send off.
//!
//! Known from their keys alone: no program tells. A message typed behind such a text would be sent
//! as one with it. In doubt there is one; a key that empties the prompt of every CLI (Ctrl-C, Enter)
//! says that there is none.

/// Longest sequence of a key that is waited for.
const SEQUENCE_LEN_MAX: usize = 64;

/// See the module.
#[derive(Debug, Default, Clone)]
pub(super) struct Draft {
    /// Letters that stand there.
    letters: usize,
    /// A text came back, of unknown length: from the history, or by an undo.
    recalled: bool,
    /// It has lines, or the cursor is not at its end.
    edited: bool,
    /// The last letter is a backslash: Enter behind it makes a line.
    backslash: bool,
    /// Esc was pressed by itself just before.
    escape: bool,
    /// A sequence that is not at its end.
    sequence: Vec<u8>,
    /// Inside of a paste.
    pasting: bool,
}

impl Draft {
    /// True when a text stands at the prompt.
    #[must_use]
    pub(super) const fn is_there(&self) -> bool {
        self.letters > 0 || self.recalled
    }

    /// Nothing stands there, whatever the keys said.
    pub(super) fn clear(&mut self) {
        let pasting = self.pasting;
        *self = Self {
            pasting,
            ..Self::default()
        };
    }

    /// Takes in what a viewer typed, in one message of its terminal.
    pub(super) fn typed(&mut self, keys: &[u8]) {
        for &byte in keys {
            self.byte(byte);
        }
        // A key's sequence comes in one piece, so this is the key Esc itself.
        if self.sequence == b"\x1b" && !self.pasting {
            self.sequence.clear();
            if std::mem::replace(&mut self.escape, true) {
                self.clear();
            }
        }
    }

    fn byte(&mut self, byte: u8) {
        if !self.sequence.is_empty() {
            return self.in_sequence(byte);
        }
        let escape = std::mem::take(&mut self.escape);
        let backslash = std::mem::take(&mut self.backslash);
        match byte {
            0x1b => {
                self.escape = escape;
                self.sequence.push(byte);
            }
            b'\r' | b'\n' if self.pasting => self.line(),
            _ if self.pasting => self.letter(),
            b'\r' if backslash => self.line(),
            // Enter, Ctrl-C
            b'\r' | 0x03 => self.clear(),
            // Backspace
            0x08 | 0x7f => self.letters = self.letters.saturating_sub(1),
            // Ctrl-U: the line up to the cursor.
            0x15 if !self.edited && !self.recalled => self.clear(),
            // Ctrl-P: the history. Ctrl-Y, Ctrl-Z, Ctrl-_: what was taken away comes back.
            0x10 | 0x19 | 0x1a | 0x1f => self.recalled = true,
            b'\n' => self.line(),
            // Ctrl-A, Ctrl-B: the cursor moves.
            0x01 | 0x02 => self.edited = true,
            0x00..0x20 => {}
            b'\\' => {
                self.letter();
                self.backslash = true;
            }
            // The first byte of a letter.
            0x20..0x80 | 0xc0.. => self.letter(),
            0x80..0xc0 => {}
        }
    }

    const fn letter(&mut self) {
        self.letters = self.letters.saturating_add(1);
    }

    const fn line(&mut self) {
        self.letter();
        self.edited = true;
    }

    fn in_sequence(&mut self, byte: u8) {
        self.sequence.push(byte);
        let ends = match self.sequence.as_slice() {
            [_, b'[' | b'O'] => false,
            [_, b'[', .., last] => (0x40..0x7f).contains(last),
            _ => true,
        };
        if !ends && self.sequence.len() < SEQUENCE_LEN_MAX {
            return;
        }
        match std::mem::take(&mut self.sequence).as_slice() {
            b"\x1b[200~" => self.pasting = true,
            b"\x1b[201~" => self.pasting = false,
            // Up: the history.
            b"\x1b[A" | b"\x1bOA" if !self.pasting => self.recalled = true,
            // Alt-Enter, and Shift-Enter as the page types it: a line.
            b"\x1b\r" | b"\x1b[13;2u" => self.line(),
            // Left, Home: the cursor moves.
            b"\x1b[D" | b"\x1bOD" | b"\x1b[H" | b"\x1bOH" | b"\x1b[1~" | b"\x1bb" => {
                self.edited = true;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(keys: &[&str]) -> bool {
        let mut draft = Draft::default();
        for keys in keys {
            draft.typed(keys.as_bytes());
        }
        draft.is_there()
    }

    #[test]
    fn a_text_stands_there_until_it_is_sent_or_taken_away() {
        for keys in [
            &["a"][..],
            &["a", "b", "\x7f"],
            &["é"],
            &["a\r", "b"],
            &["a\\", "\r"],
            &["\x1b\r"],
            &["\x1b[A"],
            &["a", "\x03", "\x1a"],
            &["\x19"],
            &["\x1bOA", "\x1b[B"],
            &["a", "\x1b"],
            &["a", "\x1b[D", "\x1b[I"],
            &["\x1b[200~one\r", "two\r\x1b[201~"],
            &["a\\", "\r", "b", "\x15"],
            &["ab", "\x1b[D", "\x15"],
            &["\x1b[A", "\x15"],
        ] {
            assert!(after(keys), "{keys:?}");
        }
        for keys in [
            &[][..],
            &["a", "\r"],
            &["a\r"],
            &["ab", "\x7f\x7f"],
            &["\x7f", "\x1b", "\x1b[D", "\x1b[I", "\x1b[<35;1;2M", "\t"],
            &["a", "\x03"],
            &["ab", "\x15"],
            &["é", "\x7f"],
            &["a", "\x1b", "\x1b"],
            &["\x1b[200~one\rtwo\x1b[201~", "\r"],
            &["\x1b[A", "\x03"],
        ] {
            assert!(!after(keys), "{keys:?}");
        }
    }

    #[test]
    fn a_cleared_draft_begins_anew() {
        let mut draft = Draft::default();
        draft.typed(b"a\x1b[A");
        draft.clear();
        assert!(!draft.is_there());
        draft.typed(b"b");
        assert!(draft.is_there());
    }
}
