//! Writes a terminal out as escape codes that make a fresh one of the same size equal to it:
//! scrollback, normal and alternate screen, wrapped lines, cursor, what `ESC 7` kept, margins, tab
//! stops, character sets, attributes, links, colours, modes and titles.
//!
//! Called by [`super::emulator`]. The page's terminal (xterm.js) is who reads it, and the tests
//! compare by it. Where characters end and a gap begins, the column is told, so that a terminal
//! that counts columns otherwise shows all but those characters in its place.
//!
//! Not handled: the cursor waiting behind the last column of a line whose end was erased and whose
//! beginning was not; cells beyond the right edge of an alternate screen that was wider.

mod writer;

use crate::pty::emulator::buffer::{Buffer, Saved, default_tabs};
use crate::pty::emulator::cell::{Extended, Pen, flag};
use crate::pty::emulator::charset::{Charset, Charsets};
use crate::pty::emulator::modes::Modes;
use crate::pty::emulator::terminal::Terminal;

use writer::Writer;

/// Writes the whole terminal, without an unfinished sequence.
#[must_use]
pub(super) fn write(terminal: &Terminal) -> Vec<u8> {
    let mut writer = Writer::new(terminal);
    // `ESC c` does not reset these.
    writer.raw("\x1bc\x1b[20l\x1b[?25h");
    outside(&mut writer, terminal);
    let normal = &terminal.normal;
    lines(&mut writer, terminal, normal);
    keyboard(&mut writer, &terminal.modes.keyboard[0]);
    if terminal.in_alternate {
        margins(&mut writer, terminal, normal);
        writer.plain();
        writer.raw("\x1b[?47h\x1b[H");
        lines(&mut writer, terminal, &terminal.alternate);
        keyboard(&mut writer, &terminal.modes.keyboard[1]);
        margins(&mut writer, terminal, &terminal.alternate);
        finish(&mut writer, terminal, &terminal.alternate);
    } else {
        if terminal.alternate.saved != Saved::default() {
            writer.plain();
            writer.raw("\x1b[?47h");
            let saved = terminal.alternate.saved;
            let row = saved.line.min(terminal.rows - 1);
            writer.print(format_args!("\x1b[{}d", row + 1));
            save(&mut writer, terminal, &saved);
            writer.plain();
            writer.raw("\x1b[?47l");
        }
        margins(&mut writer, terminal, normal);
        finish(&mut writer, terminal, normal);
    }
    writer.into_bytes()
}

/// What is beside the screens: titles and colours.
fn outside(writer: &mut Writer<'_>, terminal: &Terminal) {
    for (kind, title) in [(1, &terminal.titles.icon), (2, &terminal.titles.window)] {
        if !title.text.is_empty() {
            writer.print(format_args!("\x1b]{kind};{}\x07", title.text));
        }
    }
    for change in terminal.palette.changes() {
        writer.print(format_args!("\x1b]{change}\x07"));
    }
}

/// Writes the lines, oldest first, so that a fresh terminal scrolls them into place.
fn lines(writer: &mut Writer<'_>, terminal: &Terminal, buffer: &Buffer) {
    let saved = (buffer.saved != Saved::default())
        .then(|| buffer.saved.line.min(buffer.lines.len().saturating_sub(1)));
    let wraps = terminal.rows > 1;
    writer.go(0);
    for (at, line) in buffer.lines.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| buffer.lines.get(at));
        match before {
            None if line.wrapped && wraps => writer.wrap_first(),
            None => {}
            Some(before) if line.wrapped && wraps => {
                writer.wrap(before, line, saved != Some(at));
            }
            Some(_) => writer.new_line(),
        }
        if saved == Some(at) {
            save(writer, terminal, &buffer.saved);
            writer.plain();
            writer.go(0);
        }
        writer.cells(line, 0);
    }
    writer.plain();
    tabs(writer, terminal, buffer);
}

/// Has the cursor saved in the line where it is.
fn save(writer: &mut Writer<'_>, terminal: &Terminal, saved: &Saved) {
    writer.go(saved.x.min(terminal.cols - 1));
    let underlined = saved.pen.flags & flag::UNDERLINE != 0;
    let mut extended = Extended {
        underline: u8::from(underlined),
        ..Extended::default()
    };
    if !underlined && saved.pen.flags & flag::EXTENDED != 0 {
        // That there was a link is kept, not which.
        extended.link = terminal.pen.extended.link;
    }
    writer.pen(saved.restored(extended));
    if saved.charset == Charset::ASCII {
        writer.raw("\x1b7");
    } else {
        let set = char::from(saved.charset.0);
        writer.print(format_args!("\x1b({set}\x1b7\x1b(B"));
    }
}

