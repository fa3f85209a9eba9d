//! What a change of size does to a screen: long lines are wrapped again, as the page's terminal
//! (xterm.js) does it, so that viewers who were there and those who come later see the same.

use std::collections::VecDeque;

use super::buffer::Buffer;
use super::cell::{Attr, Cell};
use super::line::Line;

impl Buffer {
    /// Changes the size.
    pub(crate) fn resize(&mut self, cols: usize, rows: usize) {
        if !self.lines.is_empty() {
            if self.cols < cols {
                self.lines.iter_mut().for_each(|line| line.resize(cols));
            }
            let added = self.resize_rows(cols, rows);
            self.x = self.x.min(cols - 1);
            self.y = self.y.min(rows - 1) + added;
            self.saved.x = self.saved.x.min(cols - 1);
            self.top = 0;
        }
        self.bottom = rows - 1;
        let before = self.cols;
        if self.reflows() {
            self.rows = rows;
            if cols > before {
                self.widen(cols, rows);
            } else if cols < before {
                self.narrow(cols, rows);
                self.lines.iter_mut().for_each(|line| line.resize(cols));
            }
        }
        (self.cols, self.rows) = (cols, rows);
        for line in &mut self.lines {
            // Half a wide character does not stay at the edge.
            let last = line.get(cols - 1);
            if last.width() == 2 {
                line.set(cols - 1, Cell::empty(last.attr));
            }
        }
        self.widen_tabs();
    }

    /// Adds or takes lines; tells by how many rows the cursor moves down.
    fn resize_rows(&mut self, cols: usize, rows: usize) -> usize {
        let mut added = 0;
        for _ in self.rows..rows {
            if self.lines.len() >= rows + self.base {
                continue;
            }
            if self.base > 0 && self.lines.len() <= self.base + self.y + added + 1 {
                // The screen grows into the scrollback.
                self.base -= 1;
                added += 1;
            } else {
                self.lines
                    .push_back(Line::blank(cols, Attr::default(), false));
            }
        }
        for _ in rows..self.rows {
            if self.lines.len() <= rows + self.base {
                continue;
            }
            if self.lines.len() > self.base + self.y + 1 {
                self.lines.pop_back();
            } else {
                self.base += 1;
            }
        }
        let len_max = self.len_max() - self.rows + rows;
        let surplus = self.lines.len().saturating_sub(len_max);
        if rows < self.rows && surplus > 0 {
            self.lines.drain(..surplus);
            self.base = self.base.saturating_sub(surplus);
            self.saved.line = self.saved.line.saturating_sub(surplus);
        }
        added
    }

    /// Joins wrapped lines. Those where the cursor is are the program's to draw again.
    fn widen(&mut self, cols: usize, rows: usize) {
        let cursor = self.base + self.y;
        let mut kept = VecDeque::with_capacity(self.lines.len());
        let mut lines = std::mem::take(&mut self.lines).into_iter().peekable();
        let mut removed = 0;
        let mut at = 0;
        while let Some(line) = lines.next() {
            let mut group = vec![line];
            while let Some(line) = lines.next_if(|line| line.wrapped) {
                group.push(line);
            }
            let len = group.len();
            if len > 1 && !(at..at + len).contains(&cursor) {
                let empty = join(&mut group, self.cols, cols);
                removed += empty;
                group.truncate(len - empty);
            }
            at += len;
            kept.extend(group);
        }
        self.lines = kept;
        for _ in 0..removed {
            if self.base > 0 {
                self.base -= 1;
                continue;
            }
            self.y = self.y.saturating_sub(1);
            if self.lines.len() < rows {
                self.lines
                    .push_back(Line::blank(cols, Attr::default(), false));
            }
        }
        self.saved.line = self.saved.line.saturating_sub(removed);
    }

    /// Wraps lines that are too long, from the last to the first.
    fn narrow(&mut self, cols: usize, rows: usize) {
        let len_max = self.len_max();
        // Each group of lines that is wrapped again: where it ends, and what it gains.
        let mut gains: Vec<(usize, Vec<Line>)> = Vec::new();
        let mut gained = 0;
        // Lines below the cursor make room for those above it.
        let mut len = self.lines.len();
        let mut y = len;
        while y > 0 {
            y -= 1;
            let last = y;
            if !self.lines[y].wrapped && self.lines[y].trimmed_len() <= cols {
                continue;
            }
            while self.lines[y].wrapped && y > 0 {
                y -= 1;
            }
            if (y..=last).contains(&(self.base + self.y)) {
                continue;
            }
            let group = self.lines.range(y..=last).cloned().collect();
            let (group, more, fewer) = split(group, self.cols, cols);
            for (line, new) in self.lines.range_mut(y..=last).zip(group) {
                *line = new;
            }
            let count = more.len();
            let trimmed = if self.base == 0 && self.y + 1 != len {
                (self.y + count).saturating_sub(len_max)
            } else {
                (len + count).saturating_sub(len_max)
            };
            if count > 0 {
                gains.push((last + 1, more));
                gained += count;
            }
            for _ in trimmed..count {
                if self.base == 0 && self.y < rows - 1 {
                    self.y += 1;
                    len -= 1;
                } else if self.base == 0 || self.base + rows < len_max.min(len + gained) {
                    self.base += 1;
                }
            }
            let lowest = (self.base + rows).saturating_sub(1);
            self.saved.line = (self.saved.line + count).saturating_sub(fewer).min(lowest);
        }
        self.lines.truncate(len);
        self.insert_all(gains, len_max);
    }

