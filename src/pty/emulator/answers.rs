//! What programs ask a terminal, and the answers.
//!
//! The holder is the terminal that a program talks to: it answers at once and once, whether anybody
//! looks or not. Programs ask for the device (DA1, DA2, DA3, XTVERSION), the cursor and the status
//! (DSR), modes (DECRQM), settings (DECRQSS), capabilities (XTGETTCAP), the size, the colours and
//! the keyboard.

use super::cell::flag;
use super::palette::{Rgb, written};
use super::params::Params;
use super::sgr;
use super::terminal::Terminal;

/// Pixels of a cell, for programs that ask: those of a viewer are unknown.
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

    /// Answers a sequence that is a question.
    pub(super) fn answer(&mut self, id: u32, params: &Params) {
        let first = params.get(0);
        let answer = match (&id.to_be_bytes(), first) {
            (b"\0\0\0c", 0) => "\x1b[?1;2c".to_owned(),
            (b"\0\0>c", 0) => "\x1b[>0;276;0c".to_owned(),
            (b"\0\0=c", 0) => "\x1bP!|00000000\x1b\\".to_owned(),
            (b"\0\0>q", 0) => format!("\x1bP>|abbado {}\x1b\\", env!("CARGO_PKG_VERSION")),
            (b"\0\0\0n", 5) => "\x1b[0n".to_owned(),
            (b"\0\0\0n", 6) => self.position(""),
            (b"\0\0?n", 6) => self.position("?"),
            (b"\0\0$p", _) => format!("\x1b[{first};{}$y", self.modes.ask_ansi(first)),
            (b"\0?$p", _) => {
                let said = self.modes.ask_private(first, self.in_alternate);
                format!("\x1b[?{first};{said}$y")
            }
            (b"\0\0?u", _) => format!("\x1b[?{}u", self.modes.keyboard(self.in_alternate)),
            (b"\0\0\0t", _) => self.measure(first, params.get(1)),
            _ => return,
        };
        self.say(&answer);
    }

    fn position(&self, prefix: &str) -> String {
        let screen = self.shown();
        let (x, y) = (screen.x.min(self.cols - 1) + 1, screen.y + 1);
        format!("\x1b[{prefix}{y};{x}R")
    }

    /// The answer to a question about a size; empty for anything else.
    fn measure(&self, what: u32, second: u32) -> String {
        let (cols, rows) = (self.cols, self.rows);
        match what {
            14 if second != 2 => {
                format!("\x1b[4;{};{}t", rows * CELL_HEIGHT, cols * CELL_WIDTH)
            }
            16 => format!("\x1b[6;{CELL_HEIGHT};{CELL_WIDTH}t"),
            18 => format!("\x1b[8;{rows};{cols}t"),
            19 => format!("\x1b[9;{rows};{cols}t"),
            _ => String::new(),
        }
    }

    pub(super) fn answer_color(&mut self, name: &str, color: Rgb) {
        let answer = format!("\x1b]{name};{}\x1b\\", written(color));
        self.say(&answer);
    }

    pub(super) fn dcs(&mut self, id: u32, text: &str) {
        match &id.to_be_bytes() {
            b"\0\0$q" => self.say(&match self.setting(text) {
                Some(setting) => format!("\x1bP1$r{setting}{text}\x1b\\"),
                None => "\x1bP0$r\x1b\\".to_owned(),
            }),
            b"\0\0+q" => text.split(';').for_each(|name| {
                self.say(&match capability(name) {
                    Some(value) => format!("\x1bP1+r{name}={}\x1b\\", hex(value)),
                    None => format!("\x1bP0+r{name}\x1b\\"),
                });
            }),
            _ => {}
        }
    }

    /// DECRQSS: a setting without its final bytes.
    fn setting(&self, name: &str) -> Option<String> {
        let screen = self.shown();
        Some(match name {
            "m" => sgr::style(&self.pen),
            "r" => format!("{};{}", screen.top + 1, screen.bottom + 1),
            " q" => self.modes.cursor_style.max(1).to_string(),
            "\"q" => u8::from(self.pen.flags & flag::PROTECTED != 0).to_string(),
            "\"p" => "61;1".to_owned(),
            _ => return None,
        })
    }
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
