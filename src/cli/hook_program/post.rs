//! One POST over a plain socket, within a deadline.

use super::server::{Listener, Server};
use crate::{
    cli::hook_files,
    domain::run::callers::{CALLERS_HEADER, Callers, DELIVERY_HEADER, WAIT_HEADER},
};
use serde::Deserialize;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Time for connecting, writing and reading together. The CLI waits meanwhile.
const DEADLINE: Duration = Duration::from_secs(1);

/// The same for a hook that waits, with the time that the server may take for its answer.
const WAIT_DEADLINE: Duration = Duration::from_secs(WAIT_SECONDS + 10);

/// How long the server may hold one request of a hook that waits, in seconds.
const WAIT_SECONDS: u64 = 20;

/// Status for a question that is still open.
pub(super) const ACCEPTED: u16 = 202;

/// Longest response passed on to the CLI, in bytes.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Most header lines of a response.
const HEADERS_MAX: usize = 32;

/// A payload to post.
pub(super) struct Request<'a> {
    pub(super) run_id: &'a str,
    pub(super) token: &'a str,
    pub(super) delivery: Uuid,
    pub(super) callers: &'a Callers,
    /// A person's decision is waited for.
    pub(super) waits: bool,
    pub(super) payload: &'a [u8],
}

/// The server's response.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Response {
    pub(super) const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// True when a second try would get the same response: no event name, a wrong secret, an
    /// unknown run.
    pub(super) const fn is_final(&self) -> bool {
        matches!(self.status, 400 | 403 | 404)
    }
}

/// Sends the payload to the server of the data folder only, and waits for the response.
///
/// # Errors
/// When the server is not running, is too slow, does not speak HTTP, or is another one.
pub(super) fn send(
    server: &Server,
    data_dir: &Path,
    request: &Request<'_>,
) -> io::Result<Response> {
    let deadline = Instant::now()
        + if request.waits {
            WAIT_DEADLINE
        } else {
            DEADLINE
        };
    let address = server.address();
    let mut stream = TcpStream::connect_timeout(&address, left(deadline)?)?;
    stream.set_nodelay(true)?;
    match server.listener() {
        Listener::Ours => {}
        Listener::Unknown => ask_for_proof(&mut stream, deadline, server, data_dir)?,
        Listener::Stranger => return Err(io::ErrorKind::PermissionDenied.into()),
    }
    // A server that refuses early responds and closes: its response counts, not the broken pipe.
    let written = write(&mut stream, deadline, address, request);
    match read(&mut stream, deadline) {
        Ok(answer) if written.is_ok() || !answer.is_success() => Ok(answer),
        Ok(_) => Err(written
            .err()
            .unwrap_or_else(|| io::ErrorKind::BrokenPipe.into())),
        Err(error) => Err(error),
    }
}

#[derive(Deserialize)]
struct Proof {
    proof: String,
}

/// Asks the server to prove that it has read the data folder.
fn ask_for_proof(
    stream: &mut TcpStream,
    deadline: Instant,
    server: &Server,
    data_dir: &Path,
) -> io::Result<()> {
    let nonce = hook_files::random_hex()?;
    let wanted = server.proof(data_dir, &nonce)?;
    let question = format!(
        "GET /api/proof?nonce={nonce} HTTP/1.1\r\nHost: localhost:{}\r\n\r\n",
        server.address().port()
    );
    write_all(stream, deadline, question.as_bytes())?;
    let answer = read(stream, deadline)?;
    let given: Proof = serde_json::from_slice(&answer.body)?;
    if answer.is_success() && given.proof == wanted {
        Ok(())
    } else {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        Err(io::ErrorKind::TimedOut.into())
    } else {
        Ok(left)
    }
}

fn write(
    stream: &mut TcpStream,
    deadline: Instant,
    address: SocketAddr,
    request: &Request<'_>,
) -> io::Result<()> {
    let Request {
        run_id,
        token,
        delivery,
        callers,
        waits,
        payload,
    } = request;
    let wait = if *waits {
        format!("{WAIT_HEADER}: {WAIT_SECONDS}\r\n")
    } else {
        String::new()
    };
    // `localhost` is a name that the server's gate knows whatever address it is bound to.
    let head = format!(
        "POST /api/runs/{run_id}/hook HTTP/1.1\r\nHost: localhost:{}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\
         X-Abbado-Hook-Token: {token}\r\n{DELIVERY_HEADER}: {delivery}\r\n{CALLERS_HEADER}: {callers}\r\n{wait}\r\n",
        address.port(),
        payload.len(),
    );
    // In one write, so that the server wakes up once.
    write_all(stream, deadline, &[head.as_bytes(), payload].concat())
}

fn write_all(stream: &mut TcpStream, deadline: Instant, bytes: &[u8]) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        stream.set_write_timeout(Some(left(deadline)?))?;
        match stream.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => rest = &rest[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn read(stream: &mut TcpStream, deadline: Instant) -> io::Result<Response> {
    let mut bytes = Vec::new();
    let mut chunk = [0_u8; 4096];
    loop {
        stream.set_read_timeout(Some(left(deadline)?))?;
        let count = match stream.read(&mut chunk) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        bytes.extend_from_slice(&chunk[..count]);
        if bytes.len() > ANSWER_BYTES_MAX {
            return Err(io::Error::other("the answer is too long"));
        }
        if let Some(answer) = parse(&bytes, count == 0)? {
            return Ok(answer);
        }
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The response, once it is complete. Without a length its body ends with the connection.
fn parse(bytes: &[u8], ended: bool) -> io::Result<Option<Response>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(bytes).map_err(io::Error::other)?;
    let httparse::Status::Complete(head) = parsed else {
        return Ok(None);
    };
    let status = response.code.ok_or(io::ErrorKind::InvalidData)?;
    let body = bytes.get(head..).unwrap_or_default();
    let mut headers = response.headers.iter();
    let length = headers.find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let body = match length {
        Some(length) => {
            let text = std::str::from_utf8(length.value).ok();
            let length = text.and_then(|text| text.trim().parse().ok());
            body.get(..length.ok_or(io::ErrorKind::InvalidData)?)
        }
        None => ended.then_some(body),
    };
    Ok(body.map(|body| Response {
        status,
        body: body.to_vec(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_by_its_length_or_by_the_end() {
        let with = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}rest";
        for cut in 0..with.len() {
            let answer = parse(&with[..cut], false).unwrap();
            assert_eq!(answer.is_some(), cut >= with.len() - 4, "{cut}");
        }
        let without = b"HTTP/1.1 404 Not Found\r\n\r\nno";
        assert!(parse(without, false).unwrap().is_none());
        let answer = parse(without, true).unwrap().unwrap();
        assert_eq!(
            (answer.status, answer.body.as_slice()),
            (404, b"no".as_slice())
        );
        assert!(parse(b"SSH-2.0\r\n\r\n", false).is_err());
        assert!(parse(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", false).is_err());
    }
}
