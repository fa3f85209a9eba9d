//! A line of cells.

use super::cell::{Attr, Cell, flag};

/// Cells that nothing was written to are not kept at a line's end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    cells: Vec<Cell>,
    len: usize,
    /// It continues the line before, on which its text did not fit.
    pub wrapped: bool,
}

impl Line {
    /// An empty line of a colour.
    pub(crate) fn blank(len: usize, attr: Attr, wrapped: bool) -> Self {
        let mut line = Self {
            cells: Vec::new(),
            len,
            wrapped,
        };
        line.clear(attr);
        line
    }

    /// Makes it blank again, in the memory that it has.
    pub(crate) fn reset(&mut self, len: usize, attr: Attr, wrapped: bool) {
        self.len = len;
        self.wrapped = wrapped;
        self.clear(attr);
    }

    fn clear(&mut self, attr: Attr) {
        self.cells.clear();
        if attr != Attr::default() {
            self.cells.resize(self.len, Cell::empty(attr));
        }
    }

    /// Gives back memory that a line in the scrollback will not need.
    pub(crate) fn settle(&mut self) {
        while self.cells.last() == Some(&Cell::EMPTY) {
            self.cells.pop();
        }
        if self.cells.capacity() > self.cells.len() + self.cells.len() / 4 {
            self.cells.shrink_to_fit();
        }
    }

    /// All cells that may hold something.
    pub(crate) fn cells_mut(&mut self) -> &mut [Cell] {
        &mut self.cells
    }

    /// All cells that may hold something.
    pub(crate) fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The cell in a column.
    pub(crate) fn get(&self, at: usize) -> Cell {
        self.cells.get(at).copied().unwrap_or(Cell::EMPTY)
    }

    /// Replaces the cell in a column.
    pub(crate) fn set(&mut self, at: usize, cell: Cell) {
        if at < self.cells.len() {
            self.cells[at] = cell;
        } else if cell != Cell::EMPTY && at < self.len {
            self.cells.resize(at + 1, Cell::EMPTY);
            self.cells[at] = cell;
        }
    }

    /// Writes ASCII characters from a column on; there must be room.
    pub(crate) fn set_ascii(&mut self, at: usize, text: &[u8], attr: Attr) {
        let cells = text.iter().map(|byte| Cell::new(u32::from(*byte), 1, attr));
        if self.cells.len() < at {
            self.cells.resize(at, Cell::EMPTY);
        }
        let over = (self.cells.len() - at).min(text.len());
        let mut cells = cells;
        for cell in &mut self.cells[at..at + over] {
            if let Some(new) = cells.next() {
                *cell = new;
            }
        }
        self.cells.extend(cells);
    }

    /// The line as if all cells were kept.
    fn whole(&mut self) -> &mut Vec<Cell> {
        if self.cells.len() < self.len {
            self.cells.resize(self.len, Cell::EMPTY);
        }
        &mut self.cells
    }

    /// Replaces all cells; a selective erase leaves those that are protected.
    pub(crate) fn fill(&mut self, cell: Cell, selective: bool) {
        if selective {
            self.replace_selectively(0, self.len, cell);
        } else if cell == Cell::EMPTY {
            self.cells.clear();
        } else {
            self.cells.clear();
            self.cells.resize(self.len, cell);
        }
    }

    /// Replaces the cells from `start` to `end`; half a wide character does not stay.
    pub(crate) fn replace(&mut self, start: usize, end: usize, cell: Cell, selective: bool) {
        let spared = |line: &Self, at| selective && is_protected(line.get(at));
        if start > 0 && self.get(start - 1).width() == 2 && !spared(self, start - 1) {
            self.set(start - 1, Cell::empty(cell.attr));
        }
        if end > 0 && end < self.len && self.get(end - 1).width() == 2 && !spared(self, end) {
            self.set(end, Cell::empty(cell.attr));
        }
        let end = end.min(self.len);
        if selective {
            self.replace_selectively(start, end, cell);
        } else if cell == Cell::EMPTY && end == self.len {
            self.cells.truncate(start);
        } else if start < end {
            self.whole()[start..end].fill(cell);
        }
    }

    fn replace_selectively(&mut self, start: usize, end: usize, cell: Cell) {
        for at in start..end {
            if !is_protected(self.get(at)) {
                self.set(at, cell);
            }
        }
    }

    /// Inserts cells at `at`, or deletes those there.
    pub(crate) fn shift(&mut self, at: usize, count: usize, cell: Cell, insert: bool) {
        if insert {
            self.insert(at, count, cell);
        } else {
            self.delete(at, count, cell);
        }
    }

    /// Moves what stands from `at` on to the right.
    pub(crate) fn insert(&mut self, at: usize, count: usize, cell: Cell) {
        let len = self.len;
        let at = at % len;
        if at > 0 && self.get(at - 1).width() == 2 {
            self.set(at - 1, Cell::empty(cell.attr));
        }
        let count = count.min(len - at);
        let cells = self.whole();
        cells.copy_within(at..len - count, at + count);
        cells[at..at + count].fill(cell);
        if self.get(len - 1).width() == 2 {
            self.set(len - 1, Cell::empty(cell.attr));
        }
    }

    /// Moves what stands behind `count` cells at `at` to the left.
    fn delete(&mut self, at: usize, count: usize, cell: Cell) {
        let len = self.len;
        let at = at % len;
        let count = count.min(len - at);
        let cells = self.whole();
        cells.copy_within(at + count..len, at);
        cells[len - count..len].fill(cell);
        if at > 0 && self.get(at - 1).width() == 2 {
            self.set(at - 1, Cell::empty(cell.attr));
        }
        if self.get(at).is_half() {
            self.set(at, Cell::empty(cell.attr));
        }
    }

    /// Changes the number of columns.
    pub(crate) fn resize(&mut self, len: usize) {
        self.cells.truncate(len);
        self.len = len;
    }

    /// Columns up to the last that holds something.
    pub(crate) fn trimmed_len(&self) -> usize {
        let last = self.cells.iter().rposition(|cell| cell.has_content());
        last.map_or(0, |last| last + self.cells[last].width())
    }
}

const fn is_protected(cell: Cell) -> bool {
    cell.attr.flags & flag::PROTECTED != 0
}
