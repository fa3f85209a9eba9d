//! Writes a screen out as escape codes that make a fresh terminal of the same size equal to it:
//! scrollback, primary and alternate screen, wrapped lines, cursor, saved cursor, scroll region,
//! attributes and modes.
//!
//! Called by [`super::emulator`]. The emulator's crate can write the visible screen by itself, but
//! neither scrollback, nor the primary screen behind the alternate one, nor what is saved. What it
//! does not show (region, origin mode, saved cursor) is found by trying it out on a copy.
//!
//! Not handled: the character that `CSI b` would repeat; the contents of an alternate screen that
//! is not shown (programs clear it when they enter); a saved cursor together with a cursor that
//! waits behind the last column of a line whose end was erased.

mod line;
mod probe;

use std::io::Write as _;

use vt100::Screen;

use line::Pen;
use probe::{GridState, Region, SavedCursor, Style, driven};

/// Writes the whole screen, without title and unfinished sequences.
///
/// Costs a copy of the screen for the moment.
#[must_use]
pub fn write(screen: &Screen) -> Vec<u8> {
    let size = screen.size();
    let mut primary = driven(screen, b"\x1b[?47l");
    let mut pen = Pen::new(size);
    pen.raw(b"\x1bc");
    pen.lines(&mut primary);
    primary.clear_scrollback();
    write_grid_state(&mut pen, &primary, &GridState::probe(&primary));
    if screen.alternate_screen() {
        let alternate = driven(&primary, b"\x1b[?47h");
        pen.style(Style::default());
        pen.raw(b"\x1b[?47h\x1b[r\x1b[?6l\x1b[H");
        pen.lines(&mut alternate.clone());
        write_grid_state(&mut pen, &alternate, &GridState::probe(&alternate));
    }
    pen.style(Style::of_screen(screen));
    pen.raw(screen.input_mode_formatted().as_bytes());
    pen.raw(if screen.hide_cursor() {
        b"\x1b[?25l"
    } else {
        b"\x1b[?25h"
    });
    pen.into_bytes()
}

/// Puts region, saved cursor, origin mode and cursor where they belong, in this order: each of
/// them moves the cursor on its way.
fn write_grid_state(pen: &mut Pen, screen: &Screen, state: &GridState) {
    let Region { top, bottom } = state.region;
    let (rows, _) = screen.size();
    let mut cursor = Cursor {
        screen,
        region: state.region,
        origin: false,
    };
    if top != 0 || bottom + 1 != rows.get() {
        pen.print(format_args!("\x1b[{};{}r", top + 1, bottom + 1));
    }
    cursor.save(pen, &state.saved);
    cursor.set_origin(pen, state.origin);
    cursor.go(pen, state.position);
}

/// Moves the cursor of the terminal that is being written.
struct Cursor<'a> {
    screen: &'a Screen,
    region: Region,
    origin: bool,
}

impl Cursor<'_> {
    fn set_origin(&mut self, pen: &mut Pen, origin: bool) {
        if origin != self.origin {
            pen.raw(if origin { b"\x1b[?6h" } else { b"\x1b[?6l" });
            self.origin = origin;
        }
    }

    fn save(&mut self, pen: &mut Pen, saved: &SavedCursor) {
        self.set_origin(pen, saved.origin);
        let (row, col) = saved.position;
        let last = self.last_col();
        let erased = if col <= last {
            self.place(pen, row, col);
            false
        } else if self.draw_last(pen, row) {
            false
        } else {
            self.place(pen, row, last);
            pen.raw(b" ");
            true
        };
        pen.style(saved.style);
        pen.raw(b"\x1b7");
        if erased {
            pen.raw(b"\x08");
            pen.style(self.style_at(row, last));
            pen.raw(b"\x1b[X");
        }
    }

    fn go(&self, pen: &mut Pen, (row, col): (u16, u16)) {
        let last = self.last_col();
        if col <= last {
            return self.place(pen, row, col);
        }
        // The cursor waits behind the last column, where only printing gets it. A vertical move
        // keeps it there, so any line with a last character will do, or any that is blank.
        let (rows, _) = self.screen.size();
        let others = || std::iter::once(row).chain((0..rows.get()).filter(move |&it| it != row));
        for line in others() {
            if self.draw_last(pen, line) {
                return self.down_to(pen, line, row);
            }
        }
        if let Some((line, style)) = others().find_map(|it| Some((it, self.blank(it)?))) {
            self.place(pen, line, last);
            pen.raw(b" ");
            pen.style(style);
            pen.raw(b"\x1b[2K");
            return self.down_to(pen, line, row);
        }
        self.place(pen, row, last);
        pen.raw(b" ");
        pen.style(self.style_at(row, last));
        pen.raw(b"\x1b7\x08\x1b[X\x1b8");
    }

    fn down_to(&self, pen: &mut Pen, from: u16, row: u16) {
        if from != row {
            pen.print(format_args!("\x1b[{}d", row + 1));
        }
    }

    /// Prints the last character of a line again; false when the line has none.
    fn draw_last(&self, pen: &mut Pen, row: u16) -> bool {
        let last = self.last_col();
        let start = match self.screen.cell(row, last) {
            Some(cell) if cell.is_wide_continuation() && last > 0 => last - 1,
            Some(cell) if cell.has_contents() && !cell.is_wide() => last,
            Some(_) | None => return false,
        };
        let Some(cell) = self
            .screen
            .cell(row, start)
            .filter(|cell| cell.has_contents())
        else {
            return false;
        };
        self.place(pen, row, start);
        pen.style(Style::of_cell(cell));
        pen.raw(cell.contents().as_bytes());
        true
    }

    /// The style of a line that holds no character and one style; `None` for any other.
    fn blank(&self, row: u16) -> Option<Style> {
        let style = self.style_at(row, 0);
        (0..=self.last_col())
            .filter_map(|col| self.screen.cell(row, col))
            .all(|cell| !cell.has_contents() && Style::of_cell(cell) == style)
            .then_some(style)
    }

    fn place(&self, pen: &mut Pen, row: u16, col: u16) {
        let Region { top, bottom } = self.region;
        if !self.origin {
            pen.print(format_args!("\x1b[{};{}H", row + 1, col + 1));
        } else if (top..=bottom).contains(&row) {
            pen.print(format_args!("\x1b[{};{}H", row - top + 1, col + 1));
        } else {
            pen.print(format_args!("\x1b[{}d\x1b[{}G", row + 1, col + 1));
        }
    }

    fn style_at(&self, row: u16, col: u16) -> Style {
        self.screen
            .cell(row, col)
            .map(Style::of_cell)
            .unwrap_or_default()
    }

    fn last_col(&self) -> u16 {
        self.screen.size().1.get() - 1
    }
}

/// Writes into memory, which cannot fail.
fn put(bytes: &mut Vec<u8>, args: std::fmt::Arguments<'_>) {
    bytes
        .write_fmt(args)
        .expect("writing into a vector cannot fail");
}
