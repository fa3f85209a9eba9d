//! The hook program, `abbado-hook` or `abbado hook`: hands a CLI's hook payload to the server.
//!
//! A CLI starts it for every hook and waits for it, so it is small and quick: no logger, no
//! runtime, a second for the server at most. It always ends with code 0 and prints what the server
//! answered or `{}`; a CLI never learns that the server is away.
//!
//! Holds: a payload is delivered, or refused by the server for good (400, 403, 404), or in the
//! spool. The delivery's id is the same on the wire and in the spool, so that one which was
//! delivered but not answered is recorded once. Nobody but the server of the data folder is sent
//! anything of it ([`server`]).

mod callers;
mod post;
mod server;
mod shrink;
mod spool;

use super::hook_files;
use crate::domain::run::callers::Callers;
use nix::sys::signal::{SigSet, Signal};
use server::Server;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use server::{key, proof};
use uuid::Uuid;

/// First argument of a hook that waits for a person's decision; the second is how long, in seconds.
pub const WAIT: &str = "wait";

/// Between two tries of a hook that waits.
const AGAIN: Duration = Duration::from_millis(500);

/// Largest payload that the server accepts, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Largest payload that is read, in bytes; a larger one is lost.
const INPUT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Output for the CLI when there is no response.
const NOTHING: &[u8] = b"{}";

/// True when the program was started through the hook link.
#[must_use]
pub fn called_as_hook(argv0: &OsStr) -> bool {
    let name = Path::new(argv0).file_name().and_then(OsStr::to_str);
    matches!(name, Some(hook_files::HOOK | hook_files::PROGRAM))
}

/// Runs the hook program on standard input and output. Returns the exit code, always 0.
#[must_use]
pub fn run() -> i32 {
    let mut args = std::env::args().skip_while(|arg| arg != WAIT).skip(1);
    let wait = args.next().and_then(|seconds| seconds.parse().ok());
    let wait = wait.map(Duration::from_secs);
    // A question that was answered in the terminal ends its hook by a signal.
    if wait.is_none() {
        see_it_through();
    }
    // An interrupted CLI may close the pipes at any time, so errors of writing are ignored.
    if let Err(error) = forward(wait, &mut io::stdin().lock(), &mut io::stdout().lock()) {
        let _nobody_reads = writeln!(io::stderr(), "abbado hook: {error}");
    }
    0
}

/// A CLI that is being ended still sends hooks, and its signal reaches this program too. It is done
/// within a second, and SIGKILL still ends it.
fn see_it_through() {
    let put_off = SigSet::from_iter([Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT]);
    if let Err(error) = put_off.thread_block() {
        let _nobody_reads = writeln!(io::stderr(), "abbado hook: {error}");
    }
}

fn forward(wait: Option<Duration>, input: &mut dyn Read, output: &mut dyn Write) -> io::Result<()> {
    let Some(run_dir) = run_dir(std::env::args_os().next()) else {
        output.write_all(NOTHING)?;
        return Err(io::Error::other(
            "started outside a run: no hook.token next to it",
        ));
    };
    let payload = read(input)?;
    let callers = callers::above(&run_dir.join(hook_files::HOOK));
    let (answer, spooled) = match wait {
        None => deliver(&run_dir, &payload, &callers),
        Some(wait) => (ask(&run_dir, &payload, &callers, wait), Ok(())),
    };
    output.write_all(&answer)?;
    output.flush()?;
    spooled
}

/// The run folder: that of the link by which this program was started, or the one in the
/// environment.
fn run_dir(argv0: Option<OsString>) -> Option<PathBuf> {
    let is_run = |folder: &PathBuf| folder.join(hook_files::TOKEN).exists();
    let beside = argv0
        .map(PathBuf::from)
        .and_then(|at| Some(at.parent()?.to_owned()));
    beside.filter(is_run).or_else(|| {
        // The program runs inside a CLI's tree, where the run is known by this variable alone.
        std::env::var_os("ABBADO_RUN_DIR")
            .map(PathBuf::from)
            .filter(is_run)
    })
}

/// Reads the payload, and shrinks one that is too large for the server.
fn read(input: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut payload = Vec::new();
    input.take(INPUT_BYTES_MAX).read_to_end(&mut payload)?;
    if payload.len() > PAYLOAD_BYTES_MAX
        && let Some(smaller) = shrink::shrunk(&payload)
    {
        return Ok(smaller);
    }
    Ok(payload)
}

/// Posts the payload, or spools it. Returns the output for the CLI, and an error if the payload is
/// lost.
pub(super) fn deliver(
    run_dir: &Path,
    payload: &[u8],
    callers: &Callers,
) -> (Vec<u8>, io::Result<()>) {
    // Ordered by time: the log's index of deliveries grows at its end.
    let delivery = Uuid::now_v7();
    match post(run_dir, payload, delivery, callers, false) {
        Ok(answer) if answer.is_success() => (answer.body, Ok(())),
        Ok(answer) if answer.is_final() => (NOTHING.to_vec(), Ok(())),
        Ok(_) | Err(_) => (
            NOTHING.to_vec(),
            spool::keep(run_dir, payload, delivery, callers),
        ),
    }
}

/// Posts a question until the server answers it, also through a restart of the server. The delivery
/// stays the same, so that it is asked once. Without an answer in time the CLI's own dialog decides.
fn ask(run_dir: &Path, payload: &[u8], callers: &Callers, wait: Duration) -> Vec<u8> {
    let delivery = Uuid::now_v7();
    let deadline = Instant::now() + wait;
    while Instant::now() < deadline {
        match post(run_dir, payload, delivery, callers, true) {
            // Still open.
            Ok(answer) if answer.status == post::ACCEPTED => {}
            Ok(answer) if answer.is_success() => return answer.body,
            Ok(answer) if answer.is_final() => break,
            Ok(_) | Err(_) => std::thread::park_timeout(AGAIN),
        }
    }
    NOTHING.to_vec()
}

fn post(
    run_dir: &Path,
    payload: &[u8],
    delivery: Uuid,
    callers: &Callers,
    waits: bool,
) -> io::Result<post::Response> {
    let token = hook_files::token(run_dir)?.ok_or(io::ErrorKind::NotFound)?;
    // `..` of the path itself: the run folder may be named by a relative path or a link.
    let data_dir = run_dir.join("../..");
    let run_id = run_dir
        .file_name()
        .and_then(OsStr::to_str)
        .ok_or(io::ErrorKind::InvalidInput)?;
    let server = Server::of(&data_dir)?;
    let request = post::Request {
        run_id,
        token: &token,
        delivery,
        callers,
        waits,
        payload,
    };
    post::send(&server, &data_dir, &request)
}

#[cfg(test)]
mod tests;
