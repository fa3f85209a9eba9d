//! Slow clients: heads and bodies that never end, idle connections.

use super::server::{Server, TOKEN, message};
use crate::support::{PATIENCE, World, pause};
use abbado::http::edge::connection::Waits;
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// A short wait, for what takes 5 s or 75 s in earnest.
const SHORT: Duration = Duration::from_millis(400);
/// A wait that is never over while a test lasts.
const LONG: Duration = Duration::from_secs(3600);
const CHUNKED: &str = "Transfer-Encoding: chunked";

/// A client that says something and then drips or is silent until it is cut off.
struct Dawdler {
    name: &'static str,
    socket: TcpStream,
    drips: bool,
    heard: Vec<u8>,
    begun: Instant,
    cut_after: Option<Duration>,
}

impl Dawdler {
    fn new(address: SocketAddr, name: &'static str, drips: bool, says: &[String]) -> Self {
        let begun = Instant::now();
        let mut socket = TcpStream::connect(address).unwrap();
        let mut heard = Vec::new();
        for (at, part) in says.iter().enumerate() {
            socket.write_all(part.as_bytes()).unwrap();
            if at + 1 < says.len() {
                // Whole requests are answered before the next part.
                let mut piece = [0; 4096];
                let length = socket.read(&mut piece).unwrap();
                heard.extend_from_slice(&piece[..length]);
            }
        }
        socket.set_nonblocking(true).unwrap();
        Self {
            name,
            socket,
            drips,
            heard,
            begun,
            cut_after: None,
        }
    }

    fn look(&mut self) {
        let mut piece = [0; 4096];
        match self.socket.read(&mut piece) {
            Ok(0) => self.cut_after = Some(self.begun.elapsed()),
            Ok(length) => self.heard.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if self.drips {
                    self.socket.write_all(b"1").ok();
                }
            }
            Err(_) => self.cut_after = Some(self.begun.elapsed()),
        }
    }
}

/// Waits until all are cut off, after `least` at the earliest.
fn watch(dawdlers: &mut [Dawdler], least: Duration) {
    let begun = Instant::now();
    while dawdlers.iter().any(|one| one.cut_after.is_none()) {
        for one in dawdlers.iter_mut().filter(|one| one.cut_after.is_none()) {
            one.look();
        }
        let open: Vec<_> = dawdlers
            .iter()
            .filter(|one| one.cut_after.is_none())
            .collect();
        let names: Vec<_> = open.iter().map(|one| one.name).collect();
        assert!(begun.elapsed() < PATIENCE, "still open: {names:?}");
        pause();
    }
    for one in dawdlers {
        let (name, after) = (one.name, one.cut_after.unwrap());
        assert!(after >= least, "{name}: {after:?}");
    }
}

fn get(host: &str) -> String {
    format!("GET /api/health HTTP/1.1\r\n{host}\r\n\r\n")
}

/// Where the other wait is never over, each is cut off by its own.
#[test]
fn what_dawdles_between_requests_is_cut_off() {
    let head = "GET /api/health HTTP/1.1\r\nX-Slow: ".to_owned();
    let refused = |host: &str, line: &str| {
        format!("POST /api/runs HTTP/1.1\r\n{host}\r\n{line}\r\n{CHUNKED}\r\n\r\n5000\r\nhe")
    };

    let waits = Waits {
        head: SHORT,
        idle: LONG,
    };
    let server = Server::start_with("", None, waits);
    let (host, at) = (server.host_line(), server.address);
    let first = std::slice::from_ref(&head);
    let second = [get(&host), head.clone()];
    let drips = [refused(&host, "Origin: null"), String::new()];
    let mut all = [
        Dawdler::new(at, "a first head", true, first),
        Dawdler::new(at, "silence", false, &[]),
        Dawdler::new(at, "a second head", true, &second),
        Dawdler::new(at, "half a second head", false, &second),
        Dawdler::new(at, "the dripping body of a refused write", true, &drips),
    ];
    watch(&mut all, SHORT / 2);
    let said = String::from_utf8_lossy(&all[0].heard);
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");

    let waits = Waits {
        head: LONG,
        idle: SHORT,
    };
    let server = Server::start_with("", None, waits);
    let (host, at) = (server.host_line(), server.address);
    let answered = [get(&host), String::new()];
    let before = [get(&host) + &head];
    let silent = [refused(&host, "Content-Type: text/plain"), String::new()];
    let mut all = [
        Dawdler::new(at, "silence after a request", false, &answered),
        Dawdler::new(at, "a head in the packet before", false, &before),
        Dawdler::new(at, "the body of a refused write", false, &silent),
    ];
    watch(&mut all, SHORT / 2);
}

