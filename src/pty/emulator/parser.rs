//! Takes output apart into text, controls and sequences.
//!
//! The states are those of a VT500, with the page's terminal (xterm.js) as the model where it
//! differs: bytes that are no UTF-8 are passed over, and C1 controls count when they are encoded.

use super::params::Params;
use super::terminal::Terminal;

/// The longest OSC string that is looked at.
const OSC_LEN_MAX: usize = 64 * 1024;
/// The longest DCS string that is looked at.
const DCS_LEN_MAX: usize = 4096;
/// How much of an unfinished sequence is kept for a snapshot. Only strings (clipboard, images) get
/// longer; a viewer's terminal then takes the string as shortened, and still ends it in the right place.
const PENDING_LEN_MAX: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum ParserState {
    #[default]
    Ground,
    Escape,
    EscapeIntermediate,
    CsiEntry,
    CsiParam,
    CsiIntermediate,
    CsiIgnore,
    Osc,
    DcsEntry,
    DcsParam,
    DcsIntermediate,
    DcsIgnore,
    DcsData,
    /// SOS, PM, APC.
    Ignored,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Parser {
    state: ParserState,
    /// Prefix, intermediates and final byte of a sequence, such as `?$p`: a byte each.
    function: u32,
    params: Params,
    string: Vec<u8>,
    /// The string is too long to be looked at.
    long: bool,
    /// The bytes of the unfinished sequence, without controls in its middle: those took effect.
    pending: Vec<u8>,
    /// The beginning of a character that was cut.
    cut: Vec<u8>,
}

impl Parser {
    /// Takes output in, cut anywhere.
    pub(super) fn advance(&mut self, bytes: &[u8], terminal: &mut Terminal) {
        let mut bytes = bytes;
        while !bytes.is_empty() && !self.cut.is_empty() {
            self.complete(&mut bytes, terminal);
        }
        while let Some(first) = bytes.first() {
            let printable = *first >= b' ' && *first != 0x7f;
            let taken = if self.state == ParserState::Ground && printable {
                self.text(bytes, terminal)
            } else if matches!(self.state, ParserState::Osc | ParserState::DcsData) {
                self.string(bytes)
            } else {
                0
            };
            bytes = &bytes[taken..];
            if taken > 0 || bytes.is_empty() {
                continue;
            }
            match decode(bytes) {
                Decoded::Char(code, len) => {
                    self.step(code, &bytes[..len], terminal);
                    bytes = &bytes[len..];
                }
                Decoded::Invalid(len) => bytes = &bytes[len..],
                Decoded::Cut => {
                    self.cut = bytes.to_vec();
                    return;
                }
            }
        }
    }

    /// The bytes that began something and did not end it.
    pub(super) fn pending(&self) -> Vec<u8> {
        [&self.pending[..], &self.cut].concat()
    }

    /// Whether it stopped between two things.
    pub(super) fn is_idle(&self) -> bool {
        self.state == ParserState::Ground && self.cut.is_empty()
    }

    /// Takes bytes until the character that was cut is whole, or invalid.
    fn complete(&mut self, bytes: &mut &[u8], terminal: &mut Terminal) {
        let had = self.cut.len();
        let mut whole = std::mem::take(&mut self.cut);
        whole.extend(bytes.iter().take(3));
        let used = match decode(&whole) {
            Decoded::Cut => {
                self.cut = whole;
                *bytes = &[];
                return;
            }
            Decoded::Invalid(len) => len,
            Decoded::Char(code, len) => {
                let printed = self.state == ParserState::Ground && code >= 0xa0;
                if printed {
                    terminal.begin_text();
                    terminal.char(code);
                    terminal.end_text();
                } else {
                    self.step(code, &whole[..len], terminal);
                }
                len
            }
        };
        *bytes = &bytes[used.saturating_sub(had)..];
    }

    /// Prints text up to a control; tells how many bytes that were.
    fn text(&mut self, bytes: &[u8], terminal: &mut Terminal) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let ascii = rest.iter().position(|byte| !(b' '..=b'~').contains(byte));
            let ascii = ascii.unwrap_or(rest.len());
            if ascii > 0 {
                if at == 0 {
                    terminal.begin_text();
                }
                terminal.ascii(&rest[..ascii]);
                at += ascii;
                continue;
            }
            match decode(rest) {
                Decoded::Char(code, len) if code >= 0xa0 => {
                    if at == 0 {
                        terminal.begin_text();
                    }
                    terminal.char(code);
                    at += len;
                }
                Decoded::Invalid(len) if at > 0 => at += len,
                Decoded::Char(..) | Decoded::Cut | Decoded::Invalid(_) => break,
            }
        }
        if at > 0 {
            terminal.end_text();
        }
        at
    }

    /// Keeps the plain part of a string; tells how many bytes that were.
    fn string(&mut self, bytes: &[u8]) -> usize {
        let plain = bytes.iter().position(|byte| !(b' '..=b'~').contains(byte));
        let plain = &bytes[..plain.unwrap_or(bytes.len())];
        self.keep(plain);
        plain.len()
    }

    fn keep(&mut self, bytes: &[u8]) {
        let len_max = if self.state == ParserState::Osc {
            OSC_LEN_MAX
        } else {
            DCS_LEN_MAX
        };
        if self.string.len() + bytes.len() > len_max {
            self.long = true;
        } else {
            self.string.extend_from_slice(bytes);
        }
        self.wait(bytes, self.state);
    }

    /// Stays inside a sequence.
    fn wait(&mut self, bytes: &[u8], state: ParserState) {
        self.state = state;
        let room = PENDING_LEN_MAX.saturating_sub(self.pending.len());
        self.pending.extend(bytes.iter().take(room));
    }

    fn begin(&mut self, bytes: &[u8], state: ParserState) {
        self.pending.clear();
        self.function = 0;
        self.params.clear();
        self.string.clear();
        self.long = false;
        self.wait(bytes, state);
    }

    fn end(&mut self) {
        self.state = ParserState::Ground;
        self.pending.clear();
    }

    fn collect(&mut self, code: u32, bytes: &[u8], state: ParserState) {
        self.function = self.function << 8 | code;
        self.wait(bytes, state);
    }

    fn param(&mut self, code: u32, bytes: &[u8], state: ParserState) {
        self.params.push(code as u8);
        self.wait(bytes, state);
    }

    /// One control character, or one inside a sequence.
    fn step(&mut self, code: u32, bytes: &[u8], terminal: &mut Terminal) {
        use ParserState::{CsiEntry, DcsData, DcsEntry, Escape, Ground, Ignored, Osc};
        match (self.state, code) {
            (Osc | DcsData, 0x1b | 0x9c | 0x18 | 0x1a) | (Osc, 0x07) => {
                self.end_string(code, terminal);
            }
            (_, 0x1b) => self.begin(bytes, Escape),
            (_, 0x9b) => self.begin(bytes, CsiEntry),
            (_, 0x9d) => self.begin(bytes, Osc),
            (_, 0x90) => self.begin(bytes, DcsEntry),
            (_, 0x98 | 0x9e | 0x9f) => self.begin(bytes, Ignored),
            (_, 0x9c) => self.end(),
            (_, 0x18 | 0x1a | 0x80..=0x9f) => {
                self.end();
                terminal.control(code as u8);
            }
            (Ground, 0x00..=0x1f) => {
                terminal.control(code as u8);
            }
            (Ground, 0x7f) => {}
            (Ground, _) => terminal.char(code),
            _ => self.step_inside(code, bytes, terminal),
        }
    }

    fn step_inside(&mut self, code: u32, bytes: &[u8], terminal: &mut Terminal) {
        use ParserState::{DcsData, Escape, EscapeIntermediate, Ignored, Osc};
        let c0 = code < 0x20;
        let state = self.state;
        if matches!(state, Osc | DcsData | Ignored) {
            if state == Ignored && code >= 0xa0 {
                self.end();
            } else if state == Ignored && !c0 {
                self.wait(bytes, Ignored);
            } else if state == Osc && !c0 || state == DcsData && code != 0x7f {
                self.keep(bytes);
            }
        } else if c0 {
            if !self.is_in_dcs() {
                terminal.control(code as u8);
            }
        } else if code == 0x7f {
            // Counts for nothing.
        } else if matches!(state, Escape | EscapeIntermediate) {
            self.step_escape(code, bytes, terminal);
        } else if self.is_in_dcs() {
            self.step_dcs(code, bytes);
        } else {
            self.step_csi(code, bytes, terminal);
        }
    }

    const fn is_in_dcs(&self) -> bool {
        use ParserState::{DcsEntry, DcsIgnore, DcsIntermediate, DcsParam};
        matches!(
            self.state,
            DcsEntry | DcsParam | DcsIntermediate | DcsIgnore
        )
    }

    fn step_escape(&mut self, code: u32, bytes: &[u8], terminal: &mut Terminal) {
        let begun = self.state == ParserState::Escape;
        match bytes {
            [0x20..=0x2f] => self.collect(code, bytes, ParserState::EscapeIntermediate),
            b"[" if begun => self.wait(bytes, ParserState::CsiEntry),
            b"]" if begun => self.wait(bytes, ParserState::Osc),
            b"P" if begun => self.wait(bytes, ParserState::DcsEntry),
            b"X" | b"^" | b"_" if begun => self.wait(bytes, ParserState::Ignored),
            [0x30..=0x7e] => {
                let function = self.function << 8 | code;
                self.end();
                terminal.escape(function);
                terminal.before = None;
            }
            _ => self.end(),
        }
    }

    fn step_csi(&mut self, code: u32, bytes: &[u8], terminal: &mut Terminal) {
        use ParserState::{CsiEntry, CsiIgnore, CsiIntermediate, CsiParam};
        match (self.state, code) {
            (CsiIgnore, 0x40..=0x7e) => self.end(),
            (CsiIgnore, _) => self.wait(bytes, CsiIgnore),
            (_, 0x40..=0x7e) => {
                let function = self.function << 8 | code;
                self.end();
                terminal.sequence(function, &self.params);
                terminal.before = None;
            }
            (_, 0x20..=0x2f) => self.collect(code, bytes, CsiIntermediate),
            (CsiEntry | CsiParam, 0x30..=0x3b) => self.param(code, bytes, CsiParam),
            (CsiEntry, 0x3c..=0x3f) => self.collect(code, bytes, CsiParam),
            (_, 0x30..=0x3f) => self.wait(bytes, CsiIgnore),
            _ => self.end(),
        }
    }

    fn step_dcs(&mut self, code: u32, bytes: &[u8]) {
        use ParserState::{DcsData, DcsEntry, DcsIgnore, DcsIntermediate, DcsParam};
        match (self.state, code) {
            (DcsIgnore, _) => self.wait(bytes, DcsIgnore),
            (_, 0x40..=0x7e) => self.collect(code, bytes, DcsData),
            (_, 0x20..=0x2f) => self.collect(code, bytes, DcsIntermediate),
            (DcsEntry | DcsParam, 0x30..=0x3b) => self.param(code, bytes, DcsParam),
            (DcsEntry, 0x3c..=0x3f) => self.collect(code, bytes, DcsParam),
            (_, 0x30..=0x3f) => self.wait(bytes, DcsIgnore),
            _ => self.end(),
        }
    }

    /// Ends a string: with what it says, unless it was cancelled.
    fn end_string(&mut self, code: u32, terminal: &mut Terminal) {
        let said = !self.long && !matches!(code, 0x18 | 0x1a);
        let string = std::mem::take(&mut self.string);
        let text = String::from_utf8_lossy(&string);
        if said && self.state == ParserState::DcsData {
            terminal.dcs(self.function, &text);
        } else if said {
            let (number, text) = text.split_once(';').unwrap_or((&text, ""));
            if let Ok(number) = number.parse() {
                terminal.osc(number, text);
            }
        }
        terminal.before = None;
        self.string = string;
        if code == 0x1b {
            self.begin(b"\x1b", ParserState::Escape);
        } else {
            self.end();
        }
    }
}

