//! The terminal: what text and controls do to its screens.

use super::buffer::{Buffer, Saved};
use super::cell::{Attr, Cell, Extended, Pen};
use super::charset::{Charset, Charsets};
use super::modes::Modes;
use super::palette::Palette;
use super::pool::Pools;
use super::title::Titles;
use super::width::Before;

/// See the module.
#[derive(Debug)]
pub(crate) struct Terminal {
    /// Columns; two at least.
    pub cols: usize,
    /// Rows.
    pub rows: usize,
    pub(in crate::pty) normal: Buffer,
    pub(in crate::pty) alternate: Buffer,
    /// The alternate screen is shown.
    pub(in crate::pty) in_alternate: bool,
    pub(in crate::pty) pen: Pen,
    /// Of what the pen draws.
    pub(in crate::pty) attr: Attr,
    pub(in crate::pty) charsets: Charsets,
    pub(in crate::pty) modes: Modes,
    /// The character before the cursor, which the next one may join; none once anything else came.
    pub(in crate::pty) before: Option<Before>,
    pub(in crate::pty) pools: Pools,
    pub(in crate::pty) titles: Titles,
    pub(in crate::pty) palette: Palette,
    /// Answers for the program.
    pub(in crate::pty) answers: Vec<u8>,
}

impl Terminal {
    /// Makes a fresh one.
    pub(crate) fn new(cols: usize, rows: usize, scrollback_max: usize) -> Self {
        let cols = cols.max(2);
        Self {
            cols,
            rows,
            normal: Buffer::new(cols, rows, scrollback_max),
            alternate: Buffer::new(cols, rows, 0),
            in_alternate: false,
            pen: Pen::default(),
            attr: Attr::default(),
            charsets: Charsets::default(),
            modes: Modes::default(),
            before: None,
            pools: Pools::default(),
            titles: Titles::default(),
            palette: Palette::default(),
            answers: Vec::new(),
        }
    }

    /// Changes the size.
    pub(crate) fn resize(&mut self, cols: usize, rows: usize) {
        let cols = cols.max(2);
        if (cols, rows) == (self.cols, self.rows) {
            return;
        }
        (self.cols, self.rows) = (cols, rows);
        self.normal.resize(cols, rows);
        self.alternate.resize(cols, rows);
    }

    /// The screen that is shown.
    pub(crate) const fn screen(&mut self) -> &mut Buffer {
        if self.in_alternate {
            &mut self.alternate
        } else {
            &mut self.normal
        }
    }

    /// The same, to look at.
    pub(crate) const fn shown(&self) -> &Buffer {
        if self.in_alternate {
            &self.alternate
        } else {
            &self.normal
        }
    }

    /// Shows the alternate screen, or the normal one; the cursor stays where it is.
    pub(super) fn switch(&mut self, alternate: bool) {
        if self.in_alternate == alternate {
            return;
        }
        let (x, y) = (self.screen().x, self.screen().y);
        self.in_alternate = alternate;
        if alternate {
            let erased = self.pen.erased();
            self.alternate.show(erased);
        } else {
            self.alternate.hide();
        }
        let screen = self.screen();
        (screen.x, screen.y) = (x, y);
    }

    /// `ESC c`. The title and the colours stay.
    pub(super) fn reset(&mut self) {
        let scrollback_max = self.normal.len_max() - self.rows;
        let fresh = Self::new(self.cols, self.rows, scrollback_max);
        let old = std::mem::replace(self, fresh);
        self.titles = old.titles;
        self.palette = old.palette;
        self.answers = old.answers;
        self.modes.survive(&old.modes);
    }

    /// `CSI ! p`.
    pub(super) fn soft_reset(&mut self) {
        self.modes.soft_reset();
        self.charsets = Charsets::default();
        self.pen = Pen::default();
        self.attr = Attr::default();
        let rows = self.rows;
        let screen = self.screen();
        (screen.top, screen.bottom) = (0, rows - 1);
        screen.saved = Saved {
            line: screen.base,
            ..Saved::default()
        };
    }

    /// After the pen changed.
    pub(super) fn pen_changed(&mut self) {
        self.attr = self.pen.attr(|value| self.pools.extended.place(value));
    }

    pub(super) fn save_cursor(&mut self) {
        let charset = self.charsets.active;
        let pen = Pen {
            extended: Extended::default(),
            ..self.pen
        };
        let screen = self.screen();
        screen.saved = Saved {
            x: screen.x,
            line: screen.base + screen.y,
            pen,
            charset,
        };
    }

    pub(super) fn restore_cursor(&mut self) {
        let screen = self.screen();
        let saved = screen.saved;
        screen.x = saved.x;
        screen.y = saved.line.saturating_sub(screen.base);
        self.pen = saved.restored(self.pen.extended);
        self.charsets.active = saved.charset;
        self.pen_changed();
        self.hold_cursor(self.cols - 1);
    }

    /// Keeps the cursor on the screen and, in origin mode, between the margins.
    pub(super) fn hold_cursor(&mut self, x_max: usize) {
        let (origin, rows) = (self.modes.origin, self.rows);
        let screen = self.screen();
        screen.x = screen.x.min(x_max);
        screen.y = if origin {
            screen.y.clamp(screen.top, screen.bottom)
        } else {
            screen.y.min(rows - 1)
        };
    }

