//! The one place that starts `git`.
//!
//! Called through [`super::place::Place::git`], which adds what disarms a repository's own
//! configuration. What must stay true: no hook runs unasked, nobody is prompted (`git` has no
//! terminal, see [`crate::detached`]), no variable of the server's environment leads `git` to
//! another repository (see [`crate::domain::environment`]), the time is limited and the output
//! bounded, and nothing that `git` started outlives a limit that was hit.
//!
//! A hook may leave something running that keeps our pipes open, a build's daemon say. It is not
//! waited for, and it is not ended: the user's hook started it on purpose. What it writes to us
//! later is discarded.

use super::{
    Context, GitError,
    text::{line, with_note},
};
use crate::{
    detached::{self, Child, Streams},
    domain::environment,
};
use pipes::{Input, Pipes, Printed};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io,
    path::Path,
    process::ExitStatus,
    sync::LazyLock,
    time::{Duration, Instant},
};
use stderr::Complaints;

mod pipes;
mod stderr;

pub(super) use stderr::without_userinfo;

/// Longest time for what only reads or writes a few objects.
pub(super) const QUICK: Duration = Duration::from_secs(60);
/// Longest time for what reads or writes a whole working tree.
pub(super) const HEAVY: Duration = Duration::from_secs(900);
/// Most bytes of output kept: a million paths of a `ls-files` fit.
const STDOUT_BYTES_MAX: usize = 128 * 1024 * 1024;
/// How often a wait checks whether it was cancelled, and whether `git` has ended.
const LOOK: Duration = Duration::from_millis(50);
/// Longest time for reading what `git` left in its pipes when somebody else still writes there.
const REST: Duration = Duration::from_millis(200);

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

/// Also on every command line but those of a commit or push that a person requested.
const NO_HOOKS: &str = "core.hooksPath=/dev/null";

/// What every `git` inherits; the environment of a process does not change.
static INHERITED: LazyLock<Vec<(OsString, OsString)>> =
    LazyLock::new(|| environment::inherited(std::env::vars_os()));

/// Whether `git` inherits a variable.
pub(super) fn inherits(name: &str) -> bool {
    INHERITED.iter().any(|(known, _)| known == name)
}

/// The remote that `git` fetches missing objects from.
struct Promisor {
    remote: String,
    note: Option<String>,
}

/// One start of `git`, being prepared.
#[must_use = "nothing happens until it is run"]
pub(super) struct Command<'a> {
    /// The subcommand as errors show it.
    name: &'static str,
    /// What stands before the subcommand on the command line.
    options: Vec<OsString>,
    /// The subcommand and what follows it.
    arguments: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
    limit: Duration,
    input: Option<Vec<u8>>,
    cancelled: Option<&'a dyn Fn() -> bool>,
    /// A status that is no failure.
    also_fine: Option<i32>,
    /// The remote that `git` fetches missing objects from.
    promisor: Option<Promisor>,
    /// Its hooks may run, and what they print is a part of why it failed.
    hooks: bool,
}

impl<'a> Command<'a> {
    /// Prepares a subcommand with arguments that hold no spaces, as on a command line: `"add --all"`.
    pub(super) fn new(subcommand: &'static str, git_dir: &Path) -> Self {
        let program = Self::prepared(subcommand, git_dir);
        // We read its messages, so they are English.
        program.config(NO_HOOKS).env("LC_ALL", "C")
    }

    /// The same with the hooks of the repository, in the user's language: for a commit or push
    /// that somebody asked for.
    pub(super) fn with_hooks(subcommand: &'static str, git_dir: &Path) -> Self {
        let mut program = Self::prepared(subcommand, git_dir);
        program.hooks = true;
        program
    }

    /// Prepares a `git` that finds the repository of a folder by itself, and none above it. It
    /// refuses one of another owner unless the user's `safe.directory` has it.
    pub(super) fn discovering(subcommand: &'static str, folder: &Path) -> Self {
        let above = folder.parent().unwrap_or(folder);
        let program = Self::new(subcommand, folder).in_folder(folder);
        program
            .without("GIT_DIR")
            .env("GIT_CEILING_DIRECTORIES", above)
    }

