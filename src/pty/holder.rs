//! The process that owns a run's terminal: `abbado holder`.
//!
//! Started by [`super::session::launch`] with a [`LaunchSpec`](super::LaunchSpec) on its standard
//! input; answers with one [`Outcome`] on its standard output and lives on by itself.
//!
//! # The threads
//!
//! | thread | does | waits for |
//! |---|---|---|
//! | main | starts, ends the tree, reports the exit ([`lifecycle`]) | events, the clock |
//! | reader ([`terminal`]) | PTY → output log, in joined pieces | the PTY |
//! | writer ([`input`]) | keystrokes that the PTY did not take at once | the queue; the PTY |
//! | paste ([`input`]) | a message typed at once | the queue, the screen |
//! | screen ([`screen`]) | output log → emulator; snapshots; answers to what programs ask | new output, and then a pause |
//! | reaper, signals ([`reaper`]) | who ended; SIGTERM | the kernel |
//! | listener, two a connection ([`connection`]) | frames in; output log → socket | the socket; new output |
//!
//! All share [`shared::Shared`]. Nothing queues output: screen and viewers read the log at their own pace.
//!
//! # Crash
//! Before the attempt is recorded: nothing happened. After: the attempt is used up, whatever came
//! of it. After `exit.json`: the exit is known without us.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use serde::{Deserialize, Serialize};

mod connection;
mod draft;
mod exec;
mod input;
mod lifecycle;
mod menu;
mod peer;
mod program;
mod questions;
mod reaper;
mod replies;
mod screen;
mod shared;
mod startup;
mod stops;
mod terminal;
mod viewer;

use lifecycle::Lifecycle;
use shared::Shared;
use startup::Started;
use stops::Stops;

/// What came of a launch; one JSON line on the holder's standard output.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The CLI runs, the socket listens.
    Ready {
        /// Process id of the CLI.
        pid: u32,
    },
    /// The attempt was launched before.
    Refused {
        /// The highest attempt launched.
        recorded_attempt: u32,
    },
    /// Another holder of the run lives.
    Busy,
    /// The CLI could not be started.
    Spawn {
        /// Why, for a person.
        sentence: String,
    },
    /// The holder itself could not work.
    Failed {
        /// Why, for the log.
        sentence: String,
    },
}

/// Events that main waits for at a time; each comes from a thread that can wait.
const EVENTS_LEN_MAX: usize = 64;
/// A holder writes at most this many bytes into `holder.log`: it may live for weeks beside something
/// that fails.
const COMPLAINTS_LEN_MAX: u64 = 1024 * 1024;

/// Runs the holder. Returns its exit code, after the run is over and acknowledged.
#[must_use]
pub fn run() -> i32 {
    match startup::start() {
        Ok(started) => carry(started),
        Err(outcome) => {
            answer(&outcome).ok();
            1
        }
    }
}

fn carry(started: Started) -> i32 {
    let (events, inbox) = sync_channel(EVENTS_LEN_MAX);
    let pid = started.terminal.pid;
    let log_len_max = started.log.len_max();
    let ephemeral = started.spec.ephemeral;
    let shared = Arc::new(Shared::new(
        &started.spec,
        pid,
        started.log.extent(),
        log_len_max,
    ));
    let stops = Arc::new(Stops::new(pid, &started.terminal));
    let program_side = started.terminal.program_side;
    let for_input = Arc::clone(&stops);
    let threads = reaper::spawn(pid, &events).and_then(|()| {
        let pty = started.terminal.pty;
        let input = input::spawn(&shared, pty.try_clone()?, for_input)?;
        let log = terminal::spawn(&shared, pty, started.log)?;
        screen::spawn(&shared, log.try_clone()?, Arc::clone(&input))?;
        let source = viewer::Source {
            shared: Arc::clone(&shared),
            log,
            lag_len_max: log_len_max / 2,
        };
        let desk = connection::Desk {
            source,
            input,
            events,
            master: Mutex::new(started.terminal.master),
            open: AtomicUsize::new(0),
        };
        connection::spawn(desk, started.listener)
    });
    let lifecycle = Lifecycle::new(
        shared,
        inbox,
        started.spec,
        started.cgroup,
        program_side,
        stops,
    );
    if let Err(err) = threads {
        // Without a thread of ours nobody could end the CLI later: it ends now.
        let sentence = format!("a thread of the holder could not be started: {err}");
        lifecycle.give_up();
        answer(&Outcome::Failed { sentence }).ok();
        return 1;
    }
    let told = answer(&Outcome::Ready { pid }).and_then(|()| startup::release_stdout());
    if told.is_err() && !ephemeral {
        // The launching server is gone; the next one finds us by the socket.
        complain("The server that launched this holder did not read its answer.");
    }
    lifecycle.run();
    startup::remove_socket(&started.socket_path);
    drop(started.lock);
    0
}

fn answer(outcome: &Outcome) -> io::Result<()> {
    let mut line = serde_json::to_vec(outcome)?;
    line.push(b'\n');
    let mut stdout = io::stdout().lock();
    stdout.write_all(&line)?;
    stdout.flush()
}

/// Starts a thread that nobody waits for.
fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(work).map(drop)
}

/// Locks. A thread that panicked meanwhile left values, not halves.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes a line into `holder.log`; on a full disk it is lost. (`eprintln!` would panic, and a holder
/// that ends takes its CLI along.)
fn complain(line: impl Display) {
    static SAID: AtomicU64 = AtomicU64::new(0);
    let line = format!("{line}\n");
    let said = SAID.fetch_add(line.len() as u64, Ordering::Relaxed);
    if said < COMPLAINTS_LEN_MAX {
        io::stderr().lock().write_all(line.as_bytes()).ok();
    }
}
