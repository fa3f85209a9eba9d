//! Writes cells, and moves the cursor of the terminal that is being written.

use std::fmt::{Arguments, Write as _};

use crate::pty::emulator::cell::{Attr, Cell, Pen};
use crate::pty::emulator::line::Line;
use crate::pty::emulator::sgr::style;
use crate::pty::emulator::terminal::Terminal;
use crate::pty::emulator::width::{Before, place};

/// A character of two columns.
const WIDE: &str = "中";

/// The escape codes so far, and what the terminal that reads them is left with.
pub(super) struct Writer<'a> {
    terminal: &'a Terminal,
    out: String,
    pen: Pen,
    /// The cursor's column, when it is known.
    x: Option<usize>,
    before: Option<Before>,
    /// A cell that another one's writing left something in.
    soiled: Option<usize>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(terminal: &'a Terminal) -> Self {
        Self {
            terminal,
            out: String::with_capacity(16 * 1024),
            pen: Pen::default(),
            x: None,
            before: None,
            soiled: None,
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out.into_bytes()
    }

    /// Writes escape codes, which are not text.
    pub(super) fn raw(&mut self, codes: &str) {
        self.out.push_str(codes);
        self.before = None;
        self.x = None;
    }

    pub(super) fn print(&mut self, codes: Arguments<'_>) {
        // Writing into a string cannot fail.
        self.out.write_fmt(codes).ok();
        self.before = None;
        self.x = None;
    }

    /// Whether the cursor waits behind the last column.
    pub(super) fn waits(&self) -> bool {
        self.x == Some(self.terminal.cols)
    }

    /// Goes to a column of the line.
    pub(super) fn go(&mut self, x: usize) {
        if self.x == Some(x) {
            return;
        }
        if x == 0 {
            self.raw("\r");
        } else {
            self.print(format_args!("\x1b[{}G", x + 1));
        }
        self.x = Some(x);
    }

    /// Takes up a pen.
    pub(super) fn pen(&mut self, pen: Pen) {
        if pen == self.pen {
            return;
        }
        let x = self.x;
        let link = pen.extended.link;
        let mut linked = self.pen;
        if link != linked.extended.link {
            let (id, address) = self.terminal.pools.links.get(link);
            let id = if id.is_empty() {
                String::new()
            } else {
                format!("id={id}")
            };
            self.print(format_args!("\x1b]8;{id};{address}\x1b\\"));
            linked.extended.link = link;
            linked.update();
        }
        if linked != pen {
            self.print(format_args!("\x1b[{}m", style(&pen)));
        }
        self.pen = pen;
        self.x = x;
    }

    /// Takes up a pen that only restoring a saved one gives.
    pub(super) fn restore(&mut self, pen: Pen) {
        let mut made = Pen {
            extended: pen.extended,
            ..Pen::default()
        };
        made.update();
        self.pen(made);
        self.raw("\x1b8");
        self.pen = pen;
    }

    fn pen_of(&self, attr: Attr) -> Pen {
        Pen {
            fg: attr.fg,
            bg: attr.bg,
            flags: attr.flags,
            extended: *self.terminal.pools.extended.get(attr.extended.into()),
        }
    }

    /// Writes text of a cell where the cursor is.
    pub(super) fn text(&mut self, text: &str, width: usize) {
        let first = text.chars().next().map_or(0, u32::from);
        if self.before.is_some() && place(first, self.before).joins.is_some() {
            // Parts the two and does nothing else.
            self.out.push_str("\x1b\\");
            self.before = None;
        }
        for char in text.chars() {
            self.before = Some(place(char.into(), self.before).then);
        }
        self.out.push_str(text);
        self.x = self.x.map(|x| x + width);
    }

    fn cell(&mut self, cell: Cell) {
        self.pen(self.pen_of(cell.attr));
        let text = self.terminal.text_of(cell);
        self.text(&text, cell.width());
    }

    /// Writes the cells of a line from a column on that are not as they were at the start.
    pub(super) fn cells(&mut self, line: &Line, from: usize) {
        let len = line.cells().len().min(self.terminal.cols);
        let mut at = from;
        while at < len || self.soiled.is_some_and(|soiled| soiled == at) {
            let cell = line.get(at);
            let soiled = self.soiled.take_if(|soiled| *soiled <= at).is_some();
            if cell.has_content() {
                self.go(at);
                self.cell(cell);
                at += cell.width().max(1);
            } else if at > 0 && cell.is_half() && line.get(at - 1).width() == 2
                || cell == Cell::EMPTY && !soiled
            {
                at += 1;
            } else if is_erased(cell.attr) {
                let same = (at..self.terminal.cols).take_while(|it| line.get(*it) == cell);
                let count = if cell == Cell::EMPTY { 1 } else { same.count() };
                self.erase(at, count, cell.attr);
                at += count;
            } else {
                self.empty(line, at, cell.attr);
                at += 1;
            }
        }
    }

    fn erase(&mut self, at: usize, count: usize, attr: Attr) {
        self.go(at);
        self.pen(self.pen_of(attr));
        self.print(format_args!("\x1b[{count}X"));
        self.x = Some(at);
    }

    /// Makes an empty cell with attributes that no erasing gives: half a wide character, once the
    /// other half is overwritten, is such a one.
    fn empty(&mut self, line: &Line, at: usize, attr: Attr) {
        let last = self.terminal.cols - 1;
        let pen = self.pen_of(attr);
        if at < last {
            self.go(at);
            self.pen(pen);
            self.text(WIDE, 2);
            self.go(at + 1);
            self.text(" ", 1);
            self.soiled = Some(at + 1);
            return;
        }
        self.empty_from_left(line, at, attr);
        self.x = None;
    }

    /// The same in the last column, where the other half is on the left.
    fn empty_from_left(&mut self, line: &Line, at: usize, attr: Attr) {
        let left = at - 1;
        self.go(left);
        self.text(WIDE, 2);
        self.go(left);
        self.pen(self.pen_of(attr));
        self.text(" ", 1);
        // What stands there is written again.
        let from = left - usize::from(left > 0 && line.get(left).is_half());
        let cell = line.get(from);
        if cell.has_content() {
            self.go(from);
            self.cell(cell);
        } else if is_erased(cell.attr) || from == 0 {
            self.erase(from, 1, cell.attr.without_text());
        } else {
            self.empty_from_left(line, from, cell.attr);
        }
    }

    /// Goes to the next line, which does not continue this one.
    pub(super) fn new_line(&mut self) {
        self.plain();
        self.raw("\r\n");
        self.x = Some(0);
    }

    /// Goes to the next line, which continues this one.
    pub(super) fn wrap(&mut self, line: &Line, next: &Line, at_once: bool) {
        let cols = self.terminal.cols;
        let first = next.get(0);
        let last = line.get(cols - 1);
        let by_itself = first.has_content() && first.attr.bg == Attr::default().bg && at_once;
        let whole = self.waits();
        let too_wide =
            first.width() == 2 && self.x == Some(cols - 1) && last == Cell::empty(first.attr);
        if by_itself && (whole || too_wide) {
            self.pen(self.pen_of(first.attr));
            // The character's text wraps.
            self.x = Some(0);
            return;
        }
        self.plain();
        self.go(cols - 1);
        self.text("  ", 2);
        self.raw("\x1b[A");
        self.plain();
        self.erase(cols - 1, 1, Attr::default());
        let from = if last.is_half() { cols - 2 } else { cols - 1 };
        self.soiled = Some(from);
        self.cells(line, from);
        self.plain();
        self.raw("\x1b[B\r");
        self.erase(0, 1, Attr::default());
    }

    /// Makes the first line one that continues a line that no longer exists.
    pub(super) fn wrap_first(&mut self) {
        self.go(self.terminal.cols - 1);
        self.text("  ", 2);
        self.raw("\x1b[H\x1b[M");
        self.erase(0, 1, Attr::default());
    }

    /// Takes up a pen that erases in the default colour.
    pub(super) fn plain(&mut self) {
        self.pen(Pen::default());
    }

    /// Puts the cursor where it is, with the last character before it, so that it can wait behind
    /// the last column and so that what follows joins.
    pub(super) fn cursor(
        &mut self,
        line: &Line,
        (x, y): (usize, usize),
        before: Option<Before>,
        pen: Pen,
    ) {
        let cols = self.terminal.cols;
        let width = before.map_or(0, Before::width);
        let at = x.checked_sub(width.max(1)).map(|at| {
            let wide = width == 0 && line.get(at).is_half();
            at - usize::from(wide)
        });
        let cell = at.map_or(Cell::EMPTY, |at| line.get(at));
        let set = self.terminal.charsets.active;
        let text = self.terminal.text_of(cell);
        let typed: String = text.chars().map(|char| set.original(char)).collect();
        let again = typed.chars().map(|char| set.translate(char.into()));
        let repeats = before.is_some()
            && cell.has_content()
            && cell.width() == width
            && cell.attr == self.terminal.attr
            && again.eq(text.chars().map(u32::from));
        let insert = self.terminal.modes.insert;
        self.place(
            if repeats || x == cols {
                at.unwrap_or(0)
            } else {
                x
            },
            y,
        );
        if repeats {
            self.pen(pen);
            if insert {
                // Room for what is inserted, so that nothing moves in the end. What widens a
                // character later on is not inserted.
                let first = typed.chars().next().map_or(0, u32::from);
                let room = place(first, None).width;
                self.print(format_args!("\x1b[4h\x1b[{room}P"));
            }
            return self.text(&typed, width);
        }
        if x == cols && cell.has_content() {
            self.cell(cell);
            // What follows does not join it.
            self.raw("\x1b\\");
        } else if x == cols && self.is_blank(line) {
            self.text(" ", 1);
            self.pen(self.pen_of(cell.attr));
            self.raw("\x1b[1K");
        }
        if self.pen != pen {
            self.pen(pen);
        }
        if insert {
            self.raw("\x1b[4h");
        }
    }

    /// Whether a line holds nothing and is of one colour.
    fn is_blank(&self, line: &Line) -> bool {
        let first = line.get(0);
        is_erased(first.attr) && (0..self.terminal.cols).all(|at| line.get(at) == first)
    }

    fn place(&mut self, x: usize, y: usize) {
        let origin = self.terminal.modes.origin;
        let top = if origin { self.terminal.shown().top } else { 0 };
        self.print(format_args!(
            "\x1b[{};{}H",
            y.saturating_sub(top) + 1,
            x + 1
        ));
        self.x = Some(x);
    }
}

/// Whether erasing leaves such cells.
fn is_erased(attr: Attr) -> bool {
    attr == attr.without_text()
}
