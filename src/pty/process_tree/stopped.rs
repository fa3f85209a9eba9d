//! Whether the program in a terminal is stopped: by Ctrl+Z, SIGSTOP, or for reading a terminal that
//! is not its own just now.
//!
//! Only the parent of a process is told that it stopped, and the CLI may stand below a wrapper. So
//! the line of processes from the launched one down is looked at: those of its session whose
//! standard input is the terminal. What a CLI starts for itself (tools, servers) has another one.

use std::fs;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::proc_stat::Stat;

/// Most processes that are looked at.
const LOOKED_AT_MAX: usize = 64;

/// A stopped process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoppedProcess {
    pid: u32,
    /// Its process group.
    pub group: u32,
    /// The name of the signal that stopped it, when the kernel still tells.
    pub signal: Option<String>,
}

/// Lists the stopped processes of the terminal, from the launched one down.
#[must_use]
pub fn stopped(launched: u32, terminal: &Path) -> Vec<StoppedProcess> {
    let mut found = Vec::new();
    let mut line = vec![launched];
    let mut at = 0;
    while let Some(&pid) = line.get(at) {
        at += 1;
        let Some(stat) = Stat::of(pid) else { continue };
        let (Some(group), Some(session)) = (stat.field(5), stat.field::<u32>(6)) else {
            continue;
        };
        let types_there =
            || fs::read_link(format!("/proc/{pid}/fd/0")).is_ok_and(|it| it == terminal);
        if pid != launched && (session != launched || !types_there()) {
            continue;
        }
        if stat.state() == Some('T') {
            // The exit code has the signal of one that is stopped.
            let signal = stat.field(52).and_then(|it: i32| Signal::try_from(it).ok());
            let signal = signal.map(|signal| signal.as_str().to_owned());
            found.push(StoppedProcess { pid, group, signal });
        }
        let room = LOOKED_AT_MAX.saturating_sub(line.len());
        line.extend(children(pid).into_iter().take(room));
    }
    found
}

/// Resumes them, each with its process group.
pub fn resume(processes: &[StoppedProcess]) {
    for process in processes {
        resume_group(process.group);
        // It may have left the group just now; one that has ended needs nothing.
        signalled(process.pid, kill).ok();
    }
}

/// Resumes a process group.
pub fn resume_group(group: u32) {
    signalled(group, killpg).ok();
}

fn signalled(id: u32, send: fn(Pid, Option<Signal>) -> nix::Result<()>) -> nix::Result<()> {
    let id = i32::try_from(id).map_err(|_| Errno::ESRCH)?;
    send(Pid::from_raw(id), Some(Signal::SIGCONT))
}

/// Those that a thread of the process started and that live.
fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten();
    let lists = threads
        .flatten()
        .map(|thread| thread.path().join("children"));
    let lists = lists.filter_map(|list: PathBuf| fs::read_to_string(list).ok());
    let ids: Vec<String> = lists.collect();
    ids.iter()
        .flat_map(|list| list.split_ascii_whitespace())
        .filter_map(|id| id.parse().ok())
        .collect()
}
