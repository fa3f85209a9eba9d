//! Clients that take their time: heads and bodies that never end, connections that only stay.

use super::server::{Server, TOKEN, message};
use crate::support::{PATIENCE, World, pause};
use abbado::http::connection::Waits;
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// Short ones, for what takes 75 s in earnest.
const SHORT: Waits = Waits {
    head: Duration::from_millis(400),
    idle: Duration::from_millis(1200),
};
const CHUNKED: &str = "Transfer-Encoding: chunked";

/// A client that says something and then drips or is silent until it is cut off.
struct Dawdler {
    name: &'static str,
    socket: TcpStream,
    drips: bool,
    heard: Vec<u8>,
    cut_after: Option<Duration>,
}

impl Dawdler {
    fn new(address: SocketAddr, name: &'static str, drips: bool, says: &[String]) -> Self {
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
            cut_after: None,
        }
    }

    fn look(&mut self, begun: Instant) {
        let mut piece = [0; 4096];
        match self.socket.read(&mut piece) {
            Ok(0) => self.cut_after = Some(begun.elapsed()),
            Ok(length) => self.heard.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if self.drips {
                    self.socket.write_all(b"1").ok();
                }
            }
            Err(_) => self.cut_after = Some(begun.elapsed()),
        }
    }
}

/// Waits until all are cut off; says after how long each was.
fn watch(dawdlers: &mut [Dawdler], longest: Duration) {
    let begun = Instant::now();
    while dawdlers.iter().any(|one| one.cut_after.is_none()) {
        for one in dawdlers.iter_mut().filter(|one| one.cut_after.is_none()) {
            one.look(begun);
        }
        let open: Vec<_> = dawdlers
            .iter()
            .filter(|one| one.cut_after.is_none())
            .collect();
        let names: Vec<_> = open.iter().map(|one| one.name).collect();
        assert!(begun.elapsed() < longest, "still open: {names:?}");
        pause();
    }
}

fn get(host: &str) -> String {
    format!("GET /api/health HTTP/1.1\r\n{host}\r\n\r\n")
}

#[test]
fn what_dawdles_between_requests_is_cut_off() {
    let server = Server::start_with("", None, SHORT);
    let host = server.host_line();
    let at = server.address;
    let head = "GET /api/health HTTP/1.1\r\nX-Slow: ".to_owned();
    let refused = |type_line: &str| {
        format!("POST /api/runs HTTP/1.1\r\n{host}\r\n{type_line}\r\n{CHUNKED}\r\n\r\n5000\r\nhe")
    };
    let mut all = [
        Dawdler::new(at, "a first head", true, std::slice::from_ref(&head)),
        Dawdler::new(at, "silence", false, &[]),
        Dawdler::new(at, "a second head", true, &[get(&host), head.clone()]),
        Dawdler::new(at, "half a second head", false, &[get(&host), head.clone()]),
        Dawdler::new(
            at,
            "silence after a request",
            false,
            &[get(&host), String::new()],
        ),
        Dawdler::new(
            at,
            "a head in the packet before",
            false,
            &[get(&host) + &head],
        ),
        Dawdler::new(
            at,
            "the body of a refused write",
            false,
            &[refused("Content-Type: text/plain"), String::new()],
        ),
        Dawdler::new(
            at,
            "the dripping body of a refused write",
            true,
            &[refused("Origin: null"), String::new()],
        ),
    ];
    watch(&mut all, Duration::from_secs(8));
    let slack = Duration::from_millis(900);
    for one in &all {
        let (name, after) = (one.name, one.cut_after.unwrap());
        let wait = match name {
            "silence after a request" | "a head in the packet before" => SHORT.idle,
            "the body of a refused write" => SHORT.idle,
            _ => SHORT.head,
        };
        assert!(after < wait + slack, "{name}: {after:?}");
        assert!(after > wait / 2, "{name}: {after:?}");
    }
    assert!(
        all[0].heard.starts_with(b"HTTP/1.1 408 "),
        "{:?}",
        all[0].heard
    );
}

#[test]
fn what_works_is_not_cut_off() {
    let server = Server::start_with("", None, SHORT);
    let host = server.host_line();
    // Many requests on one connection, each just in time, longer than any wait.
    let mut kept = TcpStream::connect(server.address).unwrap();
    kept.set_read_timeout(Some(PATIENCE)).unwrap();
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
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < SHORT.idle * 2 {
        kept.write_all(get(&host).as_bytes()).unwrap();
        let length = kept.read(&mut head).unwrap();
        assert!(
            head[..length].starts_with(b"HTTP/1.1 200 "),
            "request {count}"
        );
        count += 1;
        pause();
    }
    assert!(count > 20, "{count} requests");
    socket.set_nonblocking(true).unwrap();
    let outcome = socket.read(&mut head);
    let error = outcome.expect_err("it is open, and nothing has been said");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
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
    let mut all = [
        Dawdler::new(at, "a first head", true, std::slice::from_ref(&head)),
        Dawdler::new(at, "a second head", true, &[get(&host), head]),
        Dawdler::new(at, "a body", true, &[body]),
    ];
    watch(&mut all, Duration::from_secs(40));
    for (one, (least, most)) in all.iter().zip([(4, 7), (4, 7), (29, 35)]) {
        let (name, after) = (one.name, one.cut_after.unwrap().as_secs());
        assert!((least..=most).contains(&after), "{name}: {after} s");
    }
    let said = String::from_utf8_lossy(&all[2].heard).into_owned();
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
