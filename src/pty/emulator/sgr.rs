//! `CSI m`: how characters are drawn.

use super::cell::{Color, Pen, flag};
use super::parser::Params;

/// Applies all parameters to a pen.
pub(super) fn apply(pen: &mut Pen, params: &Params) {
    let mut at = 0;
    while at < params.len() {
        let code = params.get(at);
        match code {
            38 | 48 | 58 => at += color(pen, params, at),
            _ => one(pen, code, params.parts(at).next()),
        }
        at += 1;
    }
}

fn one(pen: &mut Pen, code: u32, part: Option<Option<u32>>) {
    match code {
        0 => {
            let link = pen.extended.link;
            *pen = Pen::default();
            pen.extended.link = link;
            pen.update();
        }
        1 => pen.flags |= flag::BOLD,
        2 => pen.flags |= flag::DIM,
        3 => pen.flags |= flag::ITALIC,
        4 => underline(pen, part.map_or(1, |part| part.unwrap_or(1))),
        5 => pen.flags |= flag::BLINK,
        7 => pen.flags |= flag::INVERSE,
        8 => pen.flags |= flag::INVISIBLE,
        9 => pen.flags |= flag::STRIKETHROUGH,
        21 => underline(pen, 2),
        22 => pen.flags &= !(flag::BOLD | flag::DIM),
        23 => pen.flags &= !flag::ITALIC,
        24 => underline(pen, 0),
        25 => pen.flags &= !flag::BLINK,
        27 => pen.flags &= !flag::INVERSE,
        28 => pen.flags &= !flag::INVISIBLE,
        29 => pen.flags &= !flag::STRIKETHROUGH,
        30..=37 => pen.fg = Color::ansi((code - 30) as u8),
        39 => pen.fg = Color::DEFAULT,
        40..=47 => pen.bg = Color::ansi((code - 40) as u8),
        49 => pen.bg = Color::DEFAULT,
        53 => pen.flags |= flag::OVERLINE,
        55 => pen.flags &= !flag::OVERLINE,
        59 => {
            // The page's terminal has white for the underline's default.
            pen.extended.color = Color::rgb(255, 255, 255);
            pen.update();
        }
        90..=97 => pen.fg = Color::ansi((code - 90 + 8) as u8),
        100..=107 => pen.bg = Color::ansi((code - 100 + 8) as u8),
        _ => {}
    }
}

fn underline(pen: &mut Pen, style: u32) {
    let style = if style > 5 { 1 } else { style as u8 };
    pen.extended.underline = style;
    if style == 0 {
        pen.flags &= !flag::UNDERLINE;
    } else {
        pen.flags |= flag::UNDERLINE;
    }
    pen.update();
}

/// `38;5;N`, `38;2;R;G;B` and the like, with semicolons or colons; tells how many parameters it
/// took beside the first.
fn color(pen: &mut Pen, params: &Params, at: usize) -> usize {
    // The kind, 2 or 5; the colour space, which counts for nothing; the values.
    let mut said = [0; 6];
    let mut space = 0;
    let mut advance = 0;
    loop {
        said[advance + space] = params.get(at + advance);
        let mut parts = params.parts(at + advance).enumerate().peekable();
        if parts.peek().is_some() {
            for (part, value) in parts {
                if said[1] == 5 {
                    space = 1;
                }
                if part + advance + 1 + space >= said.len() {
                    break;
                }
                said[advance + part + 1 + space] = value.unwrap_or(0);
            }
            break;
        }
        let indexed = said[1] == 5 && advance + space >= 2;
        if indexed || said[1] == 2 && advance + space >= 5 {
            break;
        }
        if said[1] != 0 {
            space = 1;
        }
        advance += 1;
        if advance + at >= params.len() || advance + space >= said.len() {
            break;
        }
    }
    let target = match said[0] {
        38 => &mut pen.fg,
        48 => &mut pen.bg,
        _ => &mut pen.extended.color,
    };
    let [red, green, blue] = [said[3] as u8, said[4] as u8, said[5] as u8];
    match said[1] {
        2 => *target = Color::rgb(red, green, blue),
        5 => *target = Color::indexed(red),
        _ => {}
    }
    advance
}
