//! One thread that publishes and reads, as cheap as it can be and the same for both sides.

use super::wire::{Events, SENT, SENT_DIGITS, sent_at};
use crate::server::Client;
use memchr::memmem;
use nix::{
    errno::Errno,
    sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags},
};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

/// Posted events that some reader may still lack. Each side publishes as fast as its readers get
/// the events, and none of its bounds is reached.
const WINDOW: usize = 256;
/// Nothing at all for so long is a failure.
const SILENCE_MS: u16 = 30_000;
/// Bytes taken from a connection at once.
const READ_LEN: usize = 256 * 1024;

/// A server that is published to and read from.
pub struct Side {
    /// `127.0.0.1:port`
    pub address: String,
    /// What readers ask for.
    pub stream: String,
    /// What is posted, each on a connection of its own.
    pub posts: Vec<Vec<u8>>,
    /// The id of the last event there is, for a server that numbers them without holes.
    pub last: Option<i64>,
}

struct Reader {
    socket: TcpStream,
    events: Events,
}

struct Publisher {
    socket: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

/// Connected readers, and publishers once there is something to publish.
pub struct Load {
    epoll: Epoll,
    readers: Vec<Reader>,
    /// What is posted, each on a connection of its own.
    posts: Vec<Vec<u8>>,
    publishers: Vec<Publisher>,
    buffer: Vec<u8>,
    /// What times in payloads count from.
    start: Instant,
    address: String,
    /// Events that every reader has; without readers those that were answered.
    least: usize,
    /// Readers that have no more.
    at_least: usize,
}

impl Load {
    /// Connects the readers; each has had the head of its answer.
    pub fn connect(side: &Side, readers: usize) -> Self {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        let reader = |_| Reader::connect(side);
        let readers: Vec<Reader> = (0..readers).map(reader).collect();
        for (number, reader) in readers.iter().enumerate() {
            add(&epoll, &reader.socket, number);
        }
        Self {
            epoll,
            at_least: readers.len(),
            readers,
            posts: side.posts.clone(),
            publishers: Vec::new(),
            buffer: vec![0; READ_LEN],
            start: Instant::now(),
            address: side.address.clone(),
            least: 0,
        }
    }

    /// Publishes so many events as fast as all readers get them: deliveries a second, from the
    /// first post until the last reader has the last event and every post is answered.
    pub fn flat(&mut self, count: usize) -> f64 {
        let begun = Instant::now();
        self.publish(count);
        (count * self.readers.len()) as f64 / begun.elapsed().as_secs_f64()
    }

    /// Connects the publishers, right before they speak: one that says nothing is cut off.
    fn connect_publishers(&mut self) {
        for request in std::mem::take(&mut self.posts) {
            let socket = connect(&self.address);
            let number = self.readers.len() + self.publishers.len();
            add(&self.epoll, &socket, number);
            self.publishers.push(Publisher {
                socket,
                request,
                answer: Vec::new(),
            });
        }
    }

    /// Publishes so many events.
    pub fn publish(&mut self, count: usize) {
        self.connect_publishers();
        let (mut posted, goal) = (self.least, self.least + count);
        let mut idle: Vec<usize> = (0..self.publishers.len()).collect();
        while self.least < goal || idle.len() < self.publishers.len() {
            while posted < goal
                && posted - self.least < WINDOW
                && let Some(next) = idle.pop()
            {
                let publisher = &mut self.publishers[next];
                let written = publisher.socket.write(&publisher.request).unwrap();
                assert_eq!(written, publisher.request.len());
                posted += 1;
            }
            self.turn(&mut idle, &mut |_, _| {});
        }
        self.check(goal);
    }

    /// Publishes `count` events at a steady rate, on one connection: how long each took to each reader, in ms.
    pub fn paced(&mut self, count: usize, rate: usize) -> Vec<f64> {
        let (goal, start) = (self.least + count, self.start);
        let mut taken = Vec::with_capacity(count * self.readers.len());
        let request = self.posts[0].clone();
        let address = self.address.clone();
        std::thread::scope(|scope| {
            scope.spawn(move || pace(&address, request, count, rate, start));
            while self.least < goal {
                self.turn(&mut Vec::new(), &mut |now, data| {
                    taken.push((now - sent_at(data)) as f64 / 1e6);
                });
            }
        });
        self.check(goal);
        taken
    }

    fn check(&self, goal: usize) {
        for reader in &self.readers {
            assert_eq!(
                reader.events.count, goal,
                "every reader has every event once"
            );
        }
    }

