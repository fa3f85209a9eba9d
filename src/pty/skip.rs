//! Skips output that would have scrolled out of the screen's memory.
//!
//! A flood of plain lines scrolls most of them out of what a screen remembers. Where it consists of
//! text, colours and line ends alone, a screen that takes in only its end is equal to one that took
//! in all of it: this finds where that end begins. Looking at a byte costs a small part of what an
//! emulator needs for it.
//!
//! Used by the holder's screen. Holds: the emulator's snapshot is the same as without.

use std::collections::VecDeque;
use std::ops::Range;

use super::SCROLLBACK_LINES_MAX;
use super::emulator::Emulator;

/// Less output than this is taken in as it is.
const LEN_MIN: u64 = 256 * 1024;
/// Lines between two places where the screen may begin.
const LINES_BETWEEN: usize = 1024;
/// The longest list of different colours without a reset.
const STYLE_LEN_MAX: usize = 4096;
/// The longest sequence that is looked at.
const SEQUENCE_LEN_MAX: usize = 64;

const ESC: u8 = 0x1b;

/// A place after a line end.
#[derive(Debug)]
struct Place {
    offset: u64,
    /// Line ends before it.
    lines: usize,
    /// What sets the colours that the text has there.
    style: Vec<u8>,
}

/// What was looked at already.
#[derive(Debug, Default)]
pub(super) struct Skip {
    /// Up to here it was looked at.
    seen: u64,
    /// Here is something that must be taken in.
    blocked: u64,
}

impl Skip {
    /// Looks at the output in `range`, which begins where the emulator is, by `read`. Gives the
    /// offset from where on it is to be taken in, when that lies behind the beginning.
    pub(super) fn over(
        &mut self,
        emulator: &mut Emulator,
        range: Range<u64>,
        buffer: &mut [u8],
        read: impl Fn(&mut [u8], u64) -> usize,
    ) -> Option<u64> {
        let unseen = range.end.saturating_sub(range.start.max(self.seen));
        let worthwhile = unseen >= LEN_MIN && range.start >= self.blocked;
        if !worthwhile || !emulator.scrolls_freely() {
            return None;
        }
        let mut plain = Plain::default();
        let mut offset = range.start;
        while offset < range.end {
            let len = buffer.len().min((range.end - offset) as usize);
            let filled = read(&mut buffer[..len], offset);
            let taken = plain.take(&buffer[..filled], offset);
            offset += taken as u64;
            // A sequence that was cut is looked at again with its end.
            if taken == 0 || filled - taken > SEQUENCE_LEN_MAX || filled < len {
                self.blocked = offset;
                break;
            }
        }
        self.seen = offset;
        let keep = SCROLLBACK_LINES_MAX + usize::from(emulator.size().rows) + 2;
        let place = plain.place(keep)?;
        emulator.process(&place.style);
        Some(place.offset)
    }
}

/// Output of text, colours and line ends.
#[derive(Debug, Default)]
struct Plain {
    lines: usize,
    style: Vec<u8>,
    /// The last byte was a CR.
    returned: bool,
    places: VecDeque<Place>,
}

impl Plain {
    /// Takes bytes that stand at `offset`, up to the first that are something else; tells how many.
    fn take(&mut self, bytes: &[u8], offset: u64) -> usize {
        let mut at = 0;
        while let Some(text) = bytes[at..]
            .iter()
            .position(|byte| *byte < b' ' || *byte == 0x7f)
        {
            self.returned &= text == 0;
            at += text;
            match bytes[at] {
                b'\n' => {
                    at += 1;
                    self.line(offset + at as u64);
                }
                b'\r' => at += 1,
                0x07 | 0x08 | b'\t' => {
                    self.returned = false;
                    at += 1;
                    continue;
                }
                ESC => match self.sequence(&bytes[at..]) {
                    Some(len) => {
                        self.returned = false;
                        at += len;
                        continue;
                    }
                    None => return at,
                },
                _ => return at,
            }
            self.returned = bytes[at - 1] == b'\r';
        }
        self.returned &= at == bytes.len();
        bytes.len()
    }

    /// A line feed, which begins a new line in the first column when a CR was before it.
    fn line(&mut self, offset: u64) {
        self.lines += 1;
        let last = self.places.back().map_or(0, |place| place.lines);
        if self.returned && self.lines - last >= LINES_BETWEEN {
            self.places.push_back(Place {
                offset,
                lines: self.lines,
                style: self.style.clone(),
            });
            // Whoever wants the end of it is served by the later ones.
            let many = 2 + (SCROLLBACK_LINES_MAX + usize::from(super::SIZE_MAX)) / LINES_BETWEEN;
            if self.places.len() > many {
                self.places.pop_front();
            }
        }
    }

