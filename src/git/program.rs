//! The one place that starts `git`.
//!
//! Called through [`super::place::Place::git`], which adds what disarms a repository's own
//! configuration. What must stay true: no hook runs, nobody is prompted, no setting of the
//! server's own environment leads `git` to another repository, the time is limited and the
//! output bounded, and nothing that `git` started outlives a limit that was hit.

use super::GitError;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{
    ffi::{OsStr, OsString},
    io::{self, Read, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    thread,
    time::{Duration, Instant},
};

/// Longest time for what only reads or writes a few objects.
pub(super) const QUICK: Duration = Duration::from_secs(60);
/// Longest time for what reads or writes a whole working tree.
pub(super) const HEAVY: Duration = Duration::from_secs(900);
/// Most bytes of output kept: a million paths of a `ls-files` fit.
const STDOUT_BYTES_MAX: usize = 128 * 1024 * 1024;
/// Output read at once, and pieces of it that may wait.
const PIECE_LEN: usize = 64 * 1024;
const PIECES_MAX: usize = 16;
/// Most bytes of complaints kept; only the first lines are shown.
const STDERR_BYTES_MAX: usize = 16 * 1024;
/// Lines of complaints shown to the user.
const STDERR_LINES_SHOWN: usize = 5;
/// How often a wait looks whether it was cancelled.
const CANCEL_POLL: Duration = Duration::from_millis(50);
/// How long complaints may stay open after the output ended: a helper that stayed behind.
const STDERR_GRACE: Duration = Duration::from_secs(5);

/// On every command line. Objects and refs of ours must survive a power cut, hence `fsync`;
/// one flush a command keeps that cheap. Relative worktree paths would lock out older readers.
const SETTINGS: &[&str] = &[
    "core.fsmonitor=false",
    "protocol.ext.allow=never",
    "submodule.recurse=false",
    "core.safecrlf=false",
    "core.splitIndex=false",
    "core.fsync=committed,reference",
    "core.fsyncMethod=batch",
    "i18n.commitEncoding=UTF-8",
    "worktree.useRelativePaths=false",
    "advice.addEmbeddedRepo=false",
    "advice.updateSparsePath=false",
    "gc.auto=0",
    "maintenance.auto=false",
];

/// Also on every command line but those of a commit or push that somebody asked for.
const NO_HOOKS: &str = "core.hooksPath=/dev/null";

/// Variables of our own environment that would lead `git` elsewhere or change its answers.
/// Those that say how the user reaches remotes (`GIT_SSH_COMMAND`, `GIT_SSL_…`) stay.
const FORGOTTEN: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_ATTR_SOURCE",
    "GIT_AUTHOR_DATE",
    "GIT_AUTHOR_EMAIL",
    "GIT_AUTHOR_NAME",
    "GIT_CEILING_DIRECTORIES",
    "GIT_COMMITTER_DATE",
    "GIT_COMMITTER_EMAIL",
    "GIT_COMMITTER_NAME",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DEFAULT_HASH",
    "GIT_DIR",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    "GIT_EDITOR",
    "GIT_EXTERNAL_DIFF",
    "GIT_GLOB_PATHSPECS",
    "GIT_GRAFT_FILE",
    "GIT_ICASE_PATHSPECS",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INDEX_VERSION",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_LITERAL_PATHSPECS",
    "GIT_NAMESPACE",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PAGER",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SEQUENCE_EDITOR",
    "GIT_SHALLOW_FILE",
    "GIT_TEMPLATE_DIR",
    "GIT_TRACE",
    "GIT_TRACE2",
    "GIT_TRACE2_EVENT",
    "GIT_TRACE2_PERF",
    "GIT_WORK_TREE",
    "SSH_ASKPASS",
];

/// One start of `git`, being prepared.
#[must_use = "nothing happens until it is run"]
pub(super) struct Program<'a> {
    /// The subcommand as errors show it.
    name: &'static str,
    command: Command,
    limit: Duration,
    input: Option<Vec<u8>>,
    cancelled: Option<&'a dyn Fn() -> bool>,
    /// A status that is no failure.
    also_fine: Option<i32>,
}

impl<'a> Program<'a> {
    /// Prepares `git` with `name` (`"git reset"`) for errors; the subcommand is an argument.
    pub(super) fn new(name: &'static str, git_dir: &Path) -> Self {
        Self::prepared(name, git_dir, &["-c", NO_HOOKS])
    }

    /// The same with the hooks of the repository: for a commit or push that somebody asked for.
    pub(super) fn with_hooks(name: &'static str, git_dir: &Path) -> Self {
        Self::prepared(name, git_dir, &[])
    }

