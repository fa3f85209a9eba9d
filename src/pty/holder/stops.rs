//! Detects that the program is stopped, and resumes it.
//!
//! A program that Ctrl+Z suspends gives its terminal back and stops itself by SIGTSTP. The launched
//! one leads its session, where the kernel drops that signal: no shell would be there to let it go
//! on. It then waits for SIGCONT without being stopped. It is known by Ctrl+Z, and by the terminal
//! that it took out of raw mode.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::tcgetpgrp;

use super::locked;
use super::shared::Shared;
use super::terminal::Terminal;
use crate::pty::Stopped;
use crate::pty::process_tree::stopped::{StoppedProcess, resume, resume_group, stopped};

/// How often the program is checked: no signal reports that one below a wrapper stopped.
const LOOK: Duration = Duration::from_secs(2);
/// How long a program has to give its terminal back after Ctrl+Z, and how often it is looked at
/// meanwhile.
const SUSPENDING: Duration = Duration::from_secs(3);
const SUSPENDING_LOOK: Duration = Duration::from_millis(100);
/// Ctrl+Z, plain and as the kitty protocol has it.
const SUSPENDS: [&[u8]; 2] = [b"\x1a", b"\x1b[122;5u"];

/// See the module.
pub(super) struct Stops {
    launched: u32,
    /// The end of the terminal that programs have; none where it has no name.
    name: Option<PathBuf>,
    /// Our end of it.
    terminal: Option<File>,
    by_key: Mutex<ByKey>,
}

/// What came of Ctrl+Z.
#[derive(Clone, Copy, Default)]
enum ByKey {
    /// Nothing.
    #[default]
    Not,
    /// It was typed; until then the program may give its terminal back.
    Typed(Instant),
    /// The program gave its terminal back.
    Suspended,
}

impl Stops {
    /// Of the launched program in its terminal.
    #[must_use]
    pub(super) fn new(launched: u32, terminal: &Terminal) -> Self {
        let name = terminal.master.tty_name();
        let terminal = terminal.pty.try_clone().ok();
        Self {
            launched,
            name,
            terminal,
            by_key: Mutex::default(),
        }
    }

    fn found(&self) -> Vec<StoppedProcess> {
        let name = self.name.as_ref();
        name.map_or_else(Vec::new, |name| stopped(self.launched, name))
    }

    /// A viewer types this. True for Ctrl+Z to a program that takes keys one by one: whether it
    /// suspends itself shows in a moment.
    pub(super) fn is_suspending(&self, keys: &[u8]) -> bool {
        let suspends =
            SUSPENDS.iter().any(|key| keys.ends_with(key)) && self.is_raw() == Some(true);
        if suspends {
            self.set(ByKey::Typed(Instant::now() + SUSPENDING));
        }
        suspends
    }

    /// At what pace to look again.
    #[must_use]
    pub(super) fn pace(&self) -> Duration {
        match self.by_key() {
            ByKey::Typed(_) => SUSPENDING_LOOK,
            ByKey::Not | ByKey::Suspended => LOOK,
        }
    }

    fn by_key(&self) -> ByKey {
        *locked(&self.by_key)
    }

    fn set(&self, by_key: ByKey) {
        *locked(&self.by_key) = by_key;
    }

    /// Whether the program gave its terminal back after Ctrl+Z.
    fn suspended(&self) -> bool {
        let raw = self.is_raw() != Some(false);
        let now = match self.by_key() {
            ByKey::Typed(_) | ByKey::Suspended if !raw => ByKey::Suspended,
            ByKey::Typed(until) if Instant::now() < until => return false,
            ByKey::Not | ByKey::Typed(_) | ByKey::Suspended => ByKey::Not,
        };
        self.set(now);
        matches!(now, ByKey::Suspended)
    }

    /// Whether the program takes keys one by one, without its terminal making lines of them.
    fn is_raw(&self) -> Option<bool> {
        let modes = tcgetattr(self.terminal.as_ref()?).ok()?;
        Some(!modes.local_flags.contains(LocalFlags::ICANON))
    }

    /// Looks whether the program is stopped, and tells when that changed; `signal` is what its
    /// parent was told.
    pub(super) fn look(&self, shared: &Shared, signal: Option<String>) {
        self.tell(shared, &self.found(), signal);
    }

    fn tell(&self, shared: &Shared, found: &[StoppedProcess], signal: Option<String>) {
        let signal = signal.or_else(|| found.iter().find_map(|it| it.signal.clone()));
        let suspended = found.is_empty() && self.suspended();
        let signal = signal.or_else(|| suspended.then(|| Signal::SIGTSTP.as_str().to_owned()));
        let stopped = (suspended || !found.is_empty()).then_some(Stopped { signal });
        let known = shared.lock().program.stopped.clone();
        // Asked again, the kernel may not know the signal any more.
        let named = |it: &Stopped| it.signal.is_some();
        let news = match (&known, &stopped) {
            (Some(known), Some(now)) => named(now) && !named(known),
            (known, now) => known.is_some() != now.is_some(),
        };
        if news {
            shared.update(|state| {
                state.program.stopped = stopped;
                // The key was no undo: what stood at the prompt still does.
                if let Some(before) = state.draft_before.take().filter(|_| suspended) {
                    state.change_draft(|draft| *draft = before);
                }
            });
        }
    }

    /// Resumes the program; false when it is not stopped.
    pub(super) fn resume(&self, shared: &Shared) -> bool {
        let found = self.found();
        resume(&found);
        let suspended = self.suspended();
        if suspended && let Some(group) = self.foreground() {
            resume_group(group);
            self.set(ByKey::Not);
        }
        self.look(shared, None);
        suspended || !found.is_empty()
    }

    /// Resumes it when the terminal is its own: a shell that took the terminal over reads keys.
    pub(super) fn resume_at_key(&self, shared: &Shared) -> bool {
        if shared.lock().program.stopped.is_none() {
            return false;
        }
        let found = self.found();
        let own = found.is_empty()
            || self
                .foreground()
                .is_none_or(|group| found.iter().any(|process| process.group == group));
        if !own {
            return false;
        }
        self.resume(shared)
    }

    /// The process group that the terminal belongs to.
    fn foreground(&self) -> Option<u32> {
        let terminal = self.terminal.as_ref()?;
        let group = tcgetpgrp(terminal.as_fd()).ok()?;
        u32::try_from(group.as_raw()).ok()
    }
}