enum Decoded {
    /// A character and its bytes.
    Char(u32, usize),
    /// So many bytes that are none.
    Invalid(usize),
    /// The beginning of one.
    Cut,
}

/// Takes one character of UTF-8. A byte order mark counts as invalid.
fn decode(bytes: &[u8]) -> Decoded {
    let (len, bits, least) = match bytes[0] {
        byte @ 0..0x80 => return Decoded::Char(byte.into(), 1),
        byte @ 0xc0..0xe0 => (2, byte & 0x1f, 0x80),
        byte @ 0xe0..0xf0 => (3, byte & 0x0f, 0x800),
        byte @ 0xf0..0xf8 => (4, byte & 0x07, 0x1_0000),
        _ => return Decoded::Invalid(1),
    };
    let mut code = u32::from(bits);
    for at in 1..len {
        match bytes.get(at) {
            None => return Decoded::Cut,
            Some(byte) if byte & 0xc0 == 0x80 => code = code << 6 | u32::from(byte & 0x3f),
            Some(_) => return Decoded::Invalid(at),
        }
    }
    let valid = code >= least && char::from_u32(code).is_some() && code != 0xfeff;
    match valid {
        true => Decoded::Char(code, len),
        false if len == 2 => Decoded::Invalid(1),
        false => Decoded::Invalid(len),
    }
}