    fn prepared(name: &'static str, git_dir: &Path, more: &[&str]) -> Self {
        let mut command = Command::new("git");
        command.arg("--no-optional-locks").arg("--no-pager");
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command.args(more);
        for variable in FORGOTTEN {
            command.env_remove(variable);
        }
        #[cfg(test)]
        command.envs(super::tests::hermetic_environment());
        command
            .env("GIT_DIR", git_dir)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "")
            .env("GIT_EDITOR", "false")
            .env("SSH_ASKPASS_REQUIRE", "never")
            .env("LC_ALL", "C")
            .process_group(0);
        Self {
            name,
            command,
            limit: QUICK,
            input: None,
            cancelled: None,
            also_fine: None,
        }
    }

    /// Adds an argument.
    pub(super) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    pub(super) fn args<I: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = I>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets a variable of its environment.
    pub(super) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets the folder it works in.
    pub(super) fn in_folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Replaces the time limit.
    pub(super) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Gives it bytes to read.
    pub(super) fn input(mut self, bytes: Vec<u8>) -> Self {
        self.input = Some(bytes);
        self
    }

    /// Takes this exit status for success too.
    pub(super) fn also_fine(mut self, status: i32) -> Self {
        self.also_fine = Some(status);
        self
    }

    /// Lets the caller end it.
    pub(super) fn unless(mut self, cancelled: &'a dyn Fn() -> bool) -> Self {
        self.cancelled = Some(cancelled);
        self
    }

    /// Runs it to its end and returns its output.
    ///
    /// # Errors
    /// `Failed` when it says so, `TimedOut`, `Cancelled`, `TooMuch` output, or `Io` when it
    /// cannot be started.
    pub(super) fn run(self) -> Result<Vec<u8>, GitError> {
        self.start()?.run()
    }

    /// Runs it to its end and hands on its output as it comes. When `sink` fails it is ended.
    ///
    /// # Errors
    /// Those of [`Program::run`], and those of `sink`.
    pub(super) fn run_into(
        self,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), GitError>,
    ) -> Result<(), GitError> {
        self.start()?.run_into(sink)
    }

    /// Starts it, to be waited for later.
    ///
    /// # Errors
    /// `Io` when it cannot be started.
    pub(super) fn start(mut self) -> Result<Started<'a>, GitError> {
        let at = Instant::now();
        self.command
            .stdin(if self.input.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = self.command.spawn().map_err(GitError::io(
            "starting git (is it installed and on the PATH?)",
        ))?;
        let pipes = self.wire(&mut child);
        let mut started = Started {
            program: self,
            at,
            child,
            pipes: None,
            over: false,
        };
        started.pipes = Some(pipes?);
        Ok(started)
    }

    /// Starts the threads that feed it and read from it.
    fn wire(&mut self, child: &mut Child) -> Result<Pipes, GitError> {
        if let (Some(bytes), Some(mut stdin)) = (self.input.take(), child.stdin.take()) {
            let feed = move || {
                // A program that ends early closes its side; its status tells the rest.
                drop(stdin.write_all(&bytes));
            };
            spawn_thread("git-stdin", feed)?;
        }
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(GitError::io("reading from git")(
                io::ErrorKind::BrokenPipe.into(),
            ));
        };
        Ok(Pipes {
            stdout: pump(stdout)?,
            stderr: drain(stderr)?,
        })
    }
}

/// A `git` at work. One that nobody waits for to its end is ended.
#[must_use = "it is ended when nobody waits for it"]
pub(super) struct Started<'a> {
    program: Program<'a>,
    at: Instant,
    child: Child,
    /// None while it is wired.
    pipes: Option<Pipes>,
    /// It was waited for.
    over: bool,
}

