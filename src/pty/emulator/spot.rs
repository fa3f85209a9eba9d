//! Where a program's cursor is, as far as that tells a prompt from something else.

use super::buffer::Buffer;
use super::terminal::Terminal;

/// What the prompts of programs begin with that hide the cursor and leave it elsewhere.
const MARKS: [char; 3] = ['>', '❯', '›'];

/// Most characters of a prompt's mark, with the edge of a box before it.
const PROMPT_CHARS_MAX: usize = 3;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spot {
    /// The cursor stands in this column, behind this text of its line.
    Cursor(usize, String),
    /// Nothing stands before the cursor: the lowest line that looks like a prompt.
    Line(String),
}

impl Spot {
    /// True where a prompt may stand: little more than its mark is before the cursor.
    #[must_use]
    pub fn may_be_prompt(&self) -> bool {
        match self {
            Self::Cursor(_, before) => before.trim().chars().count() <= PROMPT_CHARS_MAX,
            Self::Line(_) => true,
        }
    }
}

impl Terminal {
    /// Where the cursor is; none where nothing tells.
    pub(crate) fn spot(&self) -> Option<Spot> {
        let screen = self.shown();
        let before = self.row_text(screen, screen.y, screen.x);
        if !before.trim().is_empty() {
            // A blank that was written and one that was not are the same to the eye.
            return Some(Spot::Cursor(screen.x, before.trim_end().to_owned()));
        }
        let mut lines = (0..self.rows)
            .rev()
            .map(|y| self.row_text(screen, y, self.cols).trim_end().to_owned());
        lines
            .find(|line| line.trim_start().starts_with(MARKS))
            .map(Spot::Line)
    }

    /// The text of a row up to a column, without the empty cells behind it.
    pub(crate) fn row_text(&self, screen: &Buffer, y: usize, cols: usize) -> String {
        let (mut text, mut end) = (String::new(), 0);
        let Some(line) = screen.lines.get(screen.base + y) else {
            return text;
        };
        for (at, cell) in line.cells().iter().take(cols).enumerate() {
            if cell.has_content() {
                text.extend(std::iter::repeat_n(' ', at.saturating_sub(end)));
                text.push_str(&self.text_of(*cell));
                end = at + cell.width();
            }
        }
        text
    }
}
