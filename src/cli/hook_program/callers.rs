//! Who called the hook program: the CLI, and the processes above it.
//!
//! By these the server distinguishes the run's CLI from nested ones. Callers that cannot be read
//! are omitted; the server then judges by the session alone.

use crate::domain::run::callers::{CALLERS_MAX, Caller, Callers};
use crate::proc_stat::Stat;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Shells by which CLIs run a hook's command; a shell that does not exec it is between the CLI and
/// this program.
const SHELLS: [&str; 9] = [
    "ash", "bash", "busybox", "dash", "fish", "ksh", "mksh", "sh", "zsh",
];

/// Begins the name of the holder: above it nothing belongs to the run.
const HOLDER: &str = "abbado";

/// The callers of this process, without shells that were started to run `hook`.
pub(super) fn above(hook: &Path) -> Callers {
    from(std::os::unix::process::parent_id(), hook)
}

/// That process and those above it.
pub(super) fn from(pid: u32, hook: &Path) -> Callers {
    let mut callers = Vec::with_capacity(CALLERS_MAX);
    let mut next = pid;
    while next > 1 && callers.len() < CALLERS_MAX {
        let Some(stat) = Stat::of(next) else { break };
        let (Some(parent), Some(started)) = (stat.field(4), stat.field(22)) else {
            break;
        };
        let shell = SHELLS.contains(&stat.name());
        if !(callers.is_empty() && shell && runs(next, hook)) {
            callers.push(Caller { pid: next, started });
        }
        if is_holder(&stat, next) {
            break;
        }
        next = parent;
    }
    Callers(callers)
}

/// True for the holder: it leads a session without a terminal, and the CLI one with a terminal.
fn is_holder(stat: &Stat, pid: u32) -> bool {
    let leads = stat.field(6) == Some(pid) && stat.field(7) == Some(0);
    leads && stat.name().starts_with(HOLDER)
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
    fn a_holder_is_told_from_its_cli() {
        let is = |name: &str, session: u32, terminal: u32| {
            let line = format!("7 ({name}) S 1 7 {session} {terminal} -1");
            is_holder(&Stat::parse(&line).unwrap(), 7)
        };
        assert!(is("abbado", 7, 0));
        assert!(!is("abbado", 7, 34816), "the demo agent");
        assert!(!is("abbado", 5, 0), "the server");
        assert!(!is("node", 7, 0));
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
