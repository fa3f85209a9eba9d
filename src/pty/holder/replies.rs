//! Separates what a viewer's terminal answers by itself from what a person types.
//!
//! The holder is the terminal: it has answered what a program asked. A viewer's terminal that saw
//! the question answers as well, and with three viewers the program would read three answers more,
//! as keys. So these are dropped. Pasted text between paste brackets stays as it is, whatever it
//! holds, and so does `CSI 1;2R` to `CSI 1;16R`: F3 with Shift and the like.
//!
//! A page tells its colours by such an answer (OSC 10, 11 and 12), so that programs adapt to them.

use bytes::Bytes;

use crate::pty::emulator::palette::{Rgb, parse};

const ESC: u8 = 0x1b;
/// No answer is longer.
const LEN_MAX: usize = 1024;
const PASTE_BEGIN: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";

/// One viewer's input.
#[derive(Debug, Default)]
pub(super) struct Replies {
    /// The beginning of what may be an answer.
    held: Vec<u8>,
    pasting: bool,
    /// Colours that the viewer's terminal reported: the number of the OSC and the colour.
    colors: Vec<(u32, Rgb)>,
}

enum Found {
    /// So many bytes are an answer.
    Reply(usize),
    /// So many bytes are none.
    Keys(usize),
    /// More has to come.
    Begun,
}

impl Replies {
    /// Takes input, cut anywhere; gives what a person typed.
    pub(super) fn typed(&mut self, input: Bytes) -> Bytes {
        if self.held.is_empty() && !input.contains(&ESC) {
            return input;
        }
        let input = [&std::mem::take(&mut self.held)[..], &input].concat();
        let mut typed = Vec::with_capacity(input.len());
        let mut rest = &input[..];
        while let Some(at) = memchr::memchr(ESC, rest) {
            typed.extend_from_slice(&rest[..at]);
            rest = &rest[at..];
            match self.look(rest) {
                Found::Reply(len) => rest = &rest[len..],
                Found::Keys(len) => {
                    typed.extend_from_slice(&rest[..len]);
                    rest = &rest[len..];
                }
                Found::Begun => {
                    self.held = rest.to_vec();
                    return typed.into();
                }
            }
        }
        typed.extend_from_slice(rest);
        typed.into()
    }

    /// Whether something is held that more input decides about.
    pub(super) const fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Gives what is held: nothing came that makes it an answer.
    pub(super) fn release(&mut self) -> Bytes {
        std::mem::take(&mut self.held).into()
    }

    /// Colours that were reported since the last call.
    pub(super) fn take_colors(&mut self) -> Vec<(u32, Rgb)> {
        std::mem::take(&mut self.colors)
    }

    /// Looks at what an escape character begins.
    fn look(&mut self, bytes: &[u8]) -> Found {
        let mark = if self.pasting { PASTE_END } else { PASTE_BEGIN };
        if bytes.starts_with(mark) {
            self.pasting = !self.pasting;
            return Found::Keys(mark.len());
        }
        if self.pasting {
            let begun = mark.starts_with(bytes);
            return if begun { Found::Begun } else { Found::Keys(1) };
        }
        match bytes.get(1) {
            None => Found::Begun,
            Some(b'[') => sequence(bytes),
            Some(b']' | b'P') => self.string(bytes),
            Some(_) => Found::Keys(1),
        }
    }

    fn string(&mut self, bytes: &[u8]) -> Found {
        let inner = &bytes[2..];
        let end = inner.iter().position(|byte| matches!(*byte, 0x07 | ESC));
        let said = &inner[..end.unwrap_or(inner.len())];
        let osc = bytes[1] == b']';
        if said.len() > LEN_MAX || !begins_reply(said, osc) {
            return Found::Keys(2);
        }
        let Some(end) = end else {
            return Found::Begun;
        };
        let len = match (inner[end], inner.get(end + 1)) {
            (0x07, _) => end + 3,
            (_, None) => return Found::Begun,
            (_, Some(b'\\')) => end + 4,
            _ => return Found::Keys(2),
        };
        if osc {
            let text = String::from_utf8_lossy(said);
            let color = text.split_once(';').and_then(|(number, color)| {
                let number = number.parse().ok().filter(|it| (10..=12).contains(it))?;
                Some((number, parse(color)?))
            });
            self.colors.extend(color);
        }
        Found::Reply(len)
    }
}

/// Whether an OSC or DCS string is, or may become, an answer.
fn begins_reply(said: &[u8], osc: bool) -> bool {
    let dcs: [&[u8]; 6] = [b"0$r", b"1$r", b"0+r", b"1+r", b">|", b"!|"];
    let either = |begin: &[u8]| said.starts_with(begin) || begin.starts_with(said);
    if !osc {
        return dcs.into_iter().any(either);
    }
    let index = said.strip_prefix(b"4;").map(|rest| {
        let digits = rest.iter().take_while(|it| it.is_ascii_digit()).count();
        &rest[digits..]
    });
    let colors: [&[u8]; 3] = [b"10;rgb:", b"11;rgb:", b"12;rgb:"];
    let indexed = |rest: &[u8]| rest.starts_with(b";rgb:") || b";rgb:".starts_with(rest);
    colors.into_iter().any(either) || b"4;".starts_with(said) || index.is_some_and(indexed)
}

