//! Processes that called the hook program, and what is known of CLIs that the agent started.

use super::push_bounded;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use utoipa::ToSchema;

/// Header in which the hook program names them.
pub const CALLERS_HEADER: &str = "X-Abbado-Callers";
/// The header by which the hook program names a delivery.
pub const DELIVERY_HEADER: &str = "X-Abbado-Delivery";
/// The header by which the hook program says how long it waits for a decision, in seconds.
pub const WAIT_HEADER: &str = "X-Abbado-Wait";
/// Most callers in a list, the nearest first.
pub const CALLERS_MAX: usize = 8;
/// Most sessions and processes of nested CLIs that are remembered per run.
const NESTED_MAX: usize = 64;

/// A process. Its start time distinguishes it from a later process with the same id.
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

    pub(super) fn has(&self, caller: Caller) -> bool {
        self.0.contains(&caller)
    }

    pub(super) fn has_pid(&self, pid: u32) -> bool {
        self.0.iter().any(|caller| caller.pid == pid)
    }
}

/// As in the header and in names of spool files: `PID-START`, joined by dots.
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

/// What is known of CLIs that the agent started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Nested {
    pub(super) sessions: Vec<String>,
    pub(super) callers: Vec<Caller>,
}

impl Nested {
    /// Remembers whose hook was recorded as nested.
    pub(super) fn remember(&mut self, session: Option<&str>, callers: &Callers) {
        if let Some(id) = session.filter(|id| !self.sessions.iter().any(|known| known == id)) {
            push_bounded(&mut self.sessions, id.to_owned(), NESTED_MAX);
        }
        if let Some(caller) = callers.0.first().filter(|it| !self.callers.contains(it)) {
            push_bounded(&mut self.callers, *caller, NESTED_MAX);
        }
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
