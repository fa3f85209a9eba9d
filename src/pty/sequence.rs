//! Knows whether terminal output was cut inside an escape sequence or a character.
//!
//! A snapshot stands for a place in the output; when that place lies inside a sequence, the bytes
//! of the unfinished sequence must follow the snapshot, or the viewer's terminal would print the
//! rest of it. The states are those of the emulator's own parser, which does not tell them.

/// How much of an unfinished sequence is kept. Only strings (clipboard, images) get longer; the
/// viewer's terminal then takes the string as shortened, and still ends it in the right place.
const PENDING_LEN_MAX: usize = 4096;

const ESC: u8 = 0x1b;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum State {
    #[default]
    Ground,
    Escape,
    EscapeIntermediate,
    Csi,
    Osc,
    DcsEntry,
    DcsParam,
    DcsIntermediate,
    DcsData,
    /// Ended by ESC, CAN and SUB alone.
    Ignored,
}

/// Follows output byte by byte.
#[derive(Debug, Default)]
pub struct SequenceTracker {
    state: State,
    /// The unfinished sequence, without controls in its middle: those took effect at once.
    pending: Vec<u8>,
    /// Margins were set since the last full reset.
    margins: bool,
    /// The last bytes of plain text, for a character that was cut.
    text: [u8; 3],
    text_len: usize,
}

impl SequenceTracker {
    /// Follows `bytes` up to and with the first full reset (`ESC c`), else to the end; tells how
    /// many bytes that were, and whether it was a reset.
    pub fn advance(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            if self.state == State::Ground {
                let plain = rest
                    .iter()
                    .position(|&byte| byte == ESC)
                    .unwrap_or(rest.len());
                self.remember_text(&rest[..plain]);
                at += plain;
                if plain < rest.len() {
                    self.begin();
                    at += 1;
                }
                continue;
            }
            at += 1;
            if self.step(rest[0]) {
                return (at, true);
            }
        }
        (at, false)
    }

    /// Returns the bytes that began something and did not end it.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        if self.state != State::Ground {
            return &self.pending;
        }
        let text = &self.text[..self.text_len];
        (0..text.len())
            .map(|from| &text[from..])
            .find(|tail| {
                std::str::from_utf8(tail)
                    .is_err_and(|err| err.valid_up_to() == 0 && err.error_len().is_none())
            })
            .unwrap_or_default()
    }

    /// Tells whether the output so far stopped between two things, in a terminal without margins.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        !self.margins && self.pending().is_empty()
    }

    /// Takes margins for set.
    pub const fn suspect_margins(&mut self) {
        self.margins = true;
    }

    fn begin(&mut self) {
        self.state = State::Escape;
        self.pending.clear();
        self.pending.push(ESC);
        self.text_len = 0;
    }

    fn end(&mut self) {
        self.state = State::Ground;
        self.pending.clear();
    }

    fn go_on(&mut self, byte: u8, state: State) {
        self.state = state;
        if self.pending.len() < PENDING_LEN_MAX {
            self.pending.push(byte);
        }
    }

    fn remember_text(&mut self, plain: &[u8]) {
        for &byte in plain.iter().rev().take(self.text.len()).rev() {
            if self.text_len == self.text.len() {
                self.text.rotate_left(1);
                self.text_len -= 1;
            }
            self.text[self.text_len] = byte;
            self.text_len += 1;
        }
    }

    /// One byte inside a sequence; true when it completed a full reset.
    fn step(&mut self, byte: u8) -> bool {
        match (self.state, byte) {
            (_, 0x18 | 0x1a) => self.end(),
            (_, ESC) => self.begin(),
            (State::Escape | State::EscapeIntermediate | State::Csi, 0x00..=0x1f) => {}
            (State::Escape, _) => return self.step_escape(byte),
            (State::EscapeIntermediate, 0x30..=0x7e) | (State::Csi, 0x40..=0x7e) => {
                self.margins |= self.state == State::Csi && byte == b'r';
                self.end();
            }
            (State::Osc, 0x07) | (State::DcsData, 0x9c) => self.end(),
            (State::DcsEntry | State::DcsParam | State::DcsIntermediate, _) => self.step_dcs(byte),
            (state, _) => self.go_on(byte, state),
        }
        false
    }

    fn step_escape(&mut self, byte: u8) -> bool {
        match byte {
            0x20..=0x2f => self.go_on(byte, State::EscapeIntermediate),
            b'P' => self.go_on(byte, State::DcsEntry),
            b'[' => self.go_on(byte, State::Csi),
            b']' => self.go_on(byte, State::Osc),
            b'X' | b'^' | b'_' => self.go_on(byte, State::Ignored),
            0x30..=0x7e => {
                self.end();
                self.margins &= byte != b'c';
                return byte == b'c';
            }
            _ => {}
        }
        false
    }

    fn step_dcs(&mut self, byte: u8) {
        let next = match (self.state, byte) {
            (_, 0x20..=0x2f) => State::DcsIntermediate,
            (_, 0x40..=0x7e) => State::DcsData,
            (State::DcsEntry, 0x30..=0x3f) | (State::DcsParam, 0x30..=0x3b) => State::DcsParam,
            (State::DcsParam | State::DcsIntermediate, 0x30..=0x3f) => State::Ignored,
            (state, _) => state,
        };
        self.go_on(byte, next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending_after(bytes: &[u8]) -> Vec<u8> {
        let mut whole = SequenceTracker::default();
        let mut at = 0;
        while at < bytes.len() {
            at += whole.advance(&bytes[at..]).0;
        }
        let mut single = SequenceTracker::default();
        for byte in bytes {
            single.advance(std::slice::from_ref(byte));
        }
        assert_eq!(
            whole.pending(),
            single.pending(),
            "chunking must not matter"
        );
        whole.pending().to_vec()
    }

    #[test]
    fn what_is_unfinished_is_kept_and_nothing_else() {
        let cases: [(&[u8], &[u8]); 16] = [
            (b"plain", b""),
            (b"a\x1b", b"\x1b"),
            (b"a\x1b[3", b"\x1b[3"),
            (b"a\x1b[3\n1", b"\x1b[31"),
            (b"a\x1b[31m", b""),
            (b"\x1b[31\x18x", b""),
            (b"\x1b[31\x1b[4", b"\x1b[4"),
            (b"\x1b(", b"\x1b("),
            (b"\x1b(B", b""),
            (b"\x1b]0;ti", b"\x1b]0;ti"),
            (b"\x1b]0;ti\x07", b""),
            (b"\x1b]0;ti\x1b", b"\x1b"),
            (b"\x1bP1$qm\x9c", b""),
            ("gr\u{fc}n\u{1F600}".as_bytes(), b""),
            (b"x\xf0\x9f\x98", b"\xf0\x9f\x98"),
            (b"x\xe4\xb8", b"\xe4\xb8"),
        ];
        for (bytes, pending) in cases {
            assert_eq!(
                pending_after(bytes),
                pending,
                "after {:?}",
                bytes.escape_ascii().to_string()
            );
        }
    }

    #[test]
    fn a_reset_stops_the_count_and_a_long_string_is_cut() {
        let mut tracker = SequenceTracker::default();
        assert_eq!(tracker.advance(b"ab\x1bcde"), (4, true));
        assert_eq!(tracker.advance(b"de"), (2, false));
        tracker.advance(b"\x1b]52;c;");
        tracker.advance(&[b'A'; 100_000]);
        assert_eq!(tracker.pending().len(), PENDING_LEN_MAX);
        tracker.advance(b"\x07");
        assert!(tracker.pending().is_empty());
    }
}
