//! One of a terminal's two screens: its lines with scrollback, cursor, margins and tab stops.

use std::collections::VecDeque;

use super::cell::{Attr, Cell, Extended, Pen};
use super::charset::Charset;
use super::line::Line;

/// Columns between two tab stops at the start.
pub(crate) const TAB_WIDTH: usize = 8;

/// What `ESC 7` keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Saved {
    /// Column.
    pub x: usize,
    /// Line, counted from the oldest in the scrollback.
    pub line: usize,
    /// Without what is extended.
    pub pen: Pen,
    /// The character set in use.
    pub charset: Charset,
}

impl Saved {
    /// The pen that restoring the cursor gives: colours and flags, but neither the kind of an
    /// underline nor a link.
    pub(crate) const fn restored(&self, extended: Extended) -> Pen {
        Pen {
            extended,
            ..self.pen
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Buffer {
    /// Scrollback, oldest first, and then the screen; empty for an alternate screen not shown.
    pub lines: VecDeque<Line>,
    /// Lines of scrollback.
    pub base: usize,
    /// The cursor's column; that of the right edge when it waits behind the last character.
    pub x: usize,
    /// The cursor's row.
    pub y: usize,
    /// First row that scrolls.
    pub top: usize,
    /// Last row that scrolls.
    pub bottom: usize,
    /// Where tabs stop; also beyond the right edge, after the terminal was wider.
    pub tabs: Vec<bool>,
    /// What `ESC 7` kept.
    pub saved: Saved,
    scrollback_max: usize,
    pub(super) cols: usize,
    pub(super) rows: usize,
}

impl Buffer {
    /// Makes a screen; without scrollback it is the alternate one, not shown.
    pub(crate) fn new(cols: usize, rows: usize, scrollback_max: usize) -> Self {
        let mut buffer = Self {
            lines: VecDeque::new(),
            base: 0,
            x: 0,
            y: 0,
            top: 0,
            bottom: rows - 1,
            tabs: default_tabs(cols),
            saved: Saved::default(),
            scrollback_max,
            cols,
            rows,
        };
        if scrollback_max > 0 {
            buffer.show(Attr::default());
        }
        buffer
    }

    /// Fills it with blank lines, when it has none.
    pub(crate) fn show(&mut self, erased: Attr) {
        if self.lines.is_empty() {
            let blank = Line::blank(self.cols, erased, false);
            self.lines.extend(vec![blank; self.rows]);
        }
    }

    /// Empties it; what `ESC 7` kept stays.
    pub(crate) fn hide(&mut self) {
        self.lines.clear();
        self.base = 0;
        (self.x, self.y) = (0, 0);
        (self.top, self.bottom) = (0, self.rows - 1);
        self.tabs = default_tabs(self.cols);
    }

    /// Lines that it keeps at most.
    pub(crate) fn len_max(&self) -> usize {
        self.rows + self.scrollback_max
    }

    /// Whether long lines are wrapped again when the width changes.
    pub(crate) const fn reflows(&self) -> bool {
        self.scrollback_max > 0
    }

    /// The line in a row of the screen.
    pub(crate) fn row(&mut self, y: usize) -> &mut Line {
        &mut self.lines[self.base + y]
    }

    /// The cursor's line.
    pub(crate) fn line(&mut self) -> &mut Line {
        &mut self.lines[self.base + self.y]
    }

    /// Whether the cursor stands between the margins.
    pub(crate) fn is_inside(&self) -> bool {
        (self.top..=self.bottom).contains(&self.y)
    }

    /// Moves the cursor down; at the bottom margin what is above scrolls instead, which it tells.
    pub(crate) fn down(&mut self, erased: Attr, wrapped: bool) -> bool {
        let scrolls = self.y == self.bottom;
        if scrolls {
            self.scroll(erased, wrapped);
        } else {
            self.y = (self.y + 1).min(self.rows - 1);
        }
        scrolls
    }

    /// Moves what is between the margins up by a line, into the scrollback from the first row.
    pub(crate) fn scroll(&mut self, erased: Attr, wrapped: bool) {
        let (top, bottom) = (self.base + self.top, self.base + self.bottom);
        if self.top > 0 {
            self.turn(top, bottom, erased, wrapped);
            return;
        }
        let full = self.lines.len() >= self.len_max();
        let mut line = if full {
            self.lines.pop_front().unwrap_or_default()
        } else {
            self.base += 1;
            Line::default()
        };
        line.reset(self.cols, erased, wrapped);
        let at = if full { bottom } else { bottom + 1 };
        if at == self.lines.len() {
            self.lines.push_back(line);
        } else {
            self.lines.insert(at, line);
        }
        let above = self.base.checked_sub(1);
        if let Some(line) = above.and_then(|at| self.lines.get_mut(at)) {
            line.settle();
        }
    }

    /// Takes a line out at one place and puts a blank one in at another.
    pub(crate) fn turn(&mut self, out: usize, into: usize, erased: Attr, wrapped: bool) {
        let mut line = self.lines.remove(out).unwrap_or_default();
        line.reset(self.cols, erased, wrapped);
        self.lines.insert(into, line);
    }

    /// Erases the cells of a row from `start` to `end`.
    pub(crate) fn erase(
        &mut self,
        y: usize,
        start: usize,
        end: usize,
        erased: Attr,
        selective: bool,
    ) {
        self.row(y)
            .replace(start, end, Cell::empty(erased), selective);
    }

    /// Erases a row, which then does not continue the one before.
    pub(crate) fn erase_row(&mut self, y: usize, erased: Attr, selective: bool) {
        let line = self.row(y);
        line.fill(Cell::empty(erased), selective);
        line.wrapped = false;
    }

    /// Drops the scrollback.
    pub(crate) fn drop_scrollback(&mut self) {
        let count = self.lines.len().saturating_sub(self.rows);
        self.lines.drain(..count);
        self.base = self.base.saturating_sub(count);
    }

    /// Sets or removes the tab stop at the cursor.
    pub(crate) fn set_tab(&mut self, on: bool) {
        if self.tabs.len() <= self.x {
            self.tabs.resize(self.x + 1, false);
        }
        self.tabs[self.x] = on;
    }

    /// The next tab stop, or the last column.
    pub(crate) fn next_tab(&self) -> usize {
        let stops = self.tabs.iter().enumerate().skip(self.x + 1);
        let next = stops.filter(|(_, stop)| **stop).map(|(at, _)| at).next();
        next.unwrap_or(self.cols).min(self.cols - 1)
    }

    /// The tab stop before a column, or the first column.
    pub(crate) fn tab_before(&self, x: usize) -> usize {
        let mut stops = self.tabs.iter().take(x);
        stops
            .rposition(|stop| *stop)
            .unwrap_or(0)
            .min(self.cols - 1)
    }

    /// After the width changed: adds the stops of the new columns.
    pub(super) fn widen_tabs(&mut self) {
        let cols = self.cols;
        if self.tabs.get(cols) == Some(&true) {
            return;
        }
        if self.tabs.len() < cols {
            self.tabs.resize(cols, false);
        }
        let first = self.tab_before(cols);
        for at in (first..cols).step_by(TAB_WIDTH) {
            self.tabs[at] = true;
        }
    }
}

/// A stop in every eighth column.
pub(crate) fn default_tabs(cols: usize) -> Vec<bool> {
    (0..cols).map(|at| at.is_multiple_of(TAB_WIDTH)).collect()
}
