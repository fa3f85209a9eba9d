//! An event stream as it comes over a connection: chunks, lines, events.

use memchr::{memchr_iter, memmem};

/// What is counted; a run that is quiet for long says so by an event of its own.
const COUNTED: &[u8] = b"\"event_type\":\"hook.received\"";
/// Within so many bytes of an event's JSON.
const COUNTED_WITHIN: usize = 200;
/// A field of the payload that holds when it was sent.
pub const SENT: &[u8] = b"\"sent\":\"";
/// Digits of that time.
pub const SENT_DIGITS: usize = 20;

/// Counts the events of one stream.
pub struct Events {
    /// The body comes in chunks; else it is all that follows the head.
    chunked: bool,
    /// Bytes that are still to come of this chunk.
    left: usize,
    /// The size line of the next chunk, as far as it has come.
    size: Option<usize>,
    /// A line whose end has not come.
    part: Vec<u8>,
    in_event: bool,
    /// Events of hooks that have come.
    pub count: usize,
    /// The id of the last one; followed when the server numbers them without holes.
    pub last: Option<i64>,
}

impl Events {
    /// A stream behind this head; `last` when each event must have the id after the one before.
    pub fn new(head: &[u8], last: Option<i64>) -> Self {
        Self {
            chunked: memmem::find(head, b"transfer-encoding: chunked").is_some(),
            left: 0,
            size: None,
            part: Vec::new(),
            in_event: false,
            count: 0,
            last,
        }
    }

    /// Takes what has come; tells `sent` of the time in each payload.
    pub fn take(&mut self, mut bytes: &[u8], sent: &mut impl FnMut(&[u8])) {
        if !self.chunked {
            return self.lines(bytes, sent);
        }
        while let Some(first) = bytes.first() {
            if self.left > 0 {
                let (now, later) = bytes.split_at(self.left.min(bytes.len()));
                self.left -= now.len();
                self.lines(now, sent);
                bytes = later;
                continue;
            }
            match (first, self.size) {
                (b'\n', Some(size)) => (self.left, self.size) = (size, None),
                // The end of the chunk before.
                (b'\r' | b'\n', _) => {}
                (digit, size) => {
                    let digit = char::from(*digit).to_digit(16).unwrap();
                    self.size = Some(size.unwrap_or(0) * 16 + digit as usize);
                }
            }
            bytes = &bytes[1..];
        }
    }

    fn lines(&mut self, bytes: &[u8], sent: &mut impl FnMut(&[u8])) {
        let mut from = 0;
        for at in memchr_iter(b'\n', bytes) {
            if self.part.is_empty() {
                self.line(&bytes[from..at], sent);
            } else {
                let mut part = std::mem::take(&mut self.part);
                part.extend_from_slice(&bytes[from..at]);
                self.line(&part, sent);
            }
            from = at + 1;
        }
        self.part.extend_from_slice(&bytes[from..]);
    }

    fn line(&mut self, line: &[u8], sent: &mut impl FnMut(&[u8])) {
        if line.is_empty() {
            self.count += usize::from(self.in_event);
            self.in_event = false;
        } else if let Some(data) = line.strip_prefix(b"data: ") {
            let begin = &data[..data.len().min(COUNTED_WITHIN)];
            self.in_event = memmem::find(begin, COUNTED).is_some();
            if self.in_event {
                sent(data);
            }
        } else if let (Some(id), Some(last)) = (line.strip_prefix(b"id: "), &mut self.last) {
            let id: i64 = std::str::from_utf8(id).unwrap().parse().unwrap();
            assert_eq!(id, *last + 1, "an event is missing, or came twice");
            *last = id;
        }
    }
}

/// The time in a payload.
pub fn sent_at(data: &[u8]) -> u64 {
    let at = memmem::find(data, SENT).unwrap() + SENT.len();
    let digits = std::str::from_utf8(&data[at..at + SENT_DIGITS]).unwrap();
    digits.parse().unwrap()
}
