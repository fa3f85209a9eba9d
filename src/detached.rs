//! Starts programs in a session of their own.
//!
//! A program that works for a person at a browser has no terminal: started here, it has no
//! controlling terminal to ask on (`/dev/tty` cannot be opened), and a key pressed where the server
//! was started does not reach it. All that it starts stays in its process group unless it leaves on
//! purpose.
//!
//! This goes through `posix_spawn`, since the standard library has no safe way to begin a session.
//! Signals are as that library leaves them: `SIGPIPE` at its default, none blocked.

use nix::{
    errno::Errno,
    fcntl::OFlag,
    libc,
    spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp},
    sys::{
        signal::{SigSet, Signal, killpg},
        stat::Mode,
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use std::{
    ffi::{CString, OsStr},
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{ffi::OsStrExt, process::ExitStatusExt},
    },
    process::ExitStatus,
};

/// The flag of `posix_spawn` that begins a session.
#[cfg(target_os = "macos")]
const SETSID: libc::c_int = 0x0400;
#[cfg(not(target_os = "macos"))]
const SETSID: libc::c_int = libc::POSIX_SPAWN_SETSID as libc::c_int;

/// Standard streams of a program; none is `/dev/null`.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    /// Standard input.
    pub stdin: Option<OwnedFd>,
    /// Standard output.
    pub stdout: Option<OwnedFd>,
    /// Standard error.
    pub stderr: Option<OwnedFd>,
}

/// A running program. Dropping it does not end it.
#[derive(Debug)]
pub(crate) struct Child {
    pid: Pid,
    status: Option<ExitStatus>,
}

/// Starts a program, found in the server's `PATH`, with exactly these variables.
///
/// # Errors
/// When the program does not exist, or the system refuses.
pub(crate) fn spawn<'a>(
    program: &str,
    arguments: impl IntoIterator<Item = &'a OsStr>,
    env: impl IntoIterator<Item = (&'a OsStr, &'a OsStr)>,
    streams: Streams,
) -> io::Result<Child> {
    let program = CString::new(program)?;
    let mut argv = vec![program.clone()];
    for argument in arguments {
        argv.push(CString::new(argument.as_bytes())?);
    }
    let mut envp = Vec::new();
    for (name, value) in env {
        envp.push(CString::new(
            [name.as_bytes(), b"=", value.as_bytes()].concat(),
        )?);
    }
    let mut actions = PosixSpawnFileActions::init()?;
    let streams = [streams.stdin, streams.stdout, streams.stderr];
    for (number, stream) in (0..).zip(&streams) {
        match stream {
            Some(stream) => actions.add_dup2(stream.as_raw_fd(), number)?,
            None => actions.add_open(number, "/dev/null", OFlag::O_RDWR, Mode::empty())?,
        }
    }
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_sigdefault(&SigSet::from_iter([Signal::SIGPIPE]))?;
    attributes.set_sigmask(&SigSet::empty())?;
    attributes.set_flags(
        PosixSpawnFlags::from_bits_retain(SETSID)
            | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF
            | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK,
    )?;
    let pid = posix_spawnp(&program, &actions, &attributes, &argv, &envp)?;
    Ok(Child { pid, status: None })
}

impl Child {
    /// Its exit status, if it has ended.
    ///
    /// # Errors
    /// When the system call fails.
    pub(crate) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.look(WaitPidFlag::WNOHANG)
    }

    /// Waits for its end. Programs that it started may continue.
    ///
    /// # Errors
    /// When the system call fails.
    pub(crate) fn wait(&mut self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.look(WaitPidFlag::empty())? {
                return Ok(status);
            }
        }
    }

    fn look(&mut self, flags: WaitPidFlag) -> io::Result<Option<ExitStatus>> {
        if self.status.is_some() {
            return Ok(self.status);
        }
        let raw = match waitpid(self.pid, Some(flags)) {
            Ok(WaitStatus::Exited(_, code)) => code << 8,
            Ok(WaitStatus::Signaled(_, signal, _)) => signal as i32,
            Ok(_) | Err(Errno::EINTR) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        self.status = Some(ExitStatus::from_raw(raw));
        Ok(self.status)
    }

    /// Kills its process group. Does nothing after its exit was collected, because the group's id
    /// may have been reused.
    pub(crate) fn end_group(&self) {
        if self.status.is_some() {
            return;
        }
        if let Err(error) = killpg(self.pid, Signal::SIGKILL) {
            log::debug!(error:% = error; "A program had ended before it was killed.");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn says(script: &str, env: &[(&str, &str)]) -> (String, ExitStatus) {
        let (mut reader, writer) = io::pipe().unwrap();
        let streams = Streams {
            stdout: Some(writer.into()),
            ..Streams::default()
        };
        let arguments = ["-c", script].map(OsStr::new);
        let env = env.iter().map(|(k, v)| (OsStr::new(k), OsStr::new(v)));
        let mut child = spawn("sh", arguments, env, streams).unwrap();
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        (said, child.wait().unwrap())
    }

    #[test]
    fn a_program_leads_a_session_without_a_terminal() {
        let script =
            "ps -o sid= -p $$; echo $$; (: </dev/tty) 2>/dev/null && echo terminal; read x";
        let (said, status) = says(script, &[("PATH", "/usr/bin:/bin")]);
        let words: Vec<&str> = said.split_whitespace().collect();
        assert_eq!(words.len(), 2, "{said}");
        assert_eq!(words[0], words[1]);
        assert_eq!(status.code(), Some(1), "its input is empty");
    }

    #[test]
    fn it_has_the_variables_it_was_given_and_no_other() {
        let (said, _) = says("/usr/bin/env", &[("A", "1"), ("B", "ä b")]);
        let mut lines: Vec<&str> = said.lines().collect();
        lines.retain(|line| !line.starts_with("PWD=") && !line.starts_with("_="));
        lines.retain(|line| !line.starts_with("SHLVL=") && !line.starts_with("OLDPWD"));
        lines.sort_unstable();
        assert_eq!(lines, ["A=1", "B=ä b"]);
    }

    #[test]
    fn its_status_is_told_as_the_system_tells_it() {
        assert_eq!(says("exit 7", &[]).1.code(), Some(7));
        assert_eq!(says("kill -9 $$", &[]).1.signal(), Some(9));
        let (_, closed) = says("yes | head -n 1; exit 0", &[("PATH", "/usr/bin:/bin")]);
        assert!(closed.success());
        let none = spawn("no-such-program-here", [], [], Streams::default());
        assert_eq!(none.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