#[test]
fn what_works_is_not_cut_off() {
    let waits = Waits {
        head: SHORT,
        idle: SHORT * 3,
    };
    let server = Server::start_with("", None, waits);
    let host = server.host_line();
    // A WebSocket, which is one long request.
    let lines = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let mut socket = TcpStream::connect(server.address).unwrap();
    socket
        .write_all(message("GET /api/terminal", &host, &lines, "").as_bytes())
        .unwrap();
    let mut head = [0; 4096];
    let length = socket.read(&mut head).unwrap();
    assert!(head[..length].starts_with(b"HTTP/1.1 101 "));
    while !keeps_on(&server, &host, waits.idle) {}
    socket.set_nonblocking(true).unwrap();
    let outcome = socket.read(&mut head);
    let error = outcome.expect_err("it is open, and nothing has been said");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

/// Many requests on one connection, each just in time, longer than any wait. False when the machine
/// was too busy for one of them to be in time, which says nothing about the server.
fn keeps_on(server: &Server, host: &str, idle: Duration) -> bool {
    let mut kept = TcpStream::connect(server.address).unwrap();
    kept.set_read_timeout(Some(PATIENCE)).unwrap();
    let begun = Instant::now();
    let mut last = begun;
    while begun.elapsed() < idle * 2 {
        let sent = kept.write_all(get(host).as_bytes());
        let mut head = [0; 4096];
        let length = sent.and_then(|()| kept.read(&mut head)).unwrap_or(0);
        if last.elapsed() > idle / 2 {
            return false;
        }
        last = Instant::now();
        let said = String::from_utf8_lossy(&head[..length]);
        assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
        pause();
    }
    true
}

#[test]
fn a_real_server_waits_five_seconds_for_a_head_and_thirty_for_a_body() {
    let world = World::new();
    let server = world.serve();
    let at: SocketAddr = server.address.parse().unwrap();
    let host = format!("Host: {at}");
    let head = "GET /api/health HTTP/1.1\r\nX-Slow: ".to_owned();
    let body = format!(
        "POST /api/projects HTTP/1.1\r\n{host}\r\nContent-Type: application/json\r\n\
         Content-Length: 100000\r\n\r\n{{"
    );
    let mut body = [Dawdler::new(at, "a body", true, &[body])];
    let mut heads = [
        Dawdler::new(at, "a first head", true, std::slice::from_ref(&head)),
        Dawdler::new(at, "a second head", true, &[get(&host), head]),
    ];
    watch(&mut heads, Duration::from_secs(4));
    body[0].look();
    assert_eq!(body[0].cut_after, None, "a body has more time than a head");
    watch(&mut body, Duration::from_secs(29));
    let said = String::from_utf8_lossy(&body[0].heard).into_owned();
    assert!(
        said.starts_with("HTTP/1.1 400 ") && said.contains("30 s"),
        "{said}"
    );
}

#[test]
fn connections_that_only_stay_keep_nobody_out_for_long() {
    /// More than the server keeps at once.
    const CONNECTIONS: u64 = 4300;
    let (soft, hard) =
        nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
    let wanted = CONNECTIONS + 200;
    assert!(
        hard >= wanted,
        "this test needs {wanted} open files; the hard limit is {hard}"
    );
    nix::sys::resource::setrlimit(
        nix::sys::resource::Resource::RLIMIT_NOFILE,
        soft.max(wanted),
        hard,
    )
    .unwrap();
    let server = Server::start("", Some(TOKEN));
    let silent: Vec<_> = (0..CONNECTIONS)
        .map(|_| TcpStream::connect(server.address).unwrap())
        .collect();
    let begun = Instant::now();
    let answer = server.lines("GET /api/health", &[], "");
    assert_eq!(answer.status, 200);
    println!(
        "answered after {:?} beside {} silent connections",
        begun.elapsed(),
        silent.len()
    );
}
