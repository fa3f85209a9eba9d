//! Two threads that wait for the kernel: who ended, and whether we are asked to end.

use std::io;
use std::sync::mpsc::SyncSender;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use super::lifecycle::{Event, Status};
use super::start_thread;

/// Starts both.
///
/// # Errors
/// When there can be no thread.
pub(super) fn spawn(cli: u32, events: &SyncSender<Event>) -> io::Result<()> {
    let target = events.clone();
    start_thread("reaper", move || reap(cli, &target))?;
    let target = events.clone();
    start_thread("signals", move || wait_for_sigterm(&target))
}

/// Takes the status of every child, also that it stopped or was resumed. A subreaper is the parent of
/// all that lost theirs, so "no child left" proves that nothing of the run is alive.
fn reap(cli: u32, events: &SyncSender<Event>) {
    let is_cli = |pid: nix::unistd::Pid| u32::try_from(pid.as_raw()) == Ok(cli);
    let changes = WaitPidFlag::WUNTRACED | WaitPidFlag::WCONTINUED;
    loop {
        let status = match waitpid(None, Some(changes)) {
            Ok(WaitStatus::Exited(pid, code)) if is_cli(pid) => Status {
                code: Some(code),
                signal: None,
            },
            Ok(WaitStatus::Signaled(pid, signal, _)) if is_cli(pid) => Status {
                code: None,
                signal: Some(signal.as_str().to_owned()),
            },
            Ok(WaitStatus::Stopped(pid, signal)) => {
                let signal = is_cli(pid).then(|| signal.as_str().to_owned());
                events.send(Event::Stopped { signal }).ok();
                continue;
            }
            Ok(WaitStatus::Continued(_)) => {
                events.send(Event::Continued).ok();
                continue;
            }
            Err(Errno::ECHILD) => {
                events.send(Event::TreeGone).ok();
                return;
            }
            // Also a child that a real-time signal ended, which has no name here.
            Ok(_) | Err(_) => continue,
        };
        if events.send(Event::CliEnded(status)).is_err() {
            return;
        }
    }
}

fn wait_for_sigterm(events: &SyncSender<Event>) {
    let signals = SigSet::from_iter([Signal::SIGTERM]);
    while signals.wait().is_err() {}
    events.send(Event::Terminate).ok();
}
