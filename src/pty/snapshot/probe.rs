//! Finds out what a screen does not show, by trying it out on copies.

use std::num::NonZeroU16;

use vt100::{Cell, Color, Parser, Screen};

/// Colours and attributes of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Style {
    pub foreground: Color,
    pub background: Color,
    pub bold: bool,
    pub dim: bool,
    pub italic: bool,
    pub underline: bool,
    pub inverse: bool,
}

impl Style {
    pub fn of_cell(cell: &Cell) -> Self {
        Self {
            foreground: cell.fgcolor(),
            background: cell.bgcolor(),
            bold: cell.bold(),
            dim: cell.dim(),
            italic: cell.italic(),
            underline: cell.underline(),
            inverse: cell.inverse(),
        }
    }

    /// The style of what is written next.
    pub fn of_screen(screen: &Screen) -> Self {
        Self {
            foreground: screen.fgcolor(),
            background: screen.bgcolor(),
            bold: screen.bold(),
            dim: screen.dim(),
            italic: screen.italic(),
            underline: screen.underline(),
            inverse: screen.inverse(),
        }
    }
}

/// The rows that scroll, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Region {
    pub top: u16,
    pub bottom: u16,
}

/// What DECSC saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SavedCursor {
    pub position: (u16, u16),
    pub origin: bool,
    pub style: Style,
}

/// What a grid has beside its cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GridState {
    pub position: (u16, u16),
    pub region: Region,
    pub origin: bool,
    pub saved: SavedCursor,
}

impl GridState {
    /// Probes the grid that `screen` shows. Copies the screen, so its scrollback should be empty.
    pub fn probe(screen: &Screen) -> Self {
        // In origin mode the cursor's home and its lowest row are the ends of the region.
        let (top, _) = driven(screen, b"\x1b[?6h").cursor_position();
        let (bottom, _) = driven(screen, b"\x1b[?6h\x1b[65535H").cursor_position();
        let saved = driven(screen, b"\x1b8");
        Self {
            position: screen.cursor_position(),
            region: Region { top, bottom },
            origin: origin_mode(screen),
            saved: SavedCursor {
                position: saved.cursor_position(),
                origin: origin_mode(&saved),
                style: Style::of_screen(&saved),
            },
        }
    }
}

/// Origin mode shows only where home is, and only with a region that begins below the top.
fn origin_mode(screen: &Screen) -> bool {
    let mut tall = screen.clone();
    let (rows, cols) = tall.size();
    tall.set_size(
        rows.max(const { NonZeroU16::new(3).expect("3 is not 0") }),
        cols,
    );
    driven(&tall, b"\x1b[2;3r\x1b[H").cursor_position().0 == 1
}

/// A copy of the screen after some more output.
pub(super) fn driven(screen: &Screen, output: &[u8]) -> Screen {
    let (rows, cols) = screen.size();
    let mut parser = Parser::new(rows, cols, 0);
    parser.screen_mut().clone_from(screen);
    parser.process(output);
    parser.screen_mut().clone()
}