    /// A change of colours, or the rest of a line erased: its length, or `None` for all else.
    fn sequence(&mut self, bytes: &[u8]) -> Option<usize> {
        let parameters = bytes.strip_prefix(b"\x1b[")?;
        let len = parameters
            .iter()
            .take(SEQUENCE_LEN_MAX)
            .position(|byte| !matches!(byte, b'0'..=b';'))?;
        let (parameters, rest) = parameters.split_at(len);
        let whole = len + 3;
        match rest[0] {
            b'K' => Some(whole),
            b'm' if self.style.len() + whole <= STYLE_LEN_MAX => {
                let sequence = &bytes[..whole];
                if matches!(parameters, [] | [b'0'] | [b'0', b';', ..]) {
                    self.style.clear();
                } else if let Some(at) = memchr::memmem::find(&self.style, sequence) {
                    // Each sets some attributes to some values: the last one of a kind counts.
                    self.style.drain(at..at + whole);
                }
                self.style.extend_from_slice(sequence);
                Some(whole)
            }
            _ => None,
        }
    }

    /// The last place with so many lines behind it.
    fn place(mut self, keep: usize) -> Option<Place> {
        let lines = self.lines;
        self.places.retain(|place| lines - place.lines >= keep);
        self.places.pop_back()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pty::protocol::Size;
    use proptest::prelude::*;

    const SIZE: Size = Size { cols: 20, rows: 5 };

    /// What stands on the screen after `first` and then `flood`; how much was passed over.
    fn screens(first: &[u8], flood: &[u8]) -> (Vec<u8>, Vec<u8>, u64) {
        let mut whole = Emulator::new(SIZE);
        whole.process(first);
        whole.process(flood);
        let mut quick = Emulator::new(SIZE);
        quick.process(first);
        let read = |buffer: &mut [u8], offset: u64| {
            let rest = &flood[offset as usize..];
            let len = rest.len().min(buffer.len());
            buffer[..len].copy_from_slice(&rest[..len]);
            len
        };
        let mut buffer = vec![0; 10_007];
        let mut skip = Skip::default();
        let range = 0..flood.len() as u64;
        let from = skip.over(&mut quick, range, &mut buffer, read).unwrap_or(0);
        quick.process(&flood[from as usize..]);
        (whole.snapshot(), quick.snapshot(), from)
    }

    fn lines(count: usize, line: impl Fn(usize) -> String) -> Vec<u8> {
        (0..count).map(line).collect::<String>().into_bytes()
    }

    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z ]{1,30}",
            "[äöü€日本語한ea\u{301}]{1,8}",
            "[\t\u{8}\u{7}\r]",
            Just("\x1b[K".to_owned()),
            Just("\n".to_owned()),
            (0..50_u8).prop_map(|n| format!("\x1b[{n}m")),
            (0..9_u8, any::<u8>()).prop_map(|(a, b)| format!("\x1b[{a};38;5;{b}m")),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn a_flood_leaves_the_same_screen(
            first in proptest::collection::vec(piece(), 0..20),
            kinds in proptest::collection::vec(proptest::collection::vec(piece(), 0..5), 1..20),
            count in 16_000_usize..20_000,
        ) {
            let line = |n: usize| format!("{n:>15} {}\r\n", kinds[n % kinds.len()].concat());
            let flood = lines(count, line);
            let (whole, quick, from) = screens(first.concat().as_bytes(), &flood);
            prop_assert!(from > 0);
            prop_assert!(whole == quick, "from {from} of {}", flood.len());
        }
    }

    #[test]
    fn what_may_matter_is_taken_in() {
        let line = |n| format!("{n:>40}\r\n");
        let flood = lines(20_000, line);
        let kept = |first: &[u8], flood: &[u8]| {
            let (whole, quick, from) = screens(first, flood);
            assert!(whole == quick);
            from == 0
        };
        assert!(!kept(b"", &flood));
        for first in [&b"\x1b[2;4r"[..], b"\x1b[?1049h", b"\x1b[3", b"\xc3"] {
            assert!(kept(first, &flood), "after {}", first.escape_ascii());
        }
        assert!(!kept(b"\x1b[2;4r\x1bc", &flood));
        // Few lines, lines without a beginning, and a sequence that does more than colour.
        assert!(kept(b"", &lines(9000, line)));
        assert!(kept(b"", &lines(20_000, |n| format!("{n:>40}\n"))));
        assert!(kept(b"", &lines(20_000, |n| format!("{n:>40}\x1b[A\r\n"))));
        // A title in the middle: the part behind it is looked at by itself.
        let titled = [&flood[..], b"\x1b]2;title\x07", &flood].concat();
        let (whole, quick, from) = screens(b"", &titled);
        assert!(whole == quick && from > 0 && from < flood.len() as u64);
    }
}
