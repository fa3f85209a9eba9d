//! What programs ask a terminal, and the answers.
//!
//! The holder is the terminal that a program talks to: it answers at once and once, whether anybody
//! looks or not. Programs ask for the device (DA1, DA2, DA3, XTVERSION), the cursor and the status
//! (DSR), modes (DECRQM), settings (DECRQSS), capabilities (XTGETTCAP), the size, the colours and
//! the keyboard.

use std::fmt::Write as _;

use super::cell::{Pen, flag};
use super::palette::{Rgb, written};
use super::parser::{Params, function};
use super::terminal::Terminal;

/// Pixels of a cell, for programs that ask: nobody knows those of a viewer.
const CELL_WIDTH: usize = 8;
const CELL_HEIGHT: usize = 16;
/// Answers that wait for a program which does not read; more are dropped.
const ANSWERS_LEN_MAX: usize = 64 * 1024;

impl Terminal {
    fn say(&mut self, answer: &str) {
        if self.answers.len() + answer.len() <= ANSWERS_LEN_MAX {
            self.answers.extend_from_slice(answer.as_bytes());
        }
    }

    /// Answers a sequence; false when it is no question.
    pub(super) fn answer(&mut self, id: u32, params: &Params) -> bool {
        const fn f(bytes: &[u8]) -> u32 {
            function(bytes)
        }
        let first = params.get(0);
        let answer = match id {
            id if id == f(b"c") && first == 0 => "\x1b[?1;2c".to_owned(),
            id if id == f(b">c") && first == 0 => "\x1b[>0;276;0c".to_owned(),
            id if id == f(b"=c") && first == 0 => "\x1bP!|00000000\x1b\\".to_owned(),
            id if id == f(b">q") && first == 0 => {
                format!("\x1bP>|abbado {}\x1b\\", env!("CARGO_PKG_VERSION"))
            }
            id if id == f(b"n") => match first {
                5 => "\x1b[0n".to_owned(),
                6 => self.position(""),
                _ => return true,
            },
            id if id == f(b"?n") => match first {
                6 => self.position("?"),
                _ => return true,
            },
            id if id == f(b"$p") => format!("\x1b[{first};{}$y", self.modes.ask_ansi(first)),
            id if id == f(b"?$p") => {
                let said = self.modes.ask_private(first, self.in_alternate);
                format!("\x1b[?{first};{said}$y")
            }
            id if id == f(b"?u") => {
                format!("\x1b[?{}u", self.modes.keyboard(self.in_alternate))
            }
            id if id == f(b"t") => match self.measure(first, params.get(1)) {
                Some(answer) => answer,
                None => return true,
            },
            _ => return false,
        };
        self.say(&answer);
        true
    }

    fn position(&mut self, prefix: &str) -> String {
        let cols = self.cols;
        let screen = self.screen();
        let (x, y) = (screen.x.min(cols - 1) + 1, screen.y + 1);
        format!("\x1b[{prefix}{y};{x}R")
    }

    fn measure(&self, what: u32, second: u32) -> Option<String> {
        let (cols, rows) = (self.cols, self.rows);
        Some(match what {
            14 if second != 2 => {
                format!("\x1b[4;{};{}t", rows * CELL_HEIGHT, cols * CELL_WIDTH)
            }
            16 => format!("\x1b[6;{CELL_HEIGHT};{CELL_WIDTH}t"),
            18 => format!("\x1b[8;{rows};{cols}t"),
            19 => format!("\x1b[9;{rows};{cols}t"),
            _ => return None,
        })
    }

    pub(super) fn answer_color(&mut self, name: &str, color: Rgb) {
        let answer = format!("\x1b]{name};{}\x1b\\", written(color));
        self.say(&answer);
    }

    pub(super) fn do_dcs(&mut self, id: u32, text: &str) {
        if id == function(b"$q") {
            let setting = self.setting(text);
            let answer = match setting {
                Some(setting) => format!("\x1bP1$r{setting}{text}\x1b\\"),
                None => "\x1bP0$r\x1b\\".to_owned(),
            };
            self.say(&answer);
        } else if id == function(b"+q") {
            for name in text.split(';') {
                let answer = match capability(name) {
                    Some(value) => format!("\x1bP1+r{name}={}\x1b\\", hex(value)),
                    None => format!("\x1bP0+r{name}\x1b\\"),
                };
                self.say(&answer);
            }
        }
    }

    /// DECRQSS: a setting without its final bytes.
    fn setting(&mut self, name: &str) -> Option<String> {
        Some(match name {
            "m" => style(&self.pen),
            "r" => {
                let screen = self.screen();
                format!("{};{}", screen.top + 1, screen.bottom + 1)
            }
            " q" => self.modes.cursor_style.max(1).to_string(),
            "\"q" => u8::from(self.pen.flags & flag::PROTECTED != 0).to_string(),
            "\"p" => "61;1".to_owned(),
            _ => return None,
        })
    }
}

/// The parameters of `CSI m` that make a pen from a fresh one.
pub(crate) fn style(pen: &Pen) -> String {
    let flags = [
        (flag::BOLD, 1),
        (flag::DIM, 2),
        (flag::ITALIC, 3),
        (flag::BLINK, 5),
        (flag::INVERSE, 7),
        (flag::INVISIBLE, 8),
        (flag::STRIKETHROUGH, 9),
        (flag::OVERLINE, 53),
    ];
    let mut style = "0".to_owned();
    let mut put = |text: std::fmt::Arguments<'_>| {
        style.push(';');
        style.write_fmt(text).ok();
    };
    for (_, code) in flags.iter().filter(|(bit, _)| pen.flags & bit != 0) {
        put(format_args!("{code}"));
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

/// The value of a capability whose name is written in hexadecimal.
fn capability(name: &str) -> Option<&'static str> {
    match unhex(name)?.as_str() {
        "TN" | "name" => Some("xterm-256color"),
        "Co" | "colors" => Some("256"),
        "RGB" => Some("8"),
        _ => None,
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02X}")).collect()
}

fn unhex(text: &str) -> Option<String> {
    let bytes = text.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()
}
