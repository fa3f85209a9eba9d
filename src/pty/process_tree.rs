//! Finds and ends all that a run started.
//!
//! Called by the holder while the run ends, and by recovery when the holder itself was killed.
//! Holds: only processes of this user are touched, and never the calling one.
//!
//! A holder is child subreaper: whatever lost its parent becomes the holder's child, so the chain
//! of parents leads from every living descendant to the holder. A killed holder leaves no such
//! chain; then the run's id in the environment is what is left to go by.
//!
//! Not handled: a process that cleared its environment and left the session, when the holder was
//! killed and there is no control group.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use uuid::Uuid;

use super::run_files::own_uid;
use crate::proc_stat::Stat;

pub mod cgroup;
pub mod stopped;

/// The variable that every process of a run inherits.
pub use crate::domain::RUN_ID_VARIABLE;

/// Between SIGTERM and SIGKILL.
pub const GRACE: Duration = Duration::from_secs(5);

/// How often the tree is looked at while it ends. Nothing tells when a process that is not our
/// child ends.
const LOOK_INTERVAL: Duration = Duration::from_millis(25);

/// Rounds of stopping before killing, so that a tree that keeps forking stands still.
const FREEZE_ROUNDS_MAX: usize = 10;

/// How long killed processes may take to go; the kernel may hold one in uninterruptible sleep.
const KILL_WAIT: Duration = Duration::from_secs(5);

/// Marks a thread of the kernel (`include/linux/sched.h`): it has no environment, and there are many.
const PF_KTHREAD: u32 = 0x0020_0000;

/// One process; the start time tells it from a later one with the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Start, in clock ticks since boot.
    pub started: u64,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    process: Process,
    parent: u32,
}

/// Lists what lives of the caller's run: all below the calling process, nearest first, and what
/// carries the run's id without being there, with all below that.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn living(run_id: Uuid) -> io::Result<Vec<Process>> {
    let rows = table()?;
    let own = std::process::id();
    let mut found = below(&rows, &[own]);
    let seen: HashSet<Process> = found.iter().copied().collect();
    let carrying = carrying_of(&rows, run_id);
    found.extend(carrying.into_iter().filter(|it| !seen.contains(it)));
    Ok(found)
}

/// Lists the processes of this user whose environment carries the run's id, and all below them.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn carrying(run_id: Uuid) -> io::Result<Vec<Process>> {
    Ok(carrying_of(&table()?, run_id))
}

fn carrying_of(rows: &[Row], run_id: Uuid) -> Vec<Process> {
    let entry = format!("{RUN_ID_VARIABLE}={run_id}");
    let own = std::process::id();
    let mut found: Vec<Process> = rows
        .iter()
        .map(|row| row.process)
        .filter(|process| process.pid != own && environment_has(process.pid, entry.as_bytes()))
        .collect();
    let roots: Vec<u32> = found.iter().map(|process| process.pid).collect();
    let seen: HashSet<Process> = found.iter().copied().collect();
    let more = below(rows, &roots);
    found.extend(
        more.into_iter()
            .filter(|it| it.pid != own && !seen.contains(it)),
    );
    found
}

fn environment_has(pid: u32, entry: &[u8]) -> bool {
    is_ours(pid)
        && fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|bytes| bytes.split(|&byte| byte == 0).any(|it| it == entry))
}

/// Whether it is a process of this user. Root may read every environment, but another user's process
/// is none of ours all the same.
pub(super) fn is_ours(pid: u32) -> bool {
    fs::metadata(format!("/proc/{pid}")).is_ok_and(|meta| meta.uid() == own_uid())
}

fn below(rows: &[Row], roots: &[u32]) -> Vec<Process> {
    let mut children: HashMap<u32, Vec<Process>> = HashMap::new();
    for row in rows {
        children.entry(row.parent).or_default().push(row.process);
    }
    let mut found = Vec::new();
    let mut from: Vec<u32> = roots.to_vec();
    while let Some(parent) = from.pop() {
        // Taking the entry out also ends a walk in circles, which a racing table could show.
        for child in children.remove(&parent).unwrap_or_default() {
            from.push(child.pid);
            found.push(child);
        }
    }
    found
}

/// All living processes; those that end while we read are left out.
fn table() -> io::Result<Vec<Row>> {
    Ok(numbers("/proc")?.into_iter().filter_map(read_row).collect())
}

/// The entries of a folder that are numbers: processes in `/proc`, descriptors in a process's `fd`.
pub(super) fn numbers<N: FromStr>(folder: &str) -> io::Result<Vec<N>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.parse::<N>().ok()));
    }
    Ok(numbers)
}

/// Reads `/proc/<pid>/stat`; `None` for a zombie, for what is gone, and for a thread of the kernel.
fn read_row(pid: u32) -> Option<Row> {
    let stat = Stat::of(pid)?;
    let flags: u32 = stat.field(9)?;
    if stat.has_ended() || flags & PF_KTHREAD != 0 {
        return None;
    }
    Some(Row {
        process: Process {
            pid,
            started: stat.field(22)?,
        },
        parent: stat.field(4)?,
    })
}

