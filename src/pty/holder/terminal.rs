//! The PTY: starting the CLI in it, and taking its output into the log.
//!
//! One thread reads the PTY, which gives at most 4 KiB at a time. It hands on at once what a quiet
//! program writes, and joins what a busy one writes within two milliseconds: each piece costs a
//! write to the log and wakes every viewer.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use filedescriptor::FileDescriptor;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use portable_pty::{CommandBuilder, MasterPty, PtySize, SlavePty, native_pty_system};

use super::questions::Questions;
use super::shared::Shared;
use super::{complain, exec, program, start_thread};
use crate::pty::LaunchSpec;
use crate::pty::output_log::{LogReader, OutputLog};
use crate::pty::protocol::{OUTPUT_HEAD_LEN, PIECE_LEN_MAX, Size, output_head};

/// A piece of this size is an echo or the like, and waits for nothing.
const SMALL_LEN: usize = 1024;
/// Larger pieces are handed on once in this time.
const JOIN_TIME: Duration = Duration::from_millis(2);
/// And small ones so often: a program that writes line by line without end floods as well.
const SMALL_MAX: u32 = 32;

/// Our side of the PTY.
pub(super) type Master = Box<dyn MasterPty + Send>;
/// The program's side of the PTY.
pub(super) type ProgramSide = Box<dyn SlavePty + Send>;

/// The CLI in its PTY.
pub(super) struct Terminal {
    /// Process id of the CLI.
    pub pid: u32,
    /// Ours; resizes.
    pub master: Master,
    /// Its output, and keystrokes for it. Reading and writing never wait.
    pub pty: File,
    /// The program's side of it. As long as one has it open, the PTY is not at its end: a program
    /// may close it and open `/dev/tty` later.
    pub program_side: ProgramSide,
}

impl Terminal {
    /// Opens a PTY and starts the CLI in it.
    ///
    /// # Errors
    /// A sentence for a person, which names the program.
    pub(super) fn start(spec: &LaunchSpec) -> Result<Self, String> {
        let Some((name, arguments)) = spec.argv.split_first() else {
            return Err("No program to start.".to_owned());
        };
        let failed = |cause: String| format!("`{name}` could not be started: {cause}.");
        if !spec.cwd.is_dir() {
            let cwd = spec.cwd.display();
            return Err(failed(format!("the folder {cwd} is missing")));
        }
        let path = program::find(name, spec).map_err(failed)?;
        if let Some(why) = program::unfit(&path, spec) {
            return Err(failed(why));
        }
        // A bare name stays one in its argv. portable-pty would look for `a/b` in PATH.
        let mut command = match name.contains('/') {
            true => CommandBuilder::new(&path),
            false => CommandBuilder::new(name),
        };
        command.args(arguments);
        command.env_clear();
        for (name, value) in &spec.env {
            command.env(name, value);
        }
        command.cwd(&spec.cwd);
        Self::spawn(spec, &path, command).map_err(failed)
    }

    fn spawn(spec: &LaunchSpec, path: &Path, command: CommandBuilder) -> Result<Self, String> {
        let pair = native_pty_system()
            .openpty(pty_size(spec.size()))
            .map_err(|error| error.root_cause().to_string())?;
        let pty = unblocked(pair.master.as_ref()).map_err(|error| error.to_string())?;
        let spawned = exec::forking(|| pair.slave.spawn_command(command));
        let spawned = spawned.map_err(|error| error.to_string())?;
        let mut child = spawned.map_err(|error| error.root_cause().to_string())?;
        let pid = child.process_id().ok_or("it has no process id")?;
        if !exec::has_executed(pid) {
            child.wait().ok();
            return Err(program::refusal(path));
        }
        // The child is waited for by the reaper, which takes all children; this handle never is.
        Ok(Self {
            pid,
            master: pair.master,
            pty,
            program_side: pair.slave,
        })
    }
}

/// The PTY itself. Nobody waits in it: a connection that types must not, and who reads looks at the
/// clock.
fn unblocked(master: &dyn MasterPty) -> io::Result<File> {
    let number = master.as_raw_fd().ok_or(io::ErrorKind::Unsupported)?;
    let mut pty = FileDescriptor::dup(&number).map_err(io::Error::other)?;
    pty.set_non_blocking(true).map_err(io::Error::other)?;
    pty.as_file().map_err(io::Error::other)
}

