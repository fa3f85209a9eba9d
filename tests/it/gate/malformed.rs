//! Ambiguous requests, heads that are too large, bytes that are not HTTP: one answer at most to
//! each, in the form of all errors or a bare one of the parser, and then the end.

use super::server::{Answer, Server, TOKEN, hook_secret};
use crate::support::PATIENCE;
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
};

/// Would be answered 404 by a server that took it for a request.
const SMUGGLED: &str = "GET /api/smuggled HTTP/1.1\r\nHost: {HOST}\r\n\r\n";
const JSON: &str = "Content-Type: application/json\r\n";

/// Everything that the server says to these bytes and their end.
fn say(server: &Server, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(server.address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    // It may be refused before all is sent.
    socket.write_all(bytes).ok();
    socket.shutdown(Shutdown::Write).ok();
    let mut heard = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = socket.read(&mut piece) {
        heard.extend_from_slice(&piece[..length]);
    }
    String::from_utf8_lossy(&heard).into_owned()
}

#[track_caller]
fn check_form(name: &str, said: &str) {
    let answer = Answer::parse(said);
    assert!(
        !said.to_lowercase().contains("access-control-"),
        "{name}: {said}"
    );
    if answer.is_of_the_parser() {
        return;
    }
    for (header, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(answer.header(header), Some(value), "{name}: {said}");
    }
    let kind = Some("text/plain; charset=utf-8");
    assert!(
        answer.status < 400 || answer.header("content-type") == kind,
        "{name}: {said}"
    );
    assert!(
        answer.status < 400 || answer.header("x-error-code").is_some(),
        "{name}: {said}"
    );
}

/// Shapes of smuggling: head lines, body. What follows each is a whole request in disguise.
#[expect(clippy::too_many_lines, reason = "a list of cases")]
fn shapes() -> Vec<(&'static str, String, String)> {
    let shape = |name, lines: &str, body: &str| (name, lines.to_owned(), body.to_owned());
    vec![
        shape(
            "length and chunks",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "0\r\n\r\n",
        ),
        shape(
            "chunks and length",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "0\r\n\r\n",
        ),
        shape(
            "two lengths",
            "Content-Length: 2\r\nContent-Length: 2\r\n",
            "{}",
        ),
        shape(
            "two different lengths",
            "Content-Length: 2\r\nContent-Length: 0\r\n",
            "{}",
        ),
        shape("a list of lengths", "Content-Length: 2, 2\r\n", "{}"),
        shape("a signed length", "Content-Length: +2\r\n", "{}"),
        shape("a negative length", "Content-Length: -2\r\n", "{}"),
        shape("a hexadecimal length", "Content-Length: 0x2\r\n", "{}"),
        shape("a split length", "Content-Length: 2 0\r\n", "{}"),
        shape(
            "an endless length",
            "Content-Length: 99999999999999999999999\r\n",
            "{}",
        ),
        shape(
            "an unknown coding",
            "Transfer-Encoding: xchunked\r\n",
            "0\r\n\r\n",
        ),
        shape(
            "two codings",
            "Transfer-Encoding: chunked, identity\r\n",
            "0\r\n\r\n",
        ),
        shape(
            "chunks twice",
            "Transfer-Encoding: chunked, chunked\r\n",
            "0\r\n\r\n",
        ),
        shape(
            "two lines of codings",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "0\r\n\r\n",
        ),
        shape("no coding at all", "Transfer-Encoding: identity\r\n", "{}"),
        shape(
            "a blank before the colon",
            "Transfer-Encoding : chunked\r\nContent-Length: 2\r\n",
            "{}",
        ),
        shape(
            "a folded line",
            "Transfer-Encoding:\r\n chunked\r\n",
            "0\r\n\r\n",
        ),
        shape(
            "a bare CR in a line",
            "X: a\rTransfer-Encoding: chunked\r\n",
            "0\r\n\r\n",
        ),
        shape("a NUL in a line", "X: a\0b\r\n", ""),
        shape("a line without a name", ": x\r\n", ""),
        shape(
            "a chunk of no size",
            "Transfer-Encoding: chunked\r\n",
            "x\r\n{}\r\n0\r\n\r\n",
        ),
        shape(
            "a chunk of negative size",
            "Transfer-Encoding: chunked\r\n",
            "-2\r\n{}\r\n0\r\n\r\n",
        ),
        shape(
            "a chunk of endless size",
            "Transfer-Encoding: chunked\r\n",
            "fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        ),
        shape(
            "a chunk ended by a bare LF",
            "Transfer-Encoding: chunked\r\n",
            "2\n{}\n0\n\n",
        ),
        shape(
            "a chunk that is longer than it says",
            "Transfer-Encoding: chunked\r\n",
            "1\r\n{}\r\n0\r\n\r\n",
        ),
    ]
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let server = Server::start("", None);
    let host = format!("localhost:{}", server.port());
    let smuggled = SMUGGLED.replace("{HOST}", &host);
    for (name, lines, body) in shapes() {
        let request =
            format!("POST /api/runs HTTP/1.1\r\nHost: {host}\r\n{JSON}{lines}\r\n{body}{smuggled}");
        let said = say(&server, request.as_bytes());
        assert!(said.starts_with("HTTP/1.1 400 "), "{name}: {said}");
        assert_eq!(said.matches("HTTP/1.").count(), 1, "{name}: {said}");
        check_form(name, &said);
    }
    let old = format!(
        "POST /api/runs HTTP/1.0\r\nHost: {host}\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
    );
    let said = say(&server, old.as_bytes());
    assert!(
        said.starts_with("HTTP/1.1 400 ") && !said.contains("404"),
        "{said}"
    );
}

/// The body of a request that was refused, or that nobody reads, is no request.
#[test]
fn the_body_of_a_refused_request_is_not_taken_for_one() {
    let open = Server::start("", None);
    let closed = Server::start("", Some(TOKEN));
    for (server, line, status) in [
        (&open, "Origin: null\r\n", 403),
        (&open, "Content-Type: text/plain\r\n", 415),
        (&closed, JSON, 401),
    ] {
        let host = format!("localhost:{}", server.port());
        let body = SMUGGLED.replace("{HOST}", &host).repeat(3);
        let length = body.len();
        for (coding, body) in [
            (format!("Content-Length: {length}\r\n"), body.clone()),
            (
                "Transfer-Encoding: chunked\r\n".into(),
                format!("{length:x}\r\n{body}\r\n0\r\n\r\n"),
            ),
        ] {
            for first in ["POST /api/runs", "GET /api/runs", "POST /api/runs/x/cancel"] {
                // A read has no rule about the type of its body.
                if first.starts_with("GET") && status == 415 {
                    continue;
                }
                let request =
                    format!("{first} HTTP/1.1\r\nHost: {host}\r\n{line}{coding}\r\n{body}");
                let said = say(server, request.as_bytes());
                assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{said}");
                assert_eq!(said.matches("HTTP/1.").count(), 1, "{said}");
                check_form(first, &said);
            }
        }
    }
}

#[test]
fn requests_that_follow_each_other_are_each_checked() {
    let server = Server::start("", Some(TOKEN));
    let host = format!("Host: localhost:{}\r\n", server.port());
    let run = super::server::RUN;
    let secret = hook_secret();
    // A right secret opens its own request and none after it on the same connection.
    let hook = format!(
        "POST /api/runs/{run}/hook HTTP/1.1\r\n{host}{JSON}X-Abbado-Hook-Token: {secret}\r\n\
         Content-Length: 2\r\n\r\n{{}}"
    );
    let bearer = format!("GET /api/runs HTTP/1.1\r\n{host}Authorization: Bearer {TOKEN}\r\n\r\n");
    let bare = format!("GET /api/runs HTTP/1.1\r\n{host}\r\n");
    let said = say(&server, format!("{hook}{bare}{bearer}{bare}").as_bytes());
    let statuses: Vec<_> = said
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|answer| &answer[..3])
        .collect();
    assert_eq!(statuses, ["200", "401", "200", "401"], "{said}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list of cases")]
fn heads_that_are_too_large_and_bytes_that_are_no_http() {
    let server = Server::start("", None);
    let host = format!("Host: localhost:{}\r\n", server.port());
    let get = |lines: &str| format!("GET /api/health HTTP/1.1\r\n{host}{lines}\r\n");
    let many = |count: usize| {
        (0..count)
            .map(|n| format!("X-{n}: y\r\n"))
            .collect::<String>()
    };
    let long = |length: usize| format!("X: {}\r\n", "y".repeat(length));
    let table: Vec<(&str, String, u16)> = vec![
        ("ninety lines", get(&many(90)), 200),
        ("too many lines", get(&many(100)), 431),
        ("a long line", get(&long(100_000)), 200),
        ("a line without end", get(&long(140_000)), 431),
        ("lines without end", get(&many(20_000)), 431),
        (
            "a long path",
            format!("GET /{} HTTP/1.1\r\n{host}\r\n", "a".repeat(60_000)),
            404,
        ),
        (
            "a path without end",
            format!("GET /{} HTTP/1.1\r\n{host}\r\n", "a".repeat(70_000)),
            400,
        ),
        (
            "a TLS client",
            "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\r\n\r\n".into(),
            400,
        ),
        (
            "an HTTP/2 client",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(),
            400,
        ),
        ("an HTTP/0.9 client", "GET /\r\n\r\n".into(), 400),
        (
            "a version of tomorrow",
            format!("GET / HTTP/3.0\r\n{host}\r\n"),
            400,
        ),
        ("no version", format!("GET /\r\n{host}\r\n"), 400),
        (
            "a path with a blank",
            format!("GET /a b HTTP/1.1\r\n{host}\r\n"),
            400,
        ),
        (
            "a path with a NUL",
            format!("GET /a\0b HTTP/1.1\r\n{host}\r\n"),
            400,
        ),
        ("two Hosts", get(&host), 400),
        ("no Host", "GET /api/health HTTP/1.1\r\n\r\n".into(), 400),
        (
            "an own method",
            format!("BREW /api/runs HTTP/1.1\r\n{host}\r\n"),
            405,
        ),
        (
            "TRACE",
            format!("TRACE /api/runs HTTP/1.1\r\n{host}\r\n"),
            405,
        ),
        (
            "lines that end in a bare LF",
            get("").replace('\r', ""),
            200,
        ),
    ];
    for (name, request, status) in table {
        let said = say(&server, request.as_bytes());
        assert!(
            said.starts_with(&format!("HTTP/1.1 {status} ")),
            "{name}: {said}"
        );
        assert_eq!(said.matches("HTTP/1.").count(), 1, "{name}: {said}");
        check_form(name, &said);
    }
}