    fn insert_all(&mut self, gains: Vec<(usize, Vec<Line>)>, len_max: usize) {
        if gains.is_empty() {
            return;
        }
        let lines = std::mem::take(&mut self.lines);
        let mut gains = gains.into_iter().rev().peekable();
        for (at, line) in lines.into_iter().enumerate() {
            while let Some((_, more)) = gains.next_if(|(place, _)| *place <= at) {
                self.lines.extend(more);
            }
            self.lines.push_back(line);
        }
        gains.for_each(|(_, more)| self.lines.extend(more));
        let surplus = self.lines.len().saturating_sub(len_max);
        self.lines.drain(..surplus);
    }
}

/// Columns of a line that hold text; a wide character may have left the last one free.
fn filled_len(lines: &[Line], at: usize, cols: usize) -> usize {
    let Some(next) = lines.get(at + 1) else {
        return lines[at].trimmed_len();
    };
    let last = lines[at].get(cols - 1);
    let free = !last.has_content() && last.width() == 1;
    if free && next.get(0).width() == 2 {
        cols - 1
    } else {
        cols
    }
}

/// Joins the lines of a group into wider ones; tells how many at its end are not needed.
fn join(group: &mut [Line], old: usize, cols: usize) -> usize {
    let mut dest = 0;
    let mut dest_col = filled_len(group, 0, old);
    let mut source = 1;
    let mut source_col = 0;
    while source < group.len() {
        let len = filled_len(group, source, old);
        let count = (len - source_col).min(cols - dest_col);
        copy(group, (source, source_col), (dest, dest_col), count);
        dest_col += count;
        if dest_col == cols {
            dest += 1;
            dest_col = 0;
        }
        source_col += count;
        if source_col == len {
            source += 1;
            source_col = 0;
        }
        if dest_col == 0 && dest > 0 && group[dest - 1].get(cols - 1).width() == 2 {
            copy(group, (dest - 1, cols - 1), (dest, 0), 1);
            dest_col = 1;
            group[dest - 1].set(cols - 1, Cell::EMPTY);
        }
    }
    if let Some(line) = group.get_mut(dest) {
        line.replace(dest_col, cols, Cell::EMPTY, false);
    }
    let lines = group.iter().enumerate().skip(1).rev();
    lines
        .take_while(|(at, line)| *at > dest || line.trimmed_len() == 0)
        .count()
}

fn copy(group: &mut [Line], from: (usize, usize), to: (usize, usize), count: usize) {
    for at in 0..count {
        let cell = group[from.0].get(from.1 + at);
        group[to.0].set(to.1 + at, cell);
    }
}

/// Lays the cells of a group out in narrower lines; gives the lines that it had, new ones, and how
/// many of those that it had are left over.
fn split(mut group: Vec<Line>, old: usize, cols: usize) -> (Vec<Line>, Vec<Line>, usize) {
    let had = group.len();
    let lens = narrow_lens(&group, old, cols);
    let last_len = group[had - 1].trimmed_len();
    let count = lens.len().saturating_sub(had);
    group.extend((0..count).map(|_| Line::blank(cols.max(old), Attr::default(), true)));
    let mut dest = lens.len() as isize - 1;
    let mut dest_col = lens.last().copied().unwrap_or(0);
    if dest_col == 0 {
        dest -= 1;
        dest_col = lens.get(dest as usize).copied().unwrap_or(0);
    }
    let mut source = had as isize - 1;
    let mut source_col = last_len;
    while source >= 0 && dest >= 0 && (dest as usize) < group.len() {
        let count = source_col.min(dest_col);
        for at in (0..count).rev() {
            let cell = group[source as usize].get(source_col - count + at);
            group[dest as usize].set(dest_col - count + at, cell);
        }
        dest_col -= count;
        if dest_col == 0 {
            dest -= 1;
            dest_col = usize::try_from(dest).map_or(0, |dest| lens[dest]);
        }
        source_col -= count;
        if source_col == 0 {
            source -= 1;
            source_col = filled_len(&group, source.max(0) as usize, old);
        }
    }
    for (line, len) in group.iter_mut().zip(&lens) {
        if *len < cols {
            line.set(*len, Cell::EMPTY);
        }
    }
    let more = group.split_off(had);
    (group, more, had.saturating_sub(lens.len()))
}

/// The lengths of the lines that a group becomes.
fn narrow_lens(group: &[Line], old: usize, cols: usize) -> Vec<usize> {
    let needed: usize = (0..group.len()).map(|at| filled_len(group, at, old)).sum();
    let mut lens = Vec::new();
    let (mut source, mut source_col, mut done) = (0, 0, 0);
    while done < needed {
        if needed - done < cols {
            lens.push(needed - done);
            break;
        }
        source_col += cols;
        let len = filled_len(group, source, old);
        if source_col > len {
            source_col -= len;
            source += 1;
        }
        let wide = group
            .get(source)
            .is_some_and(|line| line.get(source_col - 1).width() == 2);
        source_col -= usize::from(wide);
        let len = cols - usize::from(wide);
        lens.push(len);
        done += len;
    }
    lens
}
