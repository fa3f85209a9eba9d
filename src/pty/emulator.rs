//! The screen that the program's output makes, and the snapshot of it.
//!
//! Used by the holder's emulator thread and, over a finished run's log, by nobody: the last screen
//! is kept in a file. Holds: the snapshot after `n` bytes of output, shown by a fresh terminal of
//! the same size, and the bytes from `n` on make the same screen as the whole output. The model is
//! the page's terminal, xterm.js, down to the cell: docs/decisions/0021.

use std::panic::{AssertUnwindSafe, catch_unwind};

mod answers;
pub(super) mod buffer;
pub(super) mod cell;
pub(super) mod charset;
mod functions;
pub(super) mod line;
pub(super) mod modes;
pub(super) mod palette;
mod params;
mod parser;
mod pool;
mod print;
mod reflow;
pub(super) mod sgr;
mod spot;
pub(super) mod terminal;
mod title;
pub(super) mod width;

use super::protocol::Size;
use super::{SCROLLBACK_LINES_MAX, snapshot};
use parser::Parser;
pub use spot::Spot;
use terminal::Terminal;

/// How much output is lost to the screen when there is a fault in the emulator.
const GUARDED_LEN: usize = 4096;

/// A terminal without a window.
pub struct Emulator {
    parser: Parser,
    terminal: Terminal,
    size: Size,
}

impl Emulator {
    /// Makes a fresh terminal. A size outside of 1 to 1000 is moved inside.
    #[must_use]
    pub fn new(size: Size) -> Self {
        let size = size.clamped();
        Self {
            parser: Parser::default(),
            terminal: fresh(size),
            size,
        }
    }

    /// Takes output in, cut anywhere.
    pub fn process(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(GUARDED_LEN) {
            self.process_guarded(piece);
        }
    }

    /// A panic would end the thread and with it every screen to come. Should there be one, the
    /// screen continues as far as it can be written out, without the rest of the piece: programs
    /// redraw.
    fn process_guarded(&mut self, piece: &[u8]) {
        if self.try_process(piece) {
            return;
        }
        let written = self.write_guarded();
        self.parser = Parser::default();
        self.terminal = fresh(self.size);
        if !self.try_process(&written) {
            self.parser = Parser::default();
            self.terminal = fresh(self.size);
        }
    }

    fn try_process(&mut self, piece: &[u8]) -> bool {
        let mut state = AssertUnwindSafe(self);
        catch_unwind(move || {
            let Self {
                parser, terminal, ..
            } = &mut **state;
            parser.advance(piece, terminal);
        })
        .is_ok()
    }

    /// Tells whether a line feed on the last line moves a line into the scrollback, and nothing is
    /// half written.
    #[must_use]
    pub fn scrolls_freely(&self) -> bool {
        let screen = &self.terminal.normal;
        let whole = screen.top == 0 && screen.bottom + 1 == self.terminal.rows;
        whole && !self.terminal.in_alternate && self.parser.is_idle()
    }

    /// Changes the size, as the program will learn after the output so far.
    pub fn resize(&mut self, size: Size) {
        self.size = size.clamped();
        let (cols, rows) = sides(self.size);
        let mut terminal = AssertUnwindSafe(&mut self.terminal);
        if catch_unwind(move || terminal.resize(cols, rows)).is_err() {
            self.terminal = fresh(self.size);
        }
    }

    /// Tells the size.
    #[must_use]
    pub const fn size(&self) -> Size {
        self.size
    }

    /// Tells whether the program asked for pastes in brackets.
    #[must_use]
    pub const fn bracketed_paste(&self) -> bool {
        self.terminal.modes.bracketed_paste
    }

    /// What the program asked for since the last call, to be typed to it.
    pub fn take_answers(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.terminal.answers)
    }

    /// Takes a colour of a viewer's page for the terminal's own: 10 text, 11 background, 12 cursor.
    pub fn adopt_color(&mut self, number: u32, color: [u8; 3]) {
        self.terminal.palette.adopt(number, color);
    }

    /// What stands on the screen, without colours.
    #[must_use]
    pub fn text(&self) -> String {
        let (terminal, mut text) = (&self.terminal, String::new());
        let screen = terminal.shown();
        for y in 0..screen.lines.len() - screen.base {
            text.push_str(&terminal.row_text(screen, y, terminal.cols));
            text.push('\n');
        }
        text
    }

    /// Where the program's cursor is, when something tells.
    #[must_use]
    pub fn spot(&self) -> Option<Spot> {
        self.terminal.spot()
    }

    /// True while the program says that it is drawing (mode 2026), and in the middle of a sequence.
    #[must_use]
    pub fn is_drawing(&self) -> bool {
        self.terminal.modes.synchronized || !self.parser.is_idle()
    }

    /// Writes escape codes that make a fresh terminal of the same size equal to this one, also
    /// when the output stopped in the middle of a sequence.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let mut bytes = self.write_guarded();
        bytes.extend_from_slice(&self.parser.pending());
        bytes
    }

    fn write_guarded(&self) -> Vec<u8> {
        let terminal = AssertUnwindSafe(&self.terminal);
        // A viewer of a blank screen sees the program's next redraw; one of none sees nothing.
        catch_unwind(move || snapshot::write(&terminal)).unwrap_or(b"\x1bc".to_vec())
    }
}

fn fresh(size: Size) -> Terminal {
    let (cols, rows) = sides(size);
    Terminal::new(cols, rows, SCROLLBACK_LINES_MAX)
}

fn sides(size: Size) -> (usize, usize) {
    (usize::from(size.cols), usize::from(size.rows))
}

#[cfg(test)]
mod tests;