    fn prepared(subcommand: &'static str, git_dir: &Path) -> Self {
        let mut env: BTreeMap<OsString, OsString> = INHERITED.iter().cloned().collect();
        env.remove(OsStr::new("SSH_ASKPASS"));
        let program = Self {
            name: subcommand.split(' ').next().unwrap_or_default(),
            options: Vec::new(),
            arguments: subcommand.split(' ').map(OsString::from).collect(),
            env,
            limit: QUICK,
            input: None,
            cancelled: None,
            also_fine: None,
            promisor: None,
            hooks: false,
        };
        #[cfg(test)]
        let program = super::tests::hermetic_environment()
            .into_iter()
            .fold(program, |program, (name, value)| program.env(name, value));
        SETTINGS
            .iter()
            .fold(program, |program, setting| program.config(setting))
            .option("--no-optional-locks")
            .option("--no-pager")
            .env("GIT_DIR", git_dir)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "")
            .env("GIT_EDITOR", "false")
            .env("SSH_ASKPASS_REQUIRE", "never")
    }

    /// Replaces the name in errors, when the subcommand does not show what it is run for.
    pub(super) fn shown_as(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// Adds an option of `git` itself, before the subcommand.
    pub(super) fn option(mut self, option: impl AsRef<OsStr>) -> Self {
        self.options.push(option.as_ref().to_owned());
        self
    }

    /// Sets a configuration variable, `key=value`, for this command.
    pub(super) fn config(self, setting: impl AsRef<OsStr>) -> Self {
        self.option("-c").option(setting)
    }

    /// Adds an argument.
    pub(super) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub(super) fn args<I: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = I>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// Sets a variable of its environment.
    pub(super) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let (name, value) = (name.as_ref().to_owned(), value.as_ref().to_owned());
        self.env.insert(name, value);
        self
    }

    /// Removes a variable from its environment.
    pub(super) fn without(mut self, name: &str) -> Self {
        self.env.remove(OsStr::new(name));
        self
    }

    /// Sets the folder it works in.
    pub(super) fn in_folder(self, folder: &Path) -> Self {
        self.option("-C").option(folder)
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

    /// Treats this exit status as success too.
    pub(super) fn also_fine(mut self, status: i32) -> Self {
        self.also_fine = Some(status);
        self
    }

    /// Names the remote of a partial clone, for the error when it does not give an object; `note`
    /// is what else may be the reason.
    pub(super) fn promisor(mut self, remote: &str, note: Option<String>) -> Self {
        let remote = remote.to_owned();
        self.promisor = Some(Promisor { remote, note });
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

    /// The same for a command that prints one line, which is returned as text without its end.
    ///
    /// # Errors
    /// Those of [`Command::run`].
    pub(super) fn run_line(self) -> Result<String, GitError> {
        Ok(line(&self.run()?))
    }

    /// The same where a failure that `git` reports is none; it has no output then.
    ///
    /// # Errors
    /// Those of [`Command::run`], without `Failed`.
    pub(super) fn run_leniently(self) -> Result<Option<Vec<u8>>, GitError> {
        match self.run() {
            Err(GitError::Failed { .. }) => Ok(None),
            outcome => outcome.map(Some),
        }
    }

    /// Brings what the index knows about the times of files up to date, for `update-index`;
    /// differences are no failure.
    ///
    /// # Errors
    /// Those of [`Command::run_leniently`].
    pub(super) fn refresh(self) -> Result<(), GitError> {
        self.args(["-q", "--refresh"]).run_leniently().map(drop)
    }

    /// Runs it to its end and hands on its output as it comes. When `sink` fails it is ended.
    ///
    /// # Errors
    /// Those of [`Command::run`], and those of `sink`.
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
        let doing = "preparing to start git";
        let at = Instant::now();
        let (stdout, its_stdout) = io::pipe().context(doing)?;
        let (stderr, its_stderr) = io::pipe().context(doing)?;
        let mut streams = Streams {
            stdin: None,
            stdout: Some(its_stdout.into()),
            stderr: Some(its_stderr.into()),
        };
        let mut input = None;
        if let Some(bytes) = self.input.take() {
            let (its_stdin, stdin) = io::pipe().context(doing)?;
            streams.stdin = Some(its_stdin.into());
            input = Some(Input::new(stdin, bytes).context(doing)?);
        }
        let arguments = self.options.iter().chain(&self.arguments);
        let arguments = arguments.map(OsString::as_os_str);
        let env = self.env.iter();
        let env = env.map(|(name, value)| (name.as_os_str(), value.as_os_str()));
        let child = detached::spawn("git", arguments, env, streams)
            .context("starting git (is it installed and on the PATH?)")?;
        Ok(Started {
            program: self,
            at,
            child,
            pipes: Pipes::new(input, stdout, stderr),
        })
    }
}

