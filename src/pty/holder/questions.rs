//! Notices on the way that a program asks its terminal something.
//!
//! The screen follows the output with a pause, but who asks waits for the answer. So the reader
//! looks for questions, and the screen then takes in all output at once.

use memchr::memchr;

const ESC: u8 = 0x1b;
/// The longest sequence that is looked at as a whole.
const SEQUENCE_LEN_MAX: usize = 64;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ScanState {
    #[default]
    Text,
    Escape,
    /// With the first byte behind `ESC [` and the last one.
    Sequence(u8, u8),
    /// OSC or DCS: with its first byte, and whether it asks for something.
    String(u8, bool),
    /// An escape character in such a string, which ends it.
    Ending(bool),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Questions {
    state: ScanState,
}

impl Questions {
    /// Looks at output, cut anywhere; true when a question ends in it, or what looks like one.
    pub(super) fn scan(&mut self, mut bytes: &[u8]) -> bool {
        let mut heard = false;
        loop {
            if self.state == ScanState::Text {
                let Some(at) = memchr(ESC, bytes) else {
                    return heard;
                };
                bytes = &bytes[at..];
                // Nearly all sequences are whole and no question.
                if let Some((asks, rest)) = whole_sequence(bytes) {
                    heard |= asks;
                    bytes = rest;
                    continue;
                }
            }
            let Some((first, rest)) = bytes.split_first() else {
                return heard;
            };
            heard |= self.step(*first);
            bytes = rest;
        }
    }

    fn step(&mut self, byte: u8) -> bool {
        use ScanState::{Ending, Escape, Sequence, String, Text};
        let mut asks = false;
        self.state = match (self.state, byte) {
            (Ending(asked), _) => {
                asks = asked;
                after_escape(byte)
            }
            (String(_, asked), ESC) => Ending(asked),
            (String(_, asked), 0x07) => {
                asks = asked;
                Text
            }
            (String(_, _), 0x18 | 0x1a) => Text,
            // A colour is asked for by `?`, a setting or a capability by `$q` and `+q`.
            (String(0, _), _) => String(byte, matches!(byte, b'$' | b'+')),
            (String(first, asked), _) => {
                let color = matches!(first, b'1' | b'4') && byte == b'?';
                String(first, asked || color)
            }
            (_, ESC) => Escape,
            (Escape, _) => after_escape(byte),
            (Sequence(0, _), b' '..=b'?') => Sequence(byte, byte),
            (Sequence(first, _), b' '..=b'?') => Sequence(first, byte),
            (Sequence(first, last), 0x40..) => {
                asks = is_question(first, last, byte);
                Text
            }
            (Sequence(first, last), _) => Sequence(first, last),
            (Text, _) => Text,
        };
        asks
    }
}

/// Takes a sequence that is whole: whether it is a question, and what follows.
fn whole_sequence(bytes: &[u8]) -> Option<(bool, &[u8])> {
    let inner = bytes.strip_prefix(b"\x1b[")?;
    let len = inner
        .iter()
        .take(SEQUENCE_LEN_MAX)
        .position(|byte| !(b' '..=b'?').contains(byte))?;
    let (params, rest) = inner.split_at(len);
    let (end, rest) = rest.split_first().filter(|(end, _)| **end >= 0x40)?;
    let first = params.first().copied().unwrap_or(0);
    let last = params.last().copied().unwrap_or(0);
    Some((is_question(first, last, *end), rest))
}

/// Whether a sequence with these first and last bytes before its final one asks for something.
const fn is_question(first: u8, last: u8, end: u8) -> bool {
    match end {
        b'c' | b'n' => true,
        b'p' => last == b'$',
        b'q' => first == b'>',
        b't' => first == b'1',
        b'u' => first == b'?',
        _ => false,
    }
}

const fn after_escape(byte: u8) -> ScanState {
    match byte {
        b'[' => ScanState::Sequence(0, 0),
        b']' | b'P' => ScanState::String(0, false),
        ESC => ScanState::Escape,
        _ => ScanState::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(bytes: &[u8]) -> bool {
        let whole = Questions::default().scan(bytes);
        let mut single = Questions::default();
        let single = bytes.iter().fold(false, |heard, byte| {
            heard | single.scan(std::slice::from_ref(byte))
        });
        assert_eq!(whole, single, "{}", bytes.escape_ascii());
        whole
    }

    #[test]
    fn questions_are_heard_and_little_else() {
        for asked in [
            "\x1b[c",
            "text\x1b[>0cmore",
            "\x1b[=c",
            "\x1b[6n",
            "\x1b[?6n",
            "\x1b[?2026$p",
            "\x1b[4$p",
            "\x1b[>q",
            "\x1b[?u",
            "\x1b[14t",
            "\x1b]11;?\x07",
            "\x1b]4;1;?\x1b\\",
            "\x1bP$qm\x1b\\",
            "\x1bP+q544e\x1b\\",
            "\x1b\x1b[1m\x1b[5n",
            "\x1b]0;a\x1b[c",
        ] {
            assert!(scan(asked.as_bytes()), "{asked:?}");
        }
        let flood = "line\x1b[1mbold\x1b[m\r\n".repeat(2000);
        for (before, behind) in [("", &flood[..]), (&flood, ""), (&flood, &flood)] {
            assert!(scan(format!("{before}\x1b[6n{behind}").as_bytes()));
        }
        assert!(!scan(flood.as_bytes()));
        for said in [
            "plain [c",
            "\x1b[1;31m\x1b[K",
            "\x1b[2 q\x1b[!p\x1b[u\x1b[22;0t",
            "\x1b]2;what?\x07",
            "\x1b]8;;http://a/?b\x1b\\",
            "\x1b]11;#fff\x07",
            "\x1b]11;?\x18",
            "\x1bP1;2q~~\x1b\\",
            "\x1b(c",
            "\x1bc",
        ] {
            assert!(!scan(said.as_bytes()), "{said:?}");
        }
    }
}