/// Waits until the PTY can be read or written; false when the time is over before.
///
/// # Errors
/// As the kernel says.
pub(super) fn wait_ready(pty: &File, what: PollFlags, time: Option<Duration>) -> io::Result<bool> {
    let mut wanted = [PollFd::new(pty.as_fd(), what)];
    match ppoll(&mut wanted, time.map(TimeSpec::from_duration), None) {
        Ok(count) => Ok(count > 0),
        Err(Errno::EINTR) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Changes the size of a PTY; the kernel tells the program.
///
/// # Errors
/// The kernel's own words.
pub(super) fn resize(master: &dyn MasterPty, size: Size) -> Result<(), String> {
    let resized = master.resize(pty_size(size));
    resized.map_err(|error| error.root_cause().to_string())
}

fn pty_size(size: Size) -> PtySize {
    let Size { cols, rows } = size.clamped();
    PtySize {
        rows,
        cols,
        pixel_width: 0,
        pixel_height: 0,
    }
}

/// Starts the thread; returns a reading end of the log.
///
/// # Errors
/// When a thread or a descriptor cannot be had.
pub(super) fn spawn(shared: &Arc<Shared>, pty: File, log: OutputLog) -> io::Result<LogReader> {
    let log_reader = log.reader()?;
    let shared = Arc::clone(shared);
    start_thread("reader", move || follow(&shared, pty, log))?;
    Ok(log_reader)
}

fn follow(shared: &Shared, pty: File, mut log: OutputLog) {
    let mut output = Joined::new(pty);
    let mut questions = Questions::default();
    // With room for the head of a frame.
    let mut buffer = vec![0; OUTPUT_HEAD_LEN + PIECE_LEN_MAX];
    let mut failing = false;
    loop {
        let len = output.next(&mut buffer[OUTPUT_HEAD_LEN..]);
        if len == 0 {
            break;
        }
        let head = output_head(log.extent().end, len);
        buffer[..OUTPUT_HEAD_LEN].copy_from_slice(&head);
        let frame = &buffer[..OUTPUT_HEAD_LEN + len];
        let asked = questions.scan(&frame[OUTPUT_HEAD_LEN..]);
        // The program continues when the disk is full; what it wrote meanwhile is not kept.
        match log.append(&frame[OUTPUT_HEAD_LEN..]) {
            Ok(done) => {
                if done.grows {
                    complain(
                        "This file system cannot free parts of a file; the output log keeps its full size.",
                    );
                }
                failing = false;
                if shared.output(done.extent, (len <= SMALL_LEN).then_some(frame)) {
                    return;
                }
                if asked {
                    shared.hurry_screen();
                }
            }
            Err(err) if failing => drop(err),
            Err(err) => {
                complain(format_args!(
                    "Lost output, because the log cannot be written: {err}"
                ));
                failing = true;
            }
        }
    }
    if let Err(err) = log.sync() {
        complain(format_args!("The output log is not durable: {err}"));
    }
    shared.update(|state| state.output_ended = true);
}

/// What the program writes, in joined pieces.
struct Joined {
    pty: File,
    ended: bool,
    /// The end of the time in which pieces are counted.
    due: Instant,
    /// Small pieces in this time.
    small: u32,
}

impl Joined {
    fn new(pty: File) -> Self {
        Self {
            pty,
            ended: false,
            due: Instant::now(),
            small: 0,
        }
    }

    /// Waits for the next piece; its length is 0 at the end.
    fn next(&mut self, buffer: &mut [u8]) -> usize {
        let mut len = 0;
        while len < buffer.len() && !self.ended {
            match self.pty.read(&mut buffer[len..]) {
                Ok(0) => self.ended = true,
                Ok(count) => len += count,
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                    let time = (len > 0).then(|| self.left(len));
                    if time.is_some_and(|time| time.is_zero()) {
                        break;
                    }
                    if let Err(err) = wait_ready(&self.pty, PollFlags::POLLIN, time) {
                        self.end(&err);
                    }
                }
                Err(err) => self.end(&err),
            }
        }
        len
    }

    /// How long so many bytes are to wait for more.
    fn left(&mut self, len: usize) -> Duration {
        let now = Instant::now();
        let left = self.due.saturating_duration_since(now);
        if left.is_zero() {
            self.due = now + JOIN_TIME;
            self.small = 0;
        } else if len <= SMALL_LEN && self.small < SMALL_MAX {
            self.small += 1;
            return Duration::ZERO;
        }
        left
    }

    fn end(&mut self, err: &io::Error) {
        // The last process that had the terminal open is gone.
        if err.raw_os_error() != Some(Errno::EIO as i32) {
            complain(format_args!("Could not read from the terminal: {err}"));
        }
        self.ended = true;
    }
}