    /// Takes what has come; publishers whose answer is there are idle again.
    fn turn(&mut self, idle: &mut Vec<usize>, taken: &mut impl FnMut(u64, &[u8])) {
        let mut ready = [EpollEvent::empty(); 256];
        let count = loop {
            let waited = self.epoll.wait(&mut ready, SILENCE_MS);
            if waited != Err(Errno::EINTR) {
                break waited.unwrap();
            }
        };
        assert!(
            count > 0,
            "{} readers and nothing comes",
            self.readers.len()
        );
        for event in &ready[..count] {
            let number = usize::try_from(event.data()).unwrap();
            match number.checked_sub(self.readers.len()) {
                None => self.read(number, taken),
                Some(publisher) => {
                    if self.publishers[publisher].is_answered(&mut self.buffer) {
                        idle.push(publisher);
                        self.least += usize::from(self.readers.is_empty());
                    }
                }
            }
        }
    }

    fn read(&mut self, number: usize, taken: &mut impl FnMut(u64, &[u8])) {
        let reader = &mut self.readers[number];
        let length = reader.socket.read(&mut self.buffer).unwrap();
        assert!(length > 0, "the server ended a stream");
        let now = nanos(self.start);
        let before = reader.events.count;
        let bytes = &self.buffer[..length];
        reader.events.take(bytes, &mut |data| taken(now, data));
        if before == self.least && reader.events.count > before {
            self.at_least -= 1;
            if self.at_least == 0 {
                let counts = || self.readers.iter().map(|reader| reader.events.count);
                self.least = counts().min().unwrap();
                self.at_least = counts().filter(|count| *count == self.least).count();
            }
        }
    }
}

/// Has a socket looked at, by this number.
fn add(epoll: &Epoll, socket: &TcpStream, number: usize) {
    socket.set_nonblocking(true).unwrap();
    let wanted = EpollEvent::new(EpollFlags::EPOLLIN, number as u64);
    epoll.add(socket, wanted).unwrap();
}

impl Reader {
    fn connect(side: &Side) -> Self {
        let (socket, events) = open(&side.address, &side.stream, side.last);
        Self { socket, events }
    }
}

/// Asks for a stream, and reads the head of the answer.
pub fn open(address: &str, stream: &str, last: Option<i64>) -> (TcpStream, Events) {
    let mut socket = connect(address);
    let head =
        format!("GET {stream} HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n");
    socket.write_all(head.as_bytes()).unwrap();
    let mut come = Vec::new();
    let end = loop {
        let mut some = [0; 4096];
        let length = socket.read(&mut some).unwrap();
        assert!(length > 0, "the server refused a reader");
        come.extend_from_slice(&some[..length]);
        if let Some(end) = memmem::find(&come, b"\r\n\r\n") {
            break end + 4;
        }
    };
    assert!(come.starts_with(b"HTTP/1.1 200"), "{}", come.escape_ascii());
    let mut events = Events::new(&come[..end], last);
    events.take(&come[end..], &mut |_| {});
    (socket, events)
}

impl Publisher {
    /// Whether the whole answer is there; it must be a success.
    fn is_answered(&mut self, buffer: &mut [u8]) -> bool {
        let length = self.socket.read(buffer).unwrap();
        assert!(length > 0, "the server ended a publisher");
        self.answer.extend_from_slice(&buffer[..length]);
        let answer = &self.answer;
        let Some(end) = memmem::find(answer, b"\r\n\r\n") else {
            return false;
        };
        assert!(
            answer.starts_with(b"HTTP/1.1 2"),
            "{}",
            answer.escape_ascii()
        );
        let field = |name: &[u8]| {
            let at = memmem::find(&answer[..end], name)? + name.len();
            let line = answer[at..].split(|byte| *byte == b'\r').next()?;
            std::str::from_utf8(line).ok()?.trim().parse::<usize>().ok()
        };
        let body = field(b"ontent-length:").or_else(|| field(b"ontent-Length:"));
        let whole = end + 4 + body.unwrap();
        if self.answer.len() < whole {
            return false;
        }
        self.answer.clear();
        true
    }
}

/// Posts at a steady rate. What is late is told with the time at which it should have been sent.
#[expect(
    clippy::disallowed_methods,
    reason = "a steady rate is what is asked for"
)]
fn pace(address: &str, mut request: Vec<u8>, count: usize, rate: usize, start: Instant) {
    let mut client = Client::connect(address);
    let at = memmem::find(&request, SENT).unwrap() + SENT.len();
    let begun = Instant::now();
    for number in 0..count {
        let due = begun
            + Duration::from_secs(1) * u32::try_from(number).unwrap()
                / u32::try_from(rate).unwrap();
        let wait = due.saturating_duration_since(Instant::now());
        let sent = if wait.is_zero() {
            u64::try_from((due - start).as_nanos()).unwrap()
        } else {
            std::thread::sleep(wait);
            nanos(start)
        };
        let digits = format!("{sent:0SENT_DIGITS$}");
        request[at..at + SENT_DIGITS].copy_from_slice(digits.as_bytes());
        client.exchange(&request);
    }
}

fn connect(address: &str) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}

fn nanos(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap()
}
