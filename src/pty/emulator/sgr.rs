//! `CSI m`: how characters are drawn.

use super::cell::{Color, Pen, flag};
use super::params::Params;
use std::fmt::Write as _;

/// Attributes, with the parameters that switch each on and off.
const SWITCHES: [(u16, u32, u32); 8] = [
    (flag::BOLD, 1, 22),
    (flag::DIM, 2, 22),
    (flag::ITALIC, 3, 23),
    (flag::BLINK, 5, 25),
    (flag::INVERSE, 7, 27),
    (flag::INVISIBLE, 8, 28),
    (flag::STRIKETHROUGH, 9, 29),
    (flag::OVERLINE, 53, 55),
];

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
        4 => underline(pen, part.map_or(1, |part| part.unwrap_or(1))),
        21 => underline(pen, 2),
        24 => underline(pen, 0),
        30..=37 => pen.fg = Color::ansi((code - 30) as u8),
        39 => pen.fg = Color::DEFAULT,
        40..=47 => pen.bg = Color::ansi((code - 40) as u8),
        49 => pen.bg = Color::DEFAULT,
        59 => {
            // The page's terminal has white for the underline's default.
            pen.extended.color = Color::rgb(255, 255, 255);
            pen.update();
        }
        90..=97 => pen.fg = Color::ansi((code - 90 + 8) as u8),
        100..=107 => pen.bg = Color::ansi((code - 100 + 8) as u8),
        _ => {
            for (bit, on, off) in SWITCHES {
                if code == on {
                    pen.flags |= bit;
                } else if code == off {
                    pen.flags &= !bit;
                }
            }
        }
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

/// The parameters of `CSI m` that make a pen from a fresh one.
pub(crate) fn style(pen: &Pen) -> String {
    let mut style = "0".to_owned();
    let mut put = |text: std::fmt::Arguments<'_>| {
        style.push(';');
        style.write_fmt(text).ok();
    };
    for (_, on, _) in SWITCHES.iter().filter(|(bit, ..)| pen.flags & bit != 0) {
        put(format_args!("{on}"));
    }
    match pen.extended.underline {
        0 if pen.flags & flag::UNDERLINE == 0 => {}
        0 | 1 => put(format_args!("4")),
        kind => put(format_args!("4:{kind}")),
    }
    for (color, base) in [(pen.fg, 30), (pen.bg, 40), (pen.extended.color, 50)] {
        let [red, green, blue] = color.parts();
        match color.kind() {
            1 if blue < 8 => put(format_args!("{}", base + blue)),
            1 => put(format_args!("{}", base + 60 + blue - 8)),
            2 => put(format_args!("{}:5:{blue}", base + 8)),
            3 => put(format_args!("{}:2::{red}:{green}:{blue}", base + 8)),
            _ => {}
        }
    }
    style
}