/// A `git` at work. One that nobody waits for to its end is ended.
#[must_use = "it is ended when nobody waits for it"]
pub(super) struct Started<'a> {
    program: Command<'a>,
    at: Instant,
    child: Child,
    pipes: Pipes,
}

impl Started<'_> {
    /// Waits for its end and returns its output.
    ///
    /// # Errors
    /// Those of [`Command::run`].
    pub(super) fn run(self) -> Result<Vec<u8>, GitError> {
        let name = self.program.name;
        let mut output = Vec::new();
        self.run_into(&mut |piece| {
            if output.len() + piece.len() > STDOUT_BYTES_MAX {
                let what = format!("git {name} printed more than {STDOUT_BYTES_MAX} bytes");
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
        let mut said = Complaints::default();
        self.follow(&mut said, sink)?;
        let status = self.child.wait().context("waiting for git")?;
        self.judge(status, said)
    }

    /// Hands its output on until it closed it, or ended.
    fn follow(
        &mut self,
        said: &mut Complaints,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), GitError>,
    ) -> Result<(), GitError> {
        let hooks = self.program.hooks;
        let mut hand_on = |printed: Printed<'_>| match printed {
            Printed::Output(piece) => {
                if hooks {
                    said.output(piece);
                }
                sink(piece)
            }
            Printed::Complaint(piece) => {
                said.complaints(piece);
                Ok(())
            }
        };
        let mut looked = self.at;
        while self.pipes.are_open() {
            self.may_go_on()?;
            self.pipes.pass(LOOK, &mut hand_on)?;
            if looked.elapsed() < LOOK {
                continue;
            }
            looked = Instant::now();
            let ended = self.child.try_wait();
            if ended.context("waiting for git")?.is_some() {
                // Another process has the pipes open; read what git wrote to them.
                while looked.elapsed() < REST
                    && self.pipes.pass(Duration::ZERO, &mut hand_on)?
                    && self.pipes.are_open()
                {}
                break;
            }
        }
        Ok(())
    }

    fn may_go_on(&self) -> Result<(), GitError> {
        let program = &self.program;
        if program.cancelled.is_some_and(|cancelled| cancelled()) {
            return Err(GitError::Cancelled);
        }
        if self.at.elapsed() >= program.limit {
            return Err(GitError::TimedOut {
                program: program.name,
                limit: program.limit,
            });
        }
        Ok(())
    }

    fn judge(&self, status: ExitStatus, said: Complaints) -> Result<(), GitError> {
        let also_fine = self.program.also_fine;
        if status.success() || also_fine.is_some() && status.code() == also_fine {
            return Ok(());
        }
        let mut stderr = said.shown();
        if stderr.is_empty() {
            stderr = status.to_string();
        }
        if let Some(promisor) = &self.program.promisor
            && stderr.contains("promisor remote")
        {
            return Err(GitError::NotFetched {
                remote: promisor.remote.clone(),
                said: with_note(stderr, promisor.note.as_deref()),
            });
        }
        Err(GitError::Failed {
            program: self.program.name,
            stderr,
        })
    }
}

impl Drop for Started<'_> {
    /// Ends it and what it started, unless it was waited for.
    fn drop(&mut self) {
        self.child.end_group();
        if let Err(error) = self.child.wait() {
            log::debug!(error:% = error; "Could not wait for a git command that was ended.");
        }
    }
}

#[cfg(test)]
mod unit;
