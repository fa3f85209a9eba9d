//! Many connections from one thread: requests that each wait for the answer to the one before.

use mio::{Events, Interest, Poll, Token, net::TcpStream};
use std::{
    io::{ErrorKind, Read, Write},
    time::{Duration, Instant},
};

/// What a load came to.
pub struct Load {
    /// Answers a second, over all connections.
    pub rate: f64,
    /// How long each answer took, in seconds.
    pub latencies: Vec<f64>,
}

struct Connection {
    socket: TcpStream,
    request: Vec<u8>,
    sent: usize,
    left: usize,
    begun: Instant,
    answer: Vec<u8>,
}

/// Sends each connection's request `each` times; every answer must be a success.
pub fn load(address: &str, requests: Vec<Vec<u8>>, each: usize) -> Load {
    let mut poll = Poll::new().unwrap();
    let mut connections: Vec<Connection> = requests
        .into_iter()
        .map(|request| Connection {
            socket: TcpStream::connect(address.parse().unwrap()).unwrap(),
            request,
            sent: 0,
            left: each,
            begun: Instant::now(),
            answer: Vec::new(),
        })
        .collect();
    let both = Interest::READABLE | Interest::WRITABLE;
    for (at, connection) in connections.iter_mut().enumerate() {
        connection.socket.set_nodelay(true).unwrap();
        let registry = poll.registry();
        registry
            .register(&mut connection.socket, Token(at), both)
            .unwrap();
    }
    let mut latencies = Vec::with_capacity(each * connections.len());
    let mut events = Events::with_capacity(connections.len());
    let (begun, mut open) = (Instant::now(), connections.len());
    while open > 0 {
        match poll.poll(&mut events, Some(Duration::from_secs(30))) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            outcome => outcome.unwrap(),
        }
        assert!(!events.is_empty(), "no answer for 30 s");
        for event in &events {
            let connection = &mut connections[event.token().0];
            if connection.left > 0 && connection.go_on(&mut latencies) {
                open -= 1;
            }
        }
    }
    let rate = latencies.len() as f64 / begun.elapsed().as_secs_f64();
    Load { rate, latencies }
}

impl Connection {
    /// Does all that can be done without waiting; true when it has had its last answer.
    fn go_on(&mut self, latencies: &mut Vec<f64>) -> bool {
        loop {
            if self.sent == 0 {
                self.begun = Instant::now();
            }
            while self.sent < self.request.len() {
                match self.socket.write(&self.request[self.sent..]) {
                    Ok(count) => self.sent += count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                    // The connection is not there yet.
                    Err(error) if error.kind() == ErrorKind::NotConnected => return false,
                    Err(error) => panic!("{error}"),
                }
            }
            let mut piece = [0; 16 * 1024];
            match self.socket.read(&mut piece) {
                Ok(0) => panic!("hung up: {}", String::from_utf8_lossy(&self.answer)),
                Ok(count) => self.answer.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) => panic!("{error}"),
            }
            if !is_whole(&self.answer) {
                continue;
            }
            assert!(
                self.answer.starts_with(b"HTTP/1.1 2"),
                "{}",
                String::from_utf8_lossy(&self.answer)
            );
            latencies.push(self.begun.elapsed().as_secs_f64());
            self.answer.clear();
            self.sent = 0;
            self.left -= 1;
            if self.left == 0 {
                return true;
            }
        }
    }
}

/// Whether a head and the body whose length it tells are there.
pub fn is_whole(message: &[u8]) -> bool {
    let Some(end) = memchr::memmem::find(message, b"\r\n\r\n") else {
        return false;
    };
    let head = message[..end].to_ascii_lowercase();
    let name = b"content-length: ";
    let at = memchr::memmem::find(&head, name).unwrap() + name.len();
    let digits = head[at..].iter().take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
    message.len() >= end + 4 + length
}
