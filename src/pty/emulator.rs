//! The screen that the program's output makes, and the snapshot of it.
//!
//! Used by the holder's emulator thread and, over a finished run's log, by nobody: the last screen
//! is kept in a file. Holds: the snapshot after `n` bytes of output, shown by a fresh terminal of
//! the same size, and the bytes from `n` on make the same screen as the whole output.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::panic::{AssertUnwindSafe, catch_unwind};

use vt100::{Callbacks, Parser, Screen};

use super::protocol::Size;
use super::sequence::SequenceTracker;
use super::{SCROLLBACK_LINES_MAX, SIZE_MAX, snapshot};

/// Longest title that is kept.
const TITLE_LEN_MAX: usize = 1024;

/// How much output is lost to the screen when the emulator's crate panics.
const GUARDED_LEN: usize = 4096;

/// Modes that the emulator does not know and a viewer's terminal does: autowrap, blinking cursor,
/// focus reports, alternate scroll, two mouse encodings, colour scheme reports.
const FORWARDED_MODES: [u16; 7] = [7, 12, 1004, 1007, 1015, 1016, 2031];

/// What a terminal has beside its screen.
#[derive(Debug, Default)]
struct Extras {
    title: Vec<u8>,
    icon: Vec<u8>,
    modes: BTreeMap<u16, bool>,
}

impl Callbacks for Extras {
    fn set_window_icon_name(&mut self, _: &mut Screen, icon: &[u8]) {
        self.icon = icon.iter().take(TITLE_LEN_MAX).copied().collect();
    }

    fn set_window_title(&mut self, _: &mut Screen, title: &[u8]) {
        self.title = title.iter().take(TITLE_LEN_MAX).copied().collect();
    }

    fn unhandled_osc(&mut self, screen: &mut Screen, params: &[&[u8]]) {
        // A title with a semicolon in it arrives split.
        match params {
            [kind @ (b"0" | b"1" | b"2"), text @ ..] if text.len() > 1 => {
                let text = text.join(&b';');
                if *kind != b"2" {
                    self.set_window_icon_name(screen, &text);
                }
                if *kind != b"1" {
                    self.set_window_title(screen, &text);
                }
            }
            _ => {}
        }
    }

    fn unhandled_csi(
        &mut self,
        _: &mut Screen,
        first: Option<u8>,
        second: Option<u8>,
        params: &[&[u16]],
        action: char,
    ) {
        if first != Some(b'?') || second.is_some() || !matches!(action, 'h' | 'l') {
            return;
        }
        for mode in params.iter().filter_map(|param| param.first()) {
            if FORWARDED_MODES.contains(mode) {
                self.modes.insert(*mode, action == 'h');
            }
        }
    }
}

/// A terminal without a window.
pub struct Emulator {
    parser: Parser<Extras>,
    tracker: SequenceTracker,
}

impl Emulator {
    /// Makes a fresh terminal. A size outside of 1 to 1000 is moved inside.
    #[must_use]
    pub fn new(size: Size) -> Self {
        let (rows, cols) = grid_size(size);
        let parser =
            Parser::new_with_callbacks(rows, cols, SCROLLBACK_LINES_MAX, Extras::default());
        Self {
            parser,
            tracker: SequenceTracker::default(),
        }
    }

    /// Takes output in, cut anywhere.
    pub fn process(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (len, reset) = self.tracker.advance(bytes);
            let (now, rest) = bytes.split_at(len);
            for piece in now.chunks(GUARDED_LEN) {
                // The emulator's parser (vte 0.15) loses what stands behind a character that was
                // cut, unless the rest of it arrives alone.
                let rest_of_character = piece
                    .iter()
                    .take(3)
                    .take_while(|byte| **byte & 0xc0 == 0x80);
                let (cut, whole) = piece.split_at(rest_of_character.count());
                cut.chunks(1).for_each(|byte| self.process_guarded(byte));
                self.process_guarded(whole);
            }
            if reset {
                self.parser.callbacks_mut().modes.clear();
            }
            bytes = rest;
        }
    }

    /// The emulator's crate panics on a few rare sequences (an emoji that becomes wide in the last
    /// column of the last line, for one). The screen then goes on as far as it can be written out,
    /// without the rest of the piece: programs redraw.
    fn process_guarded(&mut self, piece: &[u8]) {
        let mut parser = AssertUnwindSafe(&mut self.parser);
        if catch_unwind(move || parser.process(piece)).is_ok() {
            return;
        }
        let screen = AssertUnwindSafe(self.parser.screen());
        let written = catch_unwind(move || snapshot::write(&screen)).unwrap_or_default();
        let (rows, cols) = self.parser.screen().size();
        let extras = std::mem::take(self.parser.callbacks_mut());
        self.parser = Parser::new_with_callbacks(rows, cols, SCROLLBACK_LINES_MAX, extras);
        let mut parser = AssertUnwindSafe(&mut self.parser);
        if catch_unwind(move || parser.process(&written)).is_err() {
            self.parser =
                Parser::new_with_callbacks(rows, cols, SCROLLBACK_LINES_MAX, Extras::default());
        }
        self.tracker = SequenceTracker::default();
        self.tracker.suspect_margins();
    }

    /// Tells whether a line feed on the last line moves a line into the scrollback, and nothing is
    /// half written.
    #[must_use]
    pub fn scrolls_freely(&self) -> bool {
        !self.parser.screen().alternate_screen() && self.tracker.is_plain()
    }

    /// Changes the size, as the program will hear of it after the output so far.
    pub fn resize(&mut self, size: Size) {
        let (rows, cols) = grid_size(size);
        self.parser.set_size(rows, cols);
    }

    /// Tells the size.
    #[must_use]
    pub fn size(&self) -> Size {
        let (rows, cols) = self.parser.screen().size();
        Size {
            cols: cols.get(),
            rows: rows.get(),
        }
    }

    /// Tells whether the program asked for pastes in brackets.
    #[must_use]
    pub fn bracketed_paste(&self) -> bool {
        self.parser.screen().bracketed_paste()
    }

    /// Writes escape codes that make a fresh terminal of the same size equal to this one, also
    /// when the output stopped in the middle of a sequence.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let screen = AssertUnwindSafe(self.parser.screen());
        // A viewer of a blank screen sees the program's next redraw; one of none sees nothing.
        let mut bytes = catch_unwind(move || snapshot::write(&screen)).unwrap_or(b"\x1bc".to_vec());
        let extras = self.parser.callbacks();
        for (mode, on) in &extras.modes {
            let action = if *on { 'h' } else { 'l' };
            bytes.extend_from_slice(format!("\x1b[?{mode}{action}").as_bytes());
        }
        for (kind, text) in [(b'1', &extras.icon), (b'2', &extras.title)] {
            if !text.is_empty() {
                bytes.extend_from_slice(&[0x1b, b']', kind, b';']);
                bytes.extend_from_slice(text);
                bytes.push(0x07);
            }
        }
        bytes.extend_from_slice(self.tracker.pending());
        bytes
    }
}

fn grid_size(size: Size) -> (NonZeroU16, NonZeroU16) {
    let clamp = |value: u16| NonZeroU16::new(value.min(SIZE_MAX)).unwrap_or(NonZeroU16::MIN);
    (clamp(size.rows), clamp(size.cols))
}

#[cfg(test)]
mod tests;
