//! Tells whether a forked child has executed its program.
//!
//! portable-pty closes all descriptors in the child, also the one by which the standard library
//! hears that `execve` failed: spawning succeeds whatever the kernel answers, and a refused child
//! aborts. So the child is forked under a name that it keeps until `execve` gives it another.

use std::ffi::CStr;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl;

use crate::proc_stat::Stat;

/// The name of a child that has not executed its program, as `/proc/<pid>/stat` shows it.
const FORKED: &CStr = c"abbado-forked";
/// Between two looks; most programs are executed within a millisecond.
const LOOK_INTERVAL: Duration = Duration::from_micros(50);
/// A program on a slow file system may take long. Then the exit tells what became of it.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Forks by `spawn`, for [`has_executed`] to be asked about the child. A child that aborts before
/// it executes its program leaves no core file: that would be one of this process.
pub(super) fn forking<T>(spawn: impl FnOnce() -> T) -> nix::Result<T> {
    let name = prctl::get_name()?;
    prctl::set_name(FORKED)?;
    prctl::set_dumpable(false)?;
    let spawned = spawn();
    prctl::set_dumpable(true)?;
    prctl::set_name(&name)?;
    Ok(spawned)
}

/// Waits until a child executes its program or dies before it does.
pub(super) fn has_executed(pid: u32) -> bool {
    let began = Instant::now();
    while began.elapsed() < WAIT_MAX {
        match Stat::of(pid) {
            Some(stat) if stat.name().as_bytes() == FORKED.to_bytes() => {
                if stat.has_ended() {
                    return false;
                }
            }
            // Without /proc nothing is known; the child has not been waited for, so it is listed.
            Some(_) | None => return true,
        }
        thread::park_timeout(LOOK_INTERVAL);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::process::Command;

    #[test]
    fn a_child_that_executed_its_program_is_told_from_one_that_could_not() {
        let mut child = forking(|| Command::new("/bin/true").spawn())
            .unwrap()
            .unwrap();
        assert!(has_executed(child.id()));
        child.wait().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let busy = folder.path().join("busy");
        fs::copy("/bin/true", &busy).unwrap();
        let _writer = fs::OpenOptions::new().append(true).open(&busy).unwrap();
        let pair = portable_pty::native_pty_system()
            .openpty(portable_pty::PtySize::default())
            .unwrap();
        let command = portable_pty::CommandBuilder::new(&busy);
        let refused = forking(|| pair.slave.spawn_command(command)).unwrap();
        let mut child = refused.unwrap();
        assert!(!has_executed(child.process_id().unwrap()));
        child.wait().unwrap();
    }
}
