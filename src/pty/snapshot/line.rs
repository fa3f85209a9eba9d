//! Writes the lines of a screen, oldest first, so that a fresh terminal scrolls them into place.

use std::num::NonZeroU16;

use vt100::{Color, Screen};

use super::probe::Style;
use super::put;

/// The escape codes written so far, and the style that they leave behind.
pub(super) struct Pen {
    bytes: Vec<u8>,
    style: Style,
    rows: u16,
    cols: u16,
}

impl Pen {
    pub fn new((rows, cols): (NonZeroU16, NonZeroU16)) -> Self {
        let bytes = Vec::with_capacity(16 * 1024);
        Self {
            bytes,
            style: Style::default(),
            rows: rows.get(),
            cols: cols.get(),
        }
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub fn print(&mut self, args: std::fmt::Arguments<'_>) {
        put(&mut self.bytes, args);
    }

    /// Switches to a style, from nothing: shorter codes are not worth the cases.
    pub fn style(&mut self, style: Style) {
        if style == self.style {
            return;
        }
        self.style = style;
        self.raw(b"\x1b[0");
        for (on, code) in [
            (style.bold, ";1"),
            (style.dim, ";2"),
            (style.italic, ";3"),
            (style.underline, ";4"),
            (style.inverse, ";7"),
        ] {
            if on {
                self.raw(code.as_bytes());
            }
        }
        self.colour(style.foreground, 30);
        self.colour(style.background, 40);
        self.raw(b"m");
    }

    fn colour(&mut self, colour: Color, base: u8) {
        match colour {
            Color::Default => {}
            Color::Idx(index @ 0..8) => self.print(format_args!(";{}", base + index)),
            // The bright eight have codes of their own, 90 and 100.
            Color::Idx(index @ 8..16) => self.print(format_args!(";{}", base + 52 + index)),
            Color::Idx(index) => self.print(format_args!(";{};5;{index}", base + 8)),
            Color::Rgb(r, g, b) => self.print(format_args!(";{};2;{r};{g};{b}", base + 8)),
        }
    }

    /// Writes scrollback and screen of the grid that is shown. The cursor must be at home of an
    /// empty grid, and ends on the last line.
    pub fn lines(&mut self, screen: &mut Screen) {
        let height = usize::from(self.rows);
        screen.set_scrollback(usize::MAX);
        let scrolled = screen.scrollback();
        let total = scrolled + height;
        let mut joined = false;
        for index in 0..total {
            // The view moves a whole screen at a time; the last one is the screen itself.
            let row = if index >= scrolled {
                if index == scrolled {
                    screen.set_scrollback(0);
                }
                index - scrolled
            } else {
                if index % height == 0 {
                    screen.set_scrollback(scrolled - index);
                }
                index % height
            } as u16;
            let full = self.line(screen, row, joined);
            joined = full && screen.row_wrapped(row);
            if !joined && index + 1 < total {
                // Terminals fill a line that scrolls in with the current background.
                self.style(Style::default());
                self.raw(b"\r\n");
            }
        }
    }

    /// Writes one line; true when the cursor waits behind its last column. With `joined` the
    /// cursor waits behind the line before, and the first character wraps.
    fn line(&mut self, screen: &Screen, row: u16, joined: bool) -> bool {
        let mut cursor = 0;
        let mut col = 0;
        while col < self.cols {
            let Some(cell) = screen.cell(row, col) else {
                break;
            };
            let width = if cell.is_wide() { 2 } else { 1 };
            let style = Style::of_cell(cell);
            if cell.has_contents() && col + width <= self.cols {
                self.forward(col - cursor);
                self.style_wrapping(style, joined && col == 0, cell.contents());
                cursor = col + width;
                col = cursor;
                continue;
            }
            if joined && col == 0 {
                self.wrap_onto_blank(style);
            }
            let blanks = self.blanks(screen, row, col, style);
            if style != Style::default() {
                self.forward(col - cursor);
                cursor = col;
                self.style(style);
                self.print(format_args!("\x1b[{blanks}X"));
            }
            col += blanks;
        }
        cursor == self.cols
    }

    /// Prints a character. When it wraps, the new line may come in the background of the line
    /// before, and is cleared behind the character.
    fn style_wrapping(&mut self, style: Style, wraps: bool, contents: &str) {
        let coloured = self.style.background != Color::Default;
        self.style(style);
        self.raw(contents.as_bytes());
        if wraps && (coloured || style.background != Color::Default) {
            self.style(Style::default());
            self.raw(b"\x1b[K");
        }
    }

    /// Makes the line before wrap onto a line that begins blank.
    fn wrap_onto_blank(&mut self, style: Style) {
        self.style(Style::default());
        self.raw(b" \x08");
        self.style(style);
        self.raw(b"\x1b[X");
    }

    /// How many cells from `col` on hold nothing and have this style.
    fn blanks(&self, screen: &Screen, row: u16, col: u16, style: Style) -> u16 {
        let more = (col + 1..self.cols)
            .map_while(|at| screen.cell(row, at))
            .take_while(|cell| !cell.has_contents() && Style::of_cell(cell) == style)
            .count();
        more as u16 + 1
    }

    fn forward(&mut self, count: u16) {
        if count > 0 {
            self.print(format_args!("\x1b[{count}C"));
        }
    }
}
