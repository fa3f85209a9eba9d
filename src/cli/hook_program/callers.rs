//! Who called the hook program: the CLI, and the processes above it.
//!
//! By these the server distinguishes the run's CLI from nested ones. Callers that cannot be read
//! are omitted; the server then judges by the session alone.

use crate::domain::run::callers::{CALLERS_MAX, Caller, Callers};
use crate::proc_stat::{self, Stat};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Shells by which CLIs run a hook's command; a shell that does not exec it is between the CLI and
/// this program.
const SHELLS: [&str; 9] = [
    "ash", "bash", "busybox", "dash", "fish", "ksh", "mksh", "sh", "zsh",
];

/// The callers of this process, without shells that were started to run `hook`.
pub(super) fn above(hook: &Path) -> Callers {
    from(std::os::unix::process::parent_id(), hook)
}

/// That process and those above it.
pub(super) fn from(pid: u32, hook: &Path) -> Callers {
    let mut callers = Vec::with_capacity(CALLERS_MAX);
    let mut next = pid;
    while next > 1 && callers.len() < CALLERS_MAX {
        let Some(row) = Row::read(next) else { break };
        if !(callers.is_empty() && row.shell && runs(next, hook)) {
            let (pid, started) = (next, row.started);
            callers.push(Caller { pid, started });
        }
        next = row.parent;
    }
    Callers(callers)
}

struct Row {
    shell: bool,
    parent: u32,
    started: u64,
}

impl Row {
    fn read(pid: u32) -> Option<Self> {
        Self::parse(&proc_stat::line(pid)?)
    }

    fn parse(line: &str) -> Option<Self> {
        let stat = Stat::parse(line)?;
        Some(Self {
            shell: SHELLS.contains(&stat.name),
            parent: stat.field(4)?,
            started: stat.field(22)?,
        })
    }
}

/// True when the process runs the hook as its command.
fn runs(pid: u32, hook: &Path) -> bool {
    let hook = hook.as_os_str().as_bytes();
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.windows(hook.len()).any(|part| part == hook)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_line_is_read_whatever_the_name() {
        let row = Row::parse("7 (a) b (sh)) S 12 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987 0");
        let row = row.unwrap();
        assert_eq!((row.parent, row.started, row.shell), (12, 987, false));
        assert!(
            Row::parse("7 (sh) S 12 7 7 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1")
                .is_some_and(|row| row.shell)
        );
        assert!(Row::parse("").is_none());
    }

    #[test]
    fn callers_are_this_process_and_those_above_it() {
        let own = std::process::id();
        let callers = from(own, Path::new("/nowhere/hook")).0;
        assert_eq!(callers[0].pid, own);
        assert_eq!(callers[1].pid, std::os::unix::process::parent_id());
        assert_eq!(above(Path::new("/nowhere/hook")).0[0], callers[1]);
        assert!(
            callers
                .iter()
                .all(|caller| caller.started > 0 || caller.pid < 3)
        );
    }

    #[test]
    fn a_shell_that_runs_the_hook_is_passed_over_and_another_is_not() {
        let own = std::process::id();
        for (word, passed_over) in [("/run dir/hook", true), ("/another/hook", false)] {
            let mut shell = Command::new("sh")
                .args(["-c", "read line; :", word])
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            // It has its name and its command once it has begun.
            while !runs(shell.id(), Path::new(word)) {
                std::thread::yield_now();
            }
            let callers = from(shell.id(), Path::new("/run dir/hook")).0;
            let first = if passed_over { own } else { shell.id() };
            assert_eq!(callers[0].pid, first, "{word}");
            drop(shell.stdin.take());
            shell.wait().unwrap();
        }
    }
}