    /// Goes to a place; in origin mode rows count from the first margin.
    pub(super) fn go(&mut self, x: usize, y: usize) {
        let origin = self.modes.origin;
        let screen = self.screen();
        screen.x = x;
        screen.y = if origin { screen.top + y } else { y };
        self.hold_cursor(self.cols - 1);
    }

    /// Goes by so many columns and rows.
    pub(super) fn go_by(&mut self, x: isize, y: isize) {
        self.hold_cursor(self.cols - 1);
        let origin = self.modes.origin;
        let screen = self.screen();
        screen.x = screen.x.saturating_add_signed(x);
        let by = if origin { y + screen.top as isize } else { y };
        screen.y = screen.y.saturating_add_signed(by);
        self.hold_cursor(self.cols - 1);
    }

    pub(super) fn line_feed(&mut self) {
        let (erased, cols, new_line) = (self.pen.erased(), self.cols, self.modes.new_line);
        let screen = self.screen();
        if new_line {
            screen.x = 0;
        }
        let y = screen.y;
        if !screen.down(erased, false) && screen.y > y {
            screen.line().wrapped = false;
        }
        if screen.x >= cols {
            screen.x -= 1;
        }
    }

    /// `ESC D`: down, without the first column and without ending the line.
    pub(super) fn index(&mut self) {
        self.hold_cursor(self.cols - 1);
        let erased = self.pen.erased();
        self.screen().down(erased, false);
        self.hold_cursor(self.cols - 1);
    }

    /// `ESC M`: up.
    pub(super) fn reverse_index(&mut self) {
        self.hold_cursor(self.cols - 1);
        let erased = self.pen.erased();
        let screen = self.screen();
        if screen.y == screen.top {
            let (top, bottom) = (screen.base + screen.top, screen.base + screen.bottom);
            screen.turn(bottom, top, erased, false);
        } else {
            screen.y = screen.y.saturating_sub(1);
            self.hold_cursor(self.cols - 1);
        }
    }

    fn backspace(&mut self) {
        if !self.modes.reverse_wrap {
            self.hold_cursor(self.cols - 1);
            let screen = self.screen();
            screen.x = screen.x.saturating_sub(1);
            return;
        }
        let cols = self.cols;
        self.hold_cursor(cols);
        let screen = self.screen();
        if screen.x > 0 {
            screen.x -= 1;
        } else if screen.y > screen.top && screen.y <= screen.bottom && screen.line().wrapped {
            screen.line().wrapped = false;
            screen.y -= 1;
            screen.x = cols - 1;
            let last = screen.line().get(cols - 1);
            if last.width() > 0 && !last.has_content() {
                screen.x -= 1;
            }
        }
        self.hold_cursor(cols - 1);
    }
}

/// What the parser finds in the output.
impl Terminal {
    /// Printable ASCII.
    pub(super) fn ascii(&mut self, mut text: &[u8]) {
        let plain =
            self.charsets.active == Charset::ASCII && !self.modes.insert && !self.modes.no_wrap;
        if !plain || self.before.is_some_and(Before::takes_all) {
            text.iter().for_each(|byte| self.char(u32::from(*byte)));
            return;
        }
        let (cols, attr) = (self.cols, self.attr);
        while !text.is_empty() {
            if self.screen().x >= cols {
                self.wrap(0);
            }
            let screen = self.screen();
            let x = screen.x;
            let (now, rest) = text.split_at(text.len().min(cols - x));
            screen.line().set_ascii(x, now, attr);
            screen.x += now.len();
            text = rest;
        }
        self.before = Some(Before::ASCII);
    }

    /// Any other character.
    pub(super) fn char(&mut self, code: u32) {
        let code = if code < 127 {
            self.charsets.active.translate(code)
        } else {
            code
        };
        self.print(code);
    }

    /// A run of text begins; half a wide character before it does not stay.
    pub(super) fn begin_text(&mut self) {
        let attr = self.attr;
        let screen = self.screen();
        let x = screen.x;
        if x > 0 && screen.line().get(x - 1).width() == 2 {
            screen.line().set(x - 1, Cell::empty(attr));
        }
    }

    /// A run of text ended; half a wide character behind it does not stay.
    pub(super) fn end_text(&mut self) {
        let (cols, attr) = (self.cols, self.attr);
        let screen = self.screen();
        let x = screen.x;
        if x < cols && screen.line().get(x).is_half() {
            screen.line().set(x, Cell::empty(attr));
        }
        self.sweep_when_full();
    }

    /// A control character.
    pub(super) fn control(&mut self, code: u8) {
        match code {
            0x08 => self.backspace(),
            b'\t' => {
                let cols = self.cols;
                let screen = self.screen();
                if screen.x < cols {
                    screen.x = screen.next_tab();
                }
            }
            b'\n' | 0x0b | 0x0c => self.line_feed(),
            b'\r' => self.screen().x = 0,
            0x0e => self.charsets.shift(1),
            0x0f => self.charsets.shift(0),
            0x84 => self.index(),
            0x85 => {
                self.screen().x = 0;
                self.index();
            }
            0x88 => self.screen().set_tab(true),
            _ => {}
        }
        self.before = None;
    }

    pub(super) fn sweep_when_full(&mut self) {
        if !self.pools.is_full() {
            return;
        }
        let lines = self
            .normal
            .lines
            .iter_mut()
            .chain(&mut self.alternate.lines);
        let mut cells: Vec<&mut Cell> = lines.flat_map(|line| line.cells_mut()).collect();
        self.pools.sweep(&mut cells, &mut [&mut self.pen.extended]);
        self.pen_changed();
    }
}