/// The living process with this id.
#[must_use]
pub fn process(pid: u32) -> Option<Process> {
    read_row(pid).map(|row| row.process)
}

/// Kills one process; false when it is gone.
pub fn kill_one(process: Process) -> bool {
    send(process, Signal::SIGKILL)
}

/// Sends a signal, unless the process id went to another process meanwhile.
fn send(process: Process, signal: Signal) -> bool {
    let same = read_row(process.pid).is_some_and(|row| row.process == process);
    same && i32::try_from(process.pid).is_ok_and(|pid| kill(Pid::from_raw(pid), signal).is_ok())
}

/// Asks each process to end; a stopped one is resumed, so that it can.
pub fn terminate(processes: &[Process]) {
    for process in processes {
        if send(*process, Signal::SIGTERM) {
            send(*process, Signal::SIGCONT);
        }
    }
}

/// Kills what `find` lists. A tree that forks faster than it is killed is stopped first, round by
/// round until nothing new appears.
///
/// # Errors
/// As `find`.
pub fn kill_all(find: impl Fn() -> io::Result<Vec<Process>>) -> io::Result<usize> {
    let mut stopped = HashSet::new();
    for _ in 0..FREEZE_ROUNDS_MAX {
        let fresh: Vec<_> = find()?
            .into_iter()
            .filter(|it| stopped.insert(*it))
            .collect();
        if fresh.is_empty() {
            break;
        }
        for process in fresh {
            send(process, Signal::SIGSTOP);
        }
    }
    Ok(stopped
        .into_iter()
        .filter(|process| send(*process, Signal::SIGKILL))
        .count())
}

/// Ends what a killed holder left: every process of this user whose environment carries the run's
/// id, all below them, and the run's control group. SIGTERM, after 5 s SIGKILL. Blocks meanwhile.
/// Returns how many processes there were.
///
/// # Errors
/// When `/proc` cannot be read, or `TimedOut` when something cannot be killed.
pub fn end_leftovers(run_id: Uuid) -> io::Result<usize> {
    let groups = cgroup::RunCgroup::find(run_id);
    let find = || {
        let mut found = carrying(run_id)?;
        let inside = groups.iter().flat_map(cgroup::RunCgroup::processes);
        found.extend(inside.filter_map(read_row).map(|row| row.process));
        found.retain(|process| process.pid != std::process::id());
        Ok(found)
    };
    let ended = end(find);
    for group in &groups {
        group.remove();
    }
    ended
}

fn end(find: impl Fn() -> io::Result<Vec<Process>>) -> io::Result<usize> {
    let mut asked: HashSet<Process> = HashSet::new();
    let begin = Instant::now();
    loop {
        let found = find()?;
        if found.is_empty() {
            return Ok(asked.len());
        }
        let fresh: Vec<_> = found.into_iter().filter(|it| asked.insert(*it)).collect();
        terminate(&fresh);
        let waited = begin.elapsed();
        if waited > GRACE + KILL_WAIT {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "a process cannot be killed",
            ));
        }
        if waited > GRACE {
            kill_all(&find)?;
        }
        std::thread::park_timeout(LOOK_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::process::{Command, Stdio};

    #[test]
    fn a_process_is_found_by_its_parents_and_by_its_environment() {
        let run_id = Uuid::from_u128(0xfeed_0001);
        let script = "(trap '' TERM; echo up; while :; do sleep 0.05; done) & wait";
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .env(RUN_ID_VARIABLE, run_id.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut up = [0; 3];
        shell.stdout.take().unwrap().read_exact(&mut up).unwrap();
        let pids = |list: Vec<Process>| list.into_iter().map(|it| it.pid).collect::<HashSet<_>>();
        // This process is the parent here, and so holds what an unknown run would have.
        let below_us = pids(living(Uuid::nil()).unwrap());
        let by_id = pids(carrying(run_id).unwrap());
        assert!(below_us.contains(&shell.id()) && by_id.contains(&shell.id()));
        assert!(by_id.len() >= 2, "the shell and its child: {by_id:?}");
        assert!(!by_id.contains(&std::process::id()));
        let waiter = std::thread::spawn(move || shell.wait().unwrap());
        assert!(end_leftovers(run_id).unwrap() >= 2);
        assert!(carrying(run_id).unwrap().is_empty());
        assert!(!waiter.join().unwrap().success());
        assert_eq!(end_leftovers(run_id).unwrap(), 0);
    }

    #[test]
    fn what_left_our_line_is_found_by_the_id_that_it_carries() {
        let run_id = Uuid::from_u128(0xfeed_0002);
        let shell = Command::new("sh")
            .args(["-c", "sleep 60 >/dev/null 2>&1 & echo $!"])
            .env(RUN_ID_VARIABLE, run_id.to_string())
            .output()
            .unwrap();
        let orphan: u32 = String::from_utf8(shell.stdout)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let has_it = |list: Vec<Process>| list.iter().any(|it| it.pid == orphan);
        assert!(!has_it(living(Uuid::nil()).unwrap()), "it is not below us");
        assert!(has_it(living(run_id).unwrap()));
        assert_eq!(end_leftovers(run_id).unwrap(), 1);
        assert!(!has_it(living(run_id).unwrap()));
    }
}
