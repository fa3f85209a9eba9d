//! Which function each sequence is.

use super::cell::{Cell, flag};
use super::charset::Charset;
use super::params::Params;
use super::pool::Link;
use super::sgr;
use super::terminal::Terminal;

/// The longest address of a link.
const LINK_LEN_MAX: usize = 2048;

impl Terminal {
    pub(super) fn escape(&mut self, id: u32) {
        match &id.to_be_bytes()[2..] {
            b"\x007" => self.save_cursor(),
            b"\x008" => self.restore_cursor(),
            b"\0D" => self.index(),
            b"\0E" => {
                self.screen().x = 0;
                self.index();
            }
            b"\0H" => self.screen().set_tab(true),
            b"\0M" => self.reverse_index(),
            b"\0=" => self.modes.keypad = true,
            b"\0>" => self.modes.keypad = false,
            b"\0c" => self.reset(),
            b"\0n" | b"\0}" => self.charsets.shift(2),
            b"\0o" | b"\0|" => self.charsets.shift(3),
            b"\0~" => self.charsets.shift(1),
            b"%@" | b"%G" => {
                self.charsets.shift(0);
                self.charsets.designate(0, Charset::ASCII);
            }
            b"#8" => self.align(),
            [kind @ (b'(' | b')' | b'*' | b'+' | b'-' | b'.'), name] if id >> 16 == 0 => {
                let level = match kind {
                    b'(' => 0,
                    b')' | b'-' => 1,
                    b'*' | b'.' => 2,
                    _ => 3,
                };
                if let Some(set) = Charset::named(*name) {
                    self.charsets.designate(level, set);
                }
            }
            _ => {}
        }
    }

    pub(super) fn sequence(&mut self, id: u32, params: &Params) {
        if let Ok(id) = u8::try_from(id) {
            return self.plain_sequence(id, params);
        }
        let alternate = self.in_alternate;
        let (count, flags) = (params.count(0), params.get(0));
        let x = self.screen().x;
        match &id.to_be_bytes() {
            b"\0\0?h" => params.iter().for_each(|mode| self.set_private(mode, true)),
            b"\0\0?l" => params.iter().for_each(|mode| self.set_private(mode, false)),
            b"\0\0?J" => self.erase_screen(flags, true),
            b"\0\0?K" => self.erase_line(flags, true),
            b"\0\0!p" => self.soft_reset(),
            b"\0\0 q" => self.modes.cursor_style = flags,
            b"\0\0\"q" => match flags {
                1 => self.protect(true),
                0 | 2 => self.protect(false),
                _ => {}
            },
            b"\0\0 @" => self.shift_all(0, count, false),
            b"\0\0 A" => self.shift_all(0, count, true),
            b"\0\0'}" => self.shift_all(x, count, true),
            b"\0\0'~" => self.shift_all(x, count, false),
            b"\0\0>u" => self.modes.push_keyboard(alternate, flags),
            b"\0\0<u" => self.modes.pop_keyboard(alternate, count),
            b"\0\0=u" => self.modes.set_keyboard(alternate, flags, params.get(1)),
            _ => self.answer(id, params),
        }
    }

    fn plain_sequence(&mut self, id: u8, params: &Params) {
        let count = params.count(0);
        let by = count as isize;
        let (x, y) = (self.screen().x, self.screen().y);
        match id {
            b'@' => self.shift_chars(count, true),
            b'A' | b'F' => self.go_rows(count, false, id == b'F'),
            b'B' | b'E' => self.go_rows(count, true, id == b'E'),
            b'C' | b'a' => self.go_by(by, 0),
            b'D' => self.go_by(-by, 0),
            b'e' => self.go_by(0, by),
            b'G' | b'`' => self.go(count - 1, y),
            b'd' => self.go(x, count - 1),
            b'H' | b'f' => self.go(params.count(1) - 1, count - 1),
            b'I' => self.tabs(count, true),
            b'Z' => self.tabs(count, false),
            b'J' => self.erase_screen(params.get(0), false),
            b'K' => self.erase_line(params.get(0), false),
            b'L' => self.turn_lines(count, true),
            b'M' => self.turn_lines(count, false),
            b'P' => self.shift_chars(count, false),
            b'S' => self.scroll_by(count, true),
            b'T' => self.scroll_by(count, false),
            b'X' => self.erase_chars(count),
            b'b' => self.repeat(count),
            b'g' => match params.get(0) {
                0 => self.screen().set_tab(false),
                3 => self.screen().tabs.clear(),
                _ => {}
            },
            b'h' => params
                .iter()
                .for_each(|mode| self.modes.set_ansi(mode, true)),
            b'l' => params
                .iter()
                .for_each(|mode| self.modes.set_ansi(mode, false)),
            b'm' => {
                sgr::apply(&mut self.pen, params);
                self.pen_changed();
            }
            b'r' => self.set_margins(params),
            b's' => self.save_cursor(),
            b'u' => self.restore_cursor(),
            b't' => match params.get(0) {
                22 => self.titles.push(params.get(1)),
                23 => self.titles.pop(params.get(1)),
                _ => self.answer(id.into(), params),
            },
            _ => self.answer(id.into(), params),
        }
    }

