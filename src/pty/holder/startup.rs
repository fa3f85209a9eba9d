//! Becoming a holder: leave the server's session, take the lock, listen, start the CLI.
//!
//! The order is the promise: the attempt is durable before the CLI is started, and what an earlier
//! attempt left is removed only after that.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{close, dup2_stdin, dup2_stdout, setsid};
use tokio::signal::unix::{SignalKind, signal};

use super::Outcome;
use super::terminal::Terminal;
use crate::pty::LaunchSpec;
use crate::pty::output_log::{LOG_LEN_MAX, OutputLog};
use crate::pty::process_tree::{self, cgroup::RunCgroup};
use crate::pty::run_files::{self, LockRefusal, RunLock};

/// Largest launch document; an environment is at most a few hundred KiB.
const SPEC_LEN_MAX: u64 = 16 * 1024 * 1024;

/// A holder whose CLI runs and whose threads do not yet.
pub(super) struct Started {
    /// What to run.
    pub spec: LaunchSpec,
    /// Held as long as we live.
    pub lock: RunLock,
    /// Where the server will come.
    pub listener: UnixListener,
    /// Removed at the end.
    pub socket_path: PathBuf,
    /// The CLI and its PTY.
    pub terminal: Terminal,
    /// Where its output goes.
    pub log: OutputLog,
    /// The tree's own group, where there can be one.
    pub cgroup: Option<RunCgroup>,
}

/// Starts the CLI, or says why not.
///
/// # Errors
/// The outcome to answer with; nothing runs then.
pub(super) fn start() -> Result<Started, Outcome> {
    let spec = read_spec().map_err(failed("cannot read the launch document"))?;
    detach(&spec.run_dir).map_err(failed("the holder cannot leave the server's session"))?;
    let lock = RunLock::acquire(&spec.run_dir, spec.attempt).map_err(|refusal| match refusal {
        LockRefusal::Busy => Outcome::Busy,
        LockRefusal::Attempt { recorded } => Outcome::Refused {
            recorded_attempt: recorded,
        },
        LockRefusal::Io(err) => failed("cannot acquire the run's lock")(err),
    })?;
    run_files::remove_stale(&spec.run_dir)
        .map_err(failed("cannot remove the previous exit record"))?;
    let log = OutputLog::open(&spec.run_dir, log_len_max())
        .map_err(failed("cannot open the output log"))?;
    let (listener, socket_path) = listen(&spec).map_err(failed("cannot create the socket"))?;
    // The CLI is born in the group, and we leave it: the group's end must not be ours.
    let cgroup = RunCgroup::enter(spec.run_id, spec.attempt);
    let terminal = Terminal::start(&spec);
    let cgroup = cgroup.and_then(|group| group.leave().is_ok().then_some(group));
    let terminal = terminal.map_err(|sentence| {
        if let Some(group) = &cgroup {
            group.remove();
        }
        remove_socket(&socket_path);
        Outcome::Spawn { sentence }
    })?;
    Ok(Started {
        spec,
        lock,
        listener,
        socket_path,
        terminal,
        log,
        cgroup,
    })
}

/// The bound of the output log. The variable is for tests, which cannot wait for 64 MiB.
fn log_len_max() -> u64 {
    std::env::var_os("ABBADO_OUTPUT_LOG_LEN_MAX")
        .and_then(|text| text.to_str()?.parse().ok())
        .unwrap_or(LOG_LEN_MAX)
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> Outcome {
    move |err| Outcome::Failed {
        sentence: format!("{what}: {err}"),
    }
}

fn read_spec() -> io::Result<LaunchSpec> {
    let mut document = Vec::new();
    io::stdin()
        .lock()
        .take(SPEC_LEN_MAX)
        .read_to_end(&mut document)?;
    Ok(serde_json::from_slice(&document)?)
}

fn detach(run_dir: &Path) -> io::Result<()> {
    close_inherited()?;
    // Refused for the leader of a process group, which has a group of its own already.
    setsid().ok();
    heed_what_was_ignored()?;
    // Blocked rather than ignored: only SIGTERM is for us, and a thread waits for it. The CLI gets
    // an empty mask; SIGPIPE is ignored by the standard library and given back to the CLI.
    let signals = SigSet::from_iter([
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
        Signal::SIGTSTP,
    ]);
    signals.thread_block()?;
    set_child_subreaper(true)?;
    dup2_stdin(File::open("/dev/null")?)?;
    // A relative path would break below, and our folder must not keep a mount busy.
    if !run_dir.is_absolute() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the run folder is not absolute",
        ));
    }
    std::env::set_current_dir("/")
}

/// A shell that starts the server in the background, and nohup, have it ignore signals, which
/// passes from process to process: a CLI could not be interrupted by its terminal then. A signal
/// with a handler is not ignored, and has its usual effect again in a program that is executed.
fn heed_what_was_ignored() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let _inside = runtime.enter();
    for kind in [
        SignalKind::hangup(),
        SignalKind::interrupt(),
        SignalKind::quit(),
        SignalKind::alarm(),
        SignalKind::child(),
        SignalKind::from_raw(Signal::SIGTSTP as i32),
        SignalKind::from_raw(Signal::SIGTTIN as i32),
        SignalKind::from_raw(Signal::SIGTTOU as i32),
    ] {
        // The handler stays without a listener.
        drop(signal(kind)?);
    }
    Ok(())
}

/// Closes what the server did not mark: a kept descriptor would keep its sockets and files open.
fn close_inherited() -> io::Result<()> {
    for fd in process_tree::numbers::<i32>("/proc/self/fd")? {
        if fd <= 2 {
            continue;
        }
        // The one that listed the folder is gone already, and says so.
        close(fd).ok();
    }
    Ok(())
}

fn listen(spec: &LaunchSpec) -> io::Result<(UnixListener, PathBuf)> {
    let path = run_files::prepare_socket(&spec.run_dir, spec.run_id)?;
    // No thread but this one runs yet, so the mask of the whole process may change for a moment.
    let usual = umask(Mode::from_bits_truncate(0o177));
    let bound = UnixListener::bind(&path);
    umask(usual);
    let listener = bound?;
    run_files::protect_socket(&path)?;
    Ok((listener, path))
}

/// Lets the server read the end of our answer.
///
/// # Errors
/// When `/dev/null` cannot be opened.
pub(super) fn release_stdout() -> io::Result<()> {
    dup2_stdout(File::options().write(true).open("/dev/null")?)?;
    Ok(())
}

/// Removes the socket; a path that stays is found dead by its next reader.
pub(super) fn remove_socket(path: &Path) {
    fs::remove_file(path).ok();
}