fn tabs(writer: &mut Writer<'_>, terminal: &Terminal, buffer: &Buffer) {
    let cols = terminal.cols;
    let stops = |at: &usize| buffer.tabs.get(*at) == Some(&true);
    let stops: Vec<usize> = (0..cols).filter(stops).collect();
    let usual = default_tabs(cols);
    if stops.iter().copied().eq((0..cols).filter(|at| usual[*at])) {
        return;
    }
    writer.raw("\x1b[3g");
    for at in stops {
        writer.go(at);
        writer.raw("\x1bH");
    }
}

fn margins(writer: &mut Writer<'_>, terminal: &Terminal, buffer: &Buffer) {
    if buffer.top != 0 || buffer.bottom + 1 != terminal.rows {
        writer.print(format_args!(
            "\x1b[{};{}r",
            buffer.top + 1,
            buffer.bottom + 1
        ));
    }
}

/// Nested states of the kitty keyboard.
fn keyboard(writer: &mut Writer<'_>, stack: &[u32]) {
    for flags in stack {
        writer.print(format_args!("\x1b[>{flags}u"));
    }
}

fn finish(writer: &mut Writer<'_>, terminal: &Terminal, buffer: &Buffer) {
    modes(writer, &terminal.modes);
    // What follows joins the last character only where nothing stands between. It then was printed
    // with the character sets as they are.
    let joins = terminal.before.is_some();
    let (set, saved) = (&terminal.charsets, &buffer.saved);
    let regular = is_regular(&terminal.pen);
    let made = saved.restored(terminal.pen.extended);
    let apart = set.active != set.sets[set.level];
    if !apart && !regular && made == terminal.pen {
        writer.restore(made);
    }
    if joins || apart {
        charsets(writer, set);
    }
    if apart && saved.charset == set.active {
        writer.restore(made);
    }
    let pen = if regular || made == terminal.pen {
        terminal.pen
    } else {
        terminal.pen.shown()
    };
    let line = &buffer.lines[buffer.base + buffer.y];
    writer.cursor(line, (buffer.x, buffer.y), terminal.before, pen);
    if !joins && !apart {
        charsets(writer, set);
    }
}

/// Whether a pen is one that `CSI m` and OSC 8 make.
fn is_regular(pen: &Pen) -> bool {
    let mut made = *pen;
    made.update();
    let underlined = pen.flags & flag::UNDERLINE != 0;
    made == *pen && underlined == (pen.extended.underline != 0)
}

fn charsets(writer: &mut Writer<'_>, charsets: &Charsets) {
    for (level, set) in charsets.sets.iter().enumerate() {
        if *set != Charset::ASCII {
            let into = ['(', ')', '*', '+'][level];
            writer.print(format_args!("\x1b{into}{}", char::from(set.0)));
        }
    }
    if charsets.level != 0 {
        writer.raw(["\x0f", "\x0e", "\x1bn", "\x1bo"][charsets.level]);
    }
}

fn modes(writer: &mut Writer<'_>, modes: &Modes) {
    let switches = [
        (modes.new_line, "\x1b[20h"),
        (modes.cursor_keys, "\x1b[?1h"),
        (modes.origin, "\x1b[?6h"),
        (modes.no_wrap, "\x1b[?7l"),
        (modes.cursor_blinks, "\x1b[?12h"),
        (modes.cursor_hidden, "\x1b[?25l"),
        (modes.reverse_wrap, "\x1b[?45h"),
        (modes.keypad, "\x1b="),
        (modes.focus, "\x1b[?1004h"),
        (modes.bracketed_paste, "\x1b[?2004h"),
        (modes.synchronized, "\x1b[?2026h"),
    ];
    for (on, codes) in switches {
        if on {
            writer.raw(codes);
        }
    }
    if modes.cursor_style != 0 {
        writer.print(format_args!("\x1b[{} q", modes.cursor_style));
    }
    for mode in [modes.mouse, modes.mouse_encoding] {
        if mode != 0 {
            writer.print(format_args!("\x1b[?{mode}h"));
        }
    }
    for (mode, on) in &modes.forwarded {
        let action = if *on { 'h' } else { 'l' };
        writer.print(format_args!("\x1b[?{mode}{action}"));
    }
}