    fn set_private(&mut self, mode: u32, on: bool) {
        self.modes.set_private(mode, on);
        match (mode, on) {
            (2, true) => {
                self.charsets.sets = [Charset::ASCII; 4];
                self.charsets.active = Charset::ASCII;
            }
            (6, _) => self.go(0, 0),
            (1048, true) => self.save_cursor(),
            (1048, false) => self.restore_cursor(),
            (47 | 1047, _) => self.switch(on),
            (1049, true) => {
                self.save_cursor();
                self.switch(true);
            }
            (1049, false) => {
                self.switch(false);
                self.restore_cursor();
            }
            _ => {}
        }
    }

    fn protect(&mut self, on: bool) {
        if on {
            self.pen.flags |= flag::PROTECTED;
        } else {
            self.pen.flags &= !flag::PROTECTED;
        }
        self.pen_changed();
    }

    /// Goes up or down, no further than to the margin.
    fn go_rows(&mut self, count: usize, down: bool, first_column: bool) {
        let screen = self.screen();
        let room = if down {
            screen.bottom.checked_sub(screen.y)
        } else {
            screen.y.checked_sub(screen.top)
        };
        let by = room.map_or(count, |room| room.min(count)) as isize;
        self.go_by(0, if down { by } else { -by });
        if first_column {
            self.screen().x = 0;
        }
    }

    fn tabs(&mut self, count: usize, forward: bool) {
        let cols = self.cols;
        let screen = self.screen();
        if screen.x >= cols {
            return;
        }
        for _ in 0..count.min(cols) {
            screen.x = if forward {
                screen.next_tab()
            } else {
                screen.tab_before(screen.x)
            };
        }
    }

    fn set_margins(&mut self, params: &Params) {
        let rows = self.rows;
        let top = params.count(0);
        let bottom = match params.get(1) as usize {
            bottom @ 1.. if bottom <= rows => bottom,
            _ => rows,
        };
        if bottom > top {
            let screen = self.screen();
            (screen.top, screen.bottom) = (top - 1, bottom - 1);
            self.go(0, 0);
        }
    }

    fn erase_screen(&mut self, what: u32, selective: bool) {
        self.hold_cursor(self.cols);
        let (cols, rows, erased) = (self.cols, self.rows, self.pen.erased());
        let screen = self.screen();
        let (x, y) = (screen.x, screen.y);
        match what {
            0 => {
                screen.erase(y, x, cols, erased, selective);
                if x == 0 {
                    screen.line().wrapped = false;
                }
                (y + 1..rows).for_each(|y| screen.erase_row(y, erased, selective));
            }
            1 => {
                screen.erase(y, 0, x + 1, erased, selective);
                screen.line().wrapped = false;
                // The page's terminal counts this line from the oldest.
                if let Some(line) = screen.lines.get_mut(y + 1).filter(|_| x + 1 >= cols) {
                    line.wrapped = false;
                }
                (0..y).for_each(|y| screen.erase_row(y, erased, selective));
            }
            2 => (0..rows).for_each(|y| screen.erase_row(y, erased, selective)),
            3 => screen.drop_scrollback(),
            _ => {}
        }
    }

