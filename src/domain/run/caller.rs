//! Who called the hook program, and whether that is the run's own CLI.
//!
//! An agent may start a CLI of its own kind in a tool: `gemini -p …` inside Gemini. Where hooks
//! travel by environment, both call the same hook program. The run follows one session; a hook of
//! another one is recorded and moves nothing.
//!
//! Two things tell them apart. The *processes*: the hook program names its callers, and the process
//! that told of the run's session is the CLI; what that process started is not. And the *session*:
//! a CLI does not begin another one in the middle of a turn. The first is proof, the second is what
//! remains for hook programs that name no callers, and for the adapter `command`, whose program may
//! call from helpers.

use super::{
    command::{Hook, Signal},
    state::{Run, Status},
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use utoipa::ToSchema;

/// Most callers that are named, the nearest first.
pub const CALLERS_MAX: usize = 8;
/// Most sessions and processes of nested CLIs that are remembered.
const NESTED_MAX: usize = 64;

/// A process; its start tells it from a later one with the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Caller {
    /// Process id.
    pub pid: u32,
    /// Start, in clock ticks since boot.
    pub started: u64,
}

/// The process that called the hook program, then its parents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Callers(pub Vec<Caller>);

impl Callers {
    /// True when nothing is known of them.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn has(&self, caller: Caller) -> bool {
        self.0.contains(&caller)
    }

    fn has_pid(&self, pid: u32) -> bool {
        self.0.iter().any(|caller| caller.pid == pid)
    }
}

/// As it travels and as a spool file is named: `PID-START`, joined by dots.
impl fmt::Display for Callers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, caller) in self.0.iter().enumerate() {
            let dot = if at == 0 { "" } else { "." };
            write!(formatter, "{dot}{}-{}", caller.pid, caller.started)?;
        }
        Ok(())
    }
}

impl FromStr for Callers {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let one = |part: &str| {
            let (pid, started) = part.split_once('-')?;
            Some(Caller {
                pid: pid.parse().ok()?,
                started: started.parse().ok()?,
            })
        };
        let callers: Option<Vec<Caller>> = text.split('.').map(one).collect();
        let known = callers.filter(|callers| callers.len() <= CALLERS_MAX);
        known.map(Self).ok_or(())
    }
}

/// Whose hook it is, as far as processes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// The process that told of the run's session.
    Cli,
    /// One that it started, or that left its tree.
    Other,
    Unknown,
}

/// What is known of CLIs that the agent started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Nested {
    sessions: Vec<String>,
    callers: Vec<Caller>,
}

impl Nested {
    /// Remembers whose hook was recorded as nested.
    pub(super) fn heard(&mut self, session: Option<&str>, callers: &Callers) {
        if let Some(id) = session.filter(|id| !self.sessions.iter().any(|known| known == id)) {
            self.sessions.push(id.to_owned());
        }
        if let Some(caller) = callers.0.first().filter(|it| !self.callers.contains(it)) {
            self.callers.push(*caller);
        }
        if self.sessions.len() > NESTED_MAX {
            self.sessions.remove(0);
        }
        if self.callers.len() > NESTED_MAX {
            self.callers.remove(0);
        }
    }
}

impl Run {
    /// True for a hook of another CLI than the run's.
    #[must_use]
    pub fn is_nested(&self, hook: &Hook) -> bool {
        let own_id = hook.session_id.as_deref() == self.session_id();
        let by = self.called_by(&hook.callers);
        if own_id || hook.session_id.is_none() {
            return by == By::Other && self.went_on_with(hook);
        }
        let own_program = by == By::Cli && !self.created.agent.works_at_once();
        by == By::Other || (!own_program && self.is_foreign(hook))
    }

    fn called_by(&self, callers: &Callers) -> By {
        let cli = self.session.as_ref().map(|session| &session.callers);
        let cli = cli.filter(|callers| !callers.is_empty());
        let (Some(caller), Some(cli)) = (callers.0.first(), cli) else {
            return By::Unknown;
        };
        if cli.0.first() == Some(caller) {
            return By::Cli;
        }
        if self.created.agent.works_at_once() {
            return By::Unknown;
        }
        let below = cli.0.first().is_some_and(|cli| callers.has(*cli));
        let left = self
            .pid()
            .is_some_and(|pid| cli.has_pid(pid) && !callers.has_pid(pid));
        if below || left {
            By::Other
        } else {
            By::Unknown
        }
    }

    /// True when another process than the CLI goes on with the CLI's own session. A CLI may tell
    /// some of its hooks by processes of its own, so only the beginning is proof.
    fn went_on_with(&self, hook: &Hook) -> bool {
        let known = hook.callers.0.first();
        let known = known.is_some_and(|caller| self.nested.callers.contains(caller));
        known || (self.is_mid_turn() && matches!(hook.signal, Signal::SessionStarted { .. }))
    }

    /// True for a session that the CLI cannot have begun: it is in the middle of a turn of another.
    fn is_foreign(&self, hook: &Hook) -> bool {
        let Some(id) = &hook.session_id else {
            return false;
        };
        if self.nested.sessions.contains(id) {
            return true;
        }
        let switches = matches!(hook.signal, Signal::SessionStarted { switches: true });
        !self.sessions_seen.contains(id) && !switches && self.is_mid_turn()
    }

    /// True while the open session works and was heard of since its process began.
    fn is_mid_turn(&self) -> bool {
        self.status == Status::Running
            && self.hook_heard
            && !self.waits_for_its_message()
            && self.session.as_ref().is_some_and(|session| !session.ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_read_back_as_they_were_written() {
        let callers = Callers(vec![
            Caller {
                pid: 12,
                started: 345,
            },
            Caller { pid: 1, started: 0 },
        ]);
        assert_eq!(callers.to_string(), "12-345.1-0");
        assert_eq!(callers.to_string().parse(), Ok(callers));
        assert_eq!("".parse(), Ok(Callers::default()));
        for no in ["x", "1", "1-2.", "1-2.3", "-1-2", "1-2 3-4"] {
            assert_eq!(no.parse::<Callers>(), Err(()), "{no}");
        }
        let many = ["1-2"; CALLERS_MAX + 1].join(".");
        assert_eq!(many.parse::<Callers>(), Err(()));
    }
}
