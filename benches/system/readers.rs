//! Many readers of the event stream from one thread, which count what they get.

use mio::{Events, Interest, Poll, Token, net::TcpStream};
use std::{
    io::{ErrorKind, Read, Write},
    time::{Duration, Instant},
};

/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(30);

/// The readers.
pub struct Readers {
    poll: Poll,
    events: Events,
    readers: Vec<Reader>,
    /// What they got since the last look, together.
    got: usize,
}

struct Reader {
    socket: TcpStream,
    request: Vec<u8>,
    last: u8,
}

impl Readers {
    /// Opens so many streams of all events after a place in the log.
    pub fn open(address: &str, count: usize, after: i64) -> Self {
        let poll = Poll::new().unwrap();
        let request = format!(
            "GET /api/events/stream HTTP/1.1\r\nHost: {address}\r\nLast-Event-ID: {after}\r\n\r\n"
        );
        let both = Interest::READABLE | Interest::WRITABLE;
        let readers = (0..count).map(|at| {
            let mut socket = TcpStream::connect(address.parse().unwrap()).unwrap();
            poll.registry()
                .register(&mut socket, Token(at), both)
                .unwrap();
            let request = request.clone().into_bytes();
            Reader {
                socket,
                request,
                last: 0,
            }
        });
        let readers = readers.collect();
        let mut opened = Self {
            poll,
            events: Events::with_capacity(count),
            readers,
            got: 0,
        };
        // The stream begins with how long to wait before the next try, which ends as an event does.
        opened.wait(1);
        opened
    }

    /// Waits until each reader has had so many events more.
    pub fn wait(&mut self, each: usize) {
        let begun = Instant::now();
        while self.got < each * self.readers.len() {
            assert!(
                begun.elapsed() < PATIENCE,
                "{} of {} events",
                self.got,
                each * self.readers.len()
            );
            self.poll.poll(&mut self.events, Some(PATIENCE)).unwrap();
            for event in &self.events {
                self.got += self.readers[event.token().0].go_on();
            }
        }
        assert_eq!(
            self.got,
            each * self.readers.len(),
            "more events than there are"
        );
        self.got = 0;
    }
}

impl Reader {
    /// Does what can be done without waiting; the number of ends of events that came.
    fn go_on(&mut self) -> usize {
        if !self.request.is_empty() {
            match self.socket.write(&self.request) {
                Ok(count) => drop(self.request.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return 0,
                Err(error) if error.kind() == ErrorKind::NotConnected => return 0,
                Err(error) => panic!("{error}"),
            }
        }
        let (mut ends, mut piece) = (0, [0; 16 * 1024]);
        loop {
            let bytes = match self.socket.read(&mut piece) {
                Ok(0) => panic!("a reader was hung up on"),
                Ok(count) => &piece[..count],
                Err(error) if error.kind() == ErrorKind::WouldBlock => return ends,
                Err(error) => panic!("{error}"),
            };
            // An empty line ends an event. Pieces of the transfer's coding hold whole ones.
            for byte in bytes {
                ends += usize::from(*byte == b'\n' && self.last == b'\n');
                self.last = *byte;
            }
        }
    }
}