    fn erase_line(&mut self, what: u32, selective: bool) {
        self.hold_cursor(self.cols);
        let (cols, erased) = (self.cols, self.pen.erased());
        let screen = self.screen();
        let (x, y) = (screen.x, screen.y);
        let (from, to) = match what {
            0 => (x, cols),
            1 => (0, x + 1),
            2 => (0, cols),
            _ => return,
        };
        screen.erase(y, from, to, erased, selective);
        if what == 2 || what == 0 && x == 0 {
            screen.line().wrapped = false;
        }
    }

    fn erase_chars(&mut self, count: usize) {
        self.hold_cursor(self.cols - 1);
        let erased = self.pen.erased();
        let screen = self.screen();
        let (x, y) = (screen.x, screen.y);
        screen.erase(y, x, x + count, erased, false);
    }

    /// Inserts cells at the cursor, or deletes them.
    fn shift_chars(&mut self, count: usize, insert: bool) {
        self.hold_cursor(self.cols - 1);
        let cell = Cell::empty(self.pen.erased());
        let screen = self.screen();
        let x = screen.x;
        screen.line().shift(x, count, cell, insert);
    }

    /// Inserts lines at the cursor, or deletes them.
    fn turn_lines(&mut self, count: usize, insert: bool) {
        self.hold_cursor(self.cols - 1);
        let (erased, rows) = (self.pen.erased(), self.rows);
        let screen = self.screen();
        if !screen.is_inside() {
            return;
        }
        let (here, bottom) = (screen.base + screen.y, screen.base + screen.bottom);
        let (out, into) = if insert {
            (bottom, here)
        } else {
            (here, bottom)
        };
        for _ in 0..count.min(rows) {
            screen.turn(out, into, erased, false);
        }
        screen.x = 0;
    }

    fn scroll_by(&mut self, count: usize, up: bool) {
        let rows = self.rows;
        let erased = self.pen.erased();
        let screen = self.screen();
        let (top, bottom) = (screen.base + screen.top, screen.base + screen.bottom);
        for _ in 0..count.min(rows) {
            if up {
                screen.turn(top, bottom, erased, false);
            } else {
                screen.turn(bottom, top, Default::default(), false);
            }
        }
    }

    /// Inserts or deletes columns of all lines between the margins.
    fn shift_all(&mut self, x: usize, count: usize, insert: bool) {
        let cell = Cell::empty(self.pen.erased());
        let screen = self.screen();
        if !screen.is_inside() {
            return;
        }
        for y in screen.top..=screen.bottom {
            let line = screen.row(y);
            line.shift(x, count, cell, insert);
            line.wrapped = false;
        }
    }

    /// `ESC # 8`: fills the screen with E.
    fn align(&mut self) {
        let rows = self.rows;
        let mut attr = self.attr;
        attr.flags &= !flag::EXTENDED;
        attr.extended = 0;
        let cell = Cell::new(u32::from(b'E'), 1, attr);
        self.go(0, 0);
        let screen = self.screen();
        let first = screen.y;
        for y in first..rows {
            let line = screen.row(y);
            line.fill(cell, false);
            line.wrapped = false;
        }
        self.go(0, 0);
    }

    pub(super) fn osc(&mut self, number: u32, text: &str) {
        let asked = match number {
            0..=2 => return self.titles.set(number, text),
            4 => self.palette.set_indexed(text),
            8 => return self.link(text),
            10..=12 => self.palette.set_special(number, text),
            104 => return self.palette.reset_indexed(text),
            110..=112 => return self.palette.reset_special(number - 100),
            _ => return,
        };
        for (name, color) in asked {
            self.answer_color(&name, color);
        }
    }

    /// OSC 8: what follows is a link, or is none.
    fn link(&mut self, text: &str) {
        let Some((params, address)) = text.split_once(';') else {
            return;
        };
        let id = params.split(':').find_map(|it| it.strip_prefix("id="));
        if address.is_empty() && !params.trim().is_empty() {
            return;
        }
        let kept = address.len() <= LINK_LEN_MAX && !address.is_empty();
        let link: Link = (id.unwrap_or_default().into(), address.into());
        self.pen.extended.link = if kept {
            self.pools.links.place(&link)
        } else {
            0
        };
        self.pen.update();
        self.pen_changed();
        self.sweep_when_full();
    }
}