/// Looks at what `ESC [` begins.
fn sequence(bytes: &[u8]) -> Found {
    let inner = &bytes[2..];
    let Some(end) = inner.iter().position(|byte| !(b' '..=b'?').contains(byte)) else {
        let long = inner.len() > 64;
        return if long { Found::Keys(2) } else { Found::Begun };
    };
    let len = end + 3;
    if is_reply(&inner[..end], inner[end]) {
        Found::Reply(len)
    } else if (0x40..0x7f).contains(&inner[end]) {
        Found::Keys(len)
    } else {
        // Another escape character, say.
        Found::Keys(end + 2)
    }
}

/// Whether a sequence with these parameters and this final byte is an answer.
fn is_reply(params: &[u8], end: u8) -> bool {
    let (first, rest) = match params {
        [first @ (b'?' | b'>' | b'='), rest @ ..] => (*first, rest),
        _ => (0, params),
    };
    let numbers: Option<Vec<u32>> = std::str::from_utf8(rest)
        .ok()
        .and_then(|text| text.split(';').map(|it| it.parse().ok()).collect());
    let numbers = numbers.as_deref();
    match end {
        b'c' => first != 0,
        b'n' => first == 0 && matches!(numbers, Some([0 | 3])),
        b'R' => match numbers {
            Some([1, 2..=16]) => first == b'?',
            Some([_, _] | [_, _, _]) => first == 0 || first == b'?',
            _ => false,
        },
        b't' => first == 0 && matches!(numbers, Some([4 | 6 | 8 | 9, _, _])),
        b'u' => first == b'?',
        b'y' => rest.ends_with(b"$"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLIES: [&str; 19] = [
        "\x1b[?1;2c",
        "\x1b[>0;276;0c",
        "\x1b[0n",
        "\x1b[12;40R",
        "\x1b[1;1R",
        "\x1b[?3;4R",
        "\x1b[?2004;1$y",
        "\x1b[4;2$y",
        "\x1b[?5u",
        "\x1b[8;30;120t",
        "\x1bP1$r0m\x1b\\",
        "\x1bP0$r\x1b\\",
        "\x1bP1+r544e=78\x1b\\",
        "\x1bP>|xterm(390)\x1b\\",
        "\x1bP!|00000000\x1b\\",
        "\x1b]11;rgb:ffff/ffff/ffff\x1b\\",
        "\x1b]10;rgb:00/00/00\x07",
        "\x1b]4;12;rgb:0000/0000/ffff\x07",
        "\x1b]12;rgb:f/f/f\x07",
    ];
    const KEYS: [&str; 18] = [
        "a",
        "\x1b",
        "\x1b\x1b",
        "\x1b[A",
        "\x1bOA",
        "\x1b[1;5A",
        "\x1b[3~",
        "\x1b[1;2R",
        "\x1b[R",
        "\x1b[97;5u",
        "\x1b[I",
        "\x1b[<0;3;4M",
        "\x1b[M !!",
        "\x1b[200~\x1b[?1;2c\x1b[0n\x1b[201~",
        "\x1b[",
        "\x1bP",
        "\x1b]52;c;YQ==\x07",
        "\x1bxé",
    ];

    /// What is typed of input in pieces, with what is held at the end.
    fn typed(pieces: &[&[u8]]) -> Vec<u8> {
        let mut replies = Replies::default();
        let mut typed = Vec::new();
        for piece in pieces {
            typed.extend_from_slice(&replies.typed(Bytes::copy_from_slice(piece)));
        }
        typed.extend_from_slice(&replies.release());
        typed
    }

    #[test]
    fn answers_are_dropped_and_keys_stay_wherever_they_are_cut() {
        for keys in KEYS {
            for reply in REPLIES {
                let input = format!("x{reply}{reply}{keys}");
                let expected = format!("x{keys}");
                let input = input.as_bytes();
                for at in 0..input.len() {
                    let typed = typed(&[&input[..at], &input[at..]]);
                    assert_eq!(
                        typed,
                        expected.as_bytes(),
                        "{} at {at}",
                        input.escape_ascii()
                    );
                }
            }
            let single: Vec<&[u8]> = keys.as_bytes().chunks(1).collect();
            assert_eq!(typed(&single), keys.as_bytes(), "{keys:?}");
        }
    }

    #[test]
    fn a_key_is_not_held_when_nothing_can_make_it_an_answer() {
        let mut replies = Replies::default();
        for keys in ["a", "\x1b[A", "\x1bOP", "\x1b[1;5C", "\x1b[200~pasted"] {
            assert_eq!(replies.typed(keys.into()), keys);
            assert!(!replies.holds(), "{keys:?}");
        }
    }

    #[test]
    fn the_colours_of_a_page_are_taken() {
        let mut replies = Replies::default();
        let told = "\x1b]10;rgb:1111/2222/3333\x1b\\\x1b]11;rgb:ff/ff/ff\x07";
        assert!(replies.typed(told.into()).is_empty());
        let colors = [(10, [0x11, 0x22, 0x33]), (11, [255; 3])];
        assert_eq!(replies.take_colors(), colors);
        assert!(replies.take_colors().is_empty());
    }
}
