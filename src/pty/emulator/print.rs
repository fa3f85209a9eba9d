//! Printing: where a character goes, and what it joins.

use super::cell::{Cell, Content};
use super::terminal::Terminal;
use super::width::place;

impl Terminal {
    /// Goes to the next line, which continues this one; false when wrapping is off.
    pub(super) fn wrap(&mut self, x: usize) -> bool {
        if self.modes.no_wrap {
            self.screen().x = self.cols - 1;
            return false;
        }
        let erased = self.pen.erased();
        let screen = self.screen();
        screen.x = x;
        if !screen.down(erased, true) {
            screen.line().wrapped = true;
        }
        true
    }

    /// Prints a character that the character set was applied to.
    pub(super) fn print(&mut self, code: u32) {
        let placed = place(code, self.before);
        self.before = Some(placed.then);
        let (cols, attr, insert) = (self.cols, self.attr, self.modes.insert);
        let old = placed.joins.unwrap_or(0);
        if self.screen().x + placed.width - old > cols && !self.print_over_edge(placed.width, old) {
            return;
        }
        let joined = placed.joins.is_some() && self.screen().x > 0;
        if joined {
            self.add(code, placed.width, old);
            return;
        }
        let screen = self.screen();
        let x = screen.x;
        let line = screen.line();
        if insert {
            line.insert(x, placed.width - old, Cell::empty(attr));
            if line.get(cols - 1).width() == 2 {
                line.set(cols - 1, Cell::empty(attr));
            }
        }
        line.set(x, Cell::new(code, placed.width, attr));
        for half in 1..placed.width {
            line.set(x + half, Cell::new(0, 0, attr));
        }
        screen.x += placed.width;
    }

    /// Wraps before a character that does not fit; false when it is not printed at all.
    fn print_over_edge(&mut self, width: usize, old: usize) -> bool {
        let (cols, attr) = (self.cols, self.attr);
        let screen = self.screen();
        let from = screen.x.saturating_sub(old);
        let moved: Vec<Cell> = (0..old).map(|at| screen.line().get(from + at)).collect();
        let (base, above) = (screen.base, screen.base + screen.y);
        let scrolls = screen.y == screen.bottom;
        if !self.wrap(old) {
            return width != 2;
        }
        let screen = self.screen();
        // Where the line went that the cursor was on.
        let above = if scrolls && screen.base == base {
            above.checked_sub(1)
        } else {
            Some(above)
        };
        for (at, cell) in moved.into_iter().enumerate() {
            screen.line().set(at, cell);
        }
        if let Some(line) = above.and_then(|above| screen.lines.get_mut(above)) {
            for at in from..cols {
                line.set(at, Cell::empty(attr));
            }
        }
        true
    }

    /// Adds a character to the cluster before the cursor.
    fn add(&mut self, code: u32, width: usize, old: usize) {
        let attr = self.attr;
        let screen = self.screen();
        let x = screen.x;
        let back = if screen.line().get(x - 1).width() > 0 {
            1
        } else {
            2
        };
        let at = x.saturating_sub(back);
        let mut cell = screen.line().get(at);
        let mut text = self.text_of(cell);
        if text.is_empty() {
            cell.set_char(code);
            cell.set_width(1);
        } else {
            text.extend(char::from_u32(code));
            let place = self.pools.clusters.place(&text.into_boxed_str());
            if place > 0 {
                cell.set_cluster(place);
            }
        }
        cell.set_width(width);
        let screen = self.screen();
        screen.line().set(at, cell);
        for _ in old..width {
            let x = screen.x;
            screen.line().set(x, Cell::new(0, 0, attr));
            screen.x += 1;
        }
    }

    /// What a cell holds.
    pub(crate) fn text_of(&self, cell: Cell) -> String {
        match cell.content() {
            Content::Nothing => String::new(),
            Content::Char(code) => char::from_u32(code).map(String::from).unwrap_or_default(),
            Content::Cluster(place) => self.pools.clusters.get(place).to_string(),
        }
    }

    /// `CSI b`: prints the last cluster again.
    pub(super) fn repeat(&mut self, count: usize) {
        let Some(before) = self.before else {
            return;
        };
        let screen = self.screen();
        let at = screen.x.checked_sub(before.width());
        let cell = at.map(|at| screen.line().get(at));
        let text = cell.map(|cell| self.text_of(cell)).unwrap_or_default();
        // More than fits on the screen and its scrollback cannot be seen.
        let count = count.min(self.cols * self.normal.len_max());
        self.begin_text();
        for _ in 0..count {
            for char in text.chars() {
                self.char(char.into());
            }
        }
        self.end_text();
    }
}