impl Started<'_> {
    /// Waits for its end and returns its output.
    ///
    /// # Errors
    /// Those of [`Program::run`].
    pub(super) fn run(self) -> Result<Vec<u8>, GitError> {
        let name = self.program.name;
        let mut output = Vec::new();
        self.run_into(&mut |piece| {
            if output.len() + piece.len() > STDOUT_BYTES_MAX {
                let what = format!("{name} answers more than {STDOUT_BYTES_MAX} bytes");
                return Err(GitError::TooMuch { what });
            }
            output.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(output)
    }

    fn run_into(
        mut self,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), GitError>,
    ) -> Result<(), GitError> {
        let outcome = self.follow(sink);
        if outcome.is_err() || matches!(outcome, Ok(None)) {
            end_group(&self.child);
        }
        let status = self.child.wait().map_err(GitError::io("waiting for git"))?;
        self.over = true;
        self.judge(status, &outcome?.unwrap_or_default())
    }

    /// Hands its output on until it closed it; complaints are `None` when a helper keeps them
    /// open.
    fn follow(
        &self,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), GitError>,
    ) -> Result<Option<Vec<u8>>, GitError> {
        let program = &self.program;
        let Some(pipes) = &self.pipes else {
            return Ok(None);
        };
        loop {
            if program.cancelled.is_some_and(|cancelled| cancelled()) {
                return Err(GitError::Cancelled);
            }
            let left = program.limit.saturating_sub(self.at.elapsed());
            if left.is_zero() {
                return Err(GitError::TimedOut {
                    program: program.name,
                    limit: program.limit,
                });
            }
            match pipes.stdout.recv_timeout(left.min(CANCEL_POLL)) {
                Ok(piece) => sink(&piece)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Ok(pipes.stderr.recv_timeout(STDERR_GRACE).ok());
                }
            }
        }
    }

    fn judge(&self, status: ExitStatus, stderr: &[u8]) -> Result<(), GitError> {
        let also_fine = self.program.also_fine;
        if status.success() || also_fine.is_some() && status.code() == also_fine {
            return Ok(());
        }
        let said = shown(stderr);
        let stderr = if said.is_empty() {
            status.to_string()
        } else {
            said
        };
        Err(GitError::Failed {
            program: self.program.name,
            stderr,
        })
    }
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        end_group(&self.child);
        if let Err(error) = self.child.wait() {
            log::debug!(error:% = error; "A git program that was ended cannot be waited for.");
        }
    }
}

struct Pipes {
    /// Its output, piece by piece; closed when it closed it.
    stdout: Receiver<Vec<u8>>,
    /// Its first complaints, once it closed them.
    stderr: Receiver<Vec<u8>>,
}

/// Kills the program and what it started. Its leader has not been waited for, so that the
/// group's number cannot have passed to somebody else.
fn end_group(child: &Child) {
    let Ok(group) = i32::try_from(child.id()) else {
        return;
    };
    if let Err(error) = killpg(Pid::from_raw(group), Signal::SIGKILL) {
        log::debug!(error:% = error; "A git program was gone before it was killed.");
    }
}

fn spawn_thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), GitError> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map(drop).map_err(GitError::io("starting a thread"))
}

/// Reads a pipe to its end on a thread of its own, handing on its pieces. Who waits for them no
/// longer ends it.
fn pump(pipe: impl Read + Send + 'static) -> Result<Receiver<Vec<u8>>, GitError> {
    let (sender, receiver) = sync_channel(PIECES_MAX);
    spawn_thread("git-stdout", move || {
        pieces(pipe, |piece| sender.send(piece.to_vec()).is_ok());
    })?;
    Ok(receiver)
}

/// Reads a pipe to its end on a thread of its own, keeping its first bytes.
fn drain(pipe: impl Read + Send + 'static) -> Result<Receiver<Vec<u8>>, GitError> {
    let (sender, receiver) = sync_channel(1);
    spawn_thread("git-stderr", move || {
        let mut kept = Vec::new();
        pieces(pipe, |piece| {
            let room = STDERR_BYTES_MAX - kept.len();
            kept.extend(piece.iter().take(room));
            true
        });
        // The waiter may have given up on us.
        drop(sender.send(kept));
    })?;
    Ok(receiver)
}

fn pieces(mut pipe: impl Read, mut each: impl FnMut(&[u8]) -> bool) {
    let mut piece = vec![0; PIECE_LEN];
    loop {
        match pipe.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => {
                if !each(&piece[..read]) {
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
}

/// First lines of what a program said, credentials in URLs blanked.
fn shown(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    // What ends it is said last: progress and hints come before a `fatal:`.
    let from = lines
        .iter()
        .position(|line| line.starts_with("fatal:"))
        .unwrap_or(0);
    let chosen: Vec<_> = lines
        .iter()
        .skip(from)
        .take(STDERR_LINES_SHOWN)
        .map(|line| without_userinfo(line))
        .collect();
    chosen.join("; ")
}

/// Blanks `user:password@` in URLs.
pub(super) fn without_userinfo(line: &str) -> String {
    let mut parts = line.split("://");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        clean.push_str("://");
        let authority = part.find(['/', ' ', '\'', '"']).unwrap_or(part.len());
        let (authority, rest) = part.split_at(authority);
        clean.push_str(authority.rsplit('@').next().unwrap_or_default());
        clean.push_str(rest);
    }
    clean
}

/// Bytes that a program printed as a path or value, as the system sees them.
pub(super) fn os_string(bytes: &[u8]) -> OsString {
    use std::os::unix::ffi::OsStringExt;
    OsString::from_vec(bytes.to_vec())
}

/// One printed line as text, without its end.
pub(super) fn line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

#[cfg(test)]
mod unit;
