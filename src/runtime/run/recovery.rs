//! What a core built from its log does first: make the world fit the log again.
//!
//! It is the same after a crash of the server, an upgrade, a panic or passivation: look at the last
//! word of the log, ask the holder, and decide on what was found.

use crate::{
    domain::run::{Effect, Run, event::StopBy, state::Process},
    pty::Probe,
};

/// What an actor built from the log begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Find out what became of the launch that the log speaks of.
    Reach {
        /// Which.
        attempt: u32,
    },
    /// Carry out once more what may have been lost after its commit.
    Again(Effect),
    /// A holder may still wait for the word that its exit was recorded.
    Release,
}

/// What is outstanding of a run, as its log says.
pub(crate) const fn plan(run: &Run) -> Plan {
    match run.process {
        Process::Launching | Process::Alive { .. } => Plan::Reach {
            attempt: run.attempt,
        },
        Process::None | Process::Exited { .. } => match run.stop {
            Some(StopBy::Delete) => Plan::Again(Effect::Delete),
            Some(_) => Plan::Again(Effect::StopSetUp),
            None if run.launch_wanted => Plan::Again(Effect::SetUp),
            None => Plan::Release,
        },
    }
}

/// What was seen of a run's holder, by its attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    Live(u32),
    Exited(u32),
    Gone(Option<u32>),
}

impl Seen {
    pub(crate) fn of(probe: &Probe) -> Self {
        match probe {
            Probe::Live(session) => Self::Live(session.hello().attempt),
            Probe::Exited(report) => Self::Exited(report.attempt),
            Probe::Gone { recorded_attempt } => Self::Gone(*recorded_attempt),
        }
    }
}

/// What that means for the attempt that the log speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The holder of an earlier attempt is still there: it goes first.
    Earlier,
    Attached,
    Exited,
    NeverLaunched,
    /// It ran, and nobody knows how it ended.
    Lost,
}

/// What the log has seen alive was launched, whatever became of the run folder.
pub(crate) const fn finding(seen: Seen, attempt: u32, spawned: bool) -> Finding {
    match seen {
        Seen::Live(earlier) if earlier < attempt => Finding::Earlier,
        Seen::Live(_) => Finding::Attached,
        Seen::Exited(of) if of >= attempt => Finding::Exited,
        Seen::Exited(_) | Seen::Gone(_) if spawned => Finding::Lost,
        Seen::Exited(of) if of + 1 == attempt => Finding::NeverLaunched,
        Seen::Gone(None) if attempt > 0 => Finding::NeverLaunched,
        Seen::Gone(Some(recorded)) if recorded < attempt => Finding::NeverLaunched,
        Seen::Exited(_) | Seen::Gone(_) => Finding::Lost,
    }
}

/// What to do with a holder that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attachment {
    /// Its exit is in the log: it goes, and so does a CLI in it, of a launch that came about after
    /// all. Another launch may wait for that.
    Release,
    /// The launch succeeded.
    Spawned,
    /// Somebody asked for its end.
    End,
    Watch,
    /// Its exit is in the log: the holder waits only for our word.
    Acknowledge,
}

pub(crate) const fn attachment(run: &Run, attempt: u32, cli_lives: bool) -> Attachment {
    if attempt < run.attempt {
        return Attachment::Release;
    }
    match run.process {
        Process::Launching => Attachment::Spawned,
        Process::Alive { .. } if run.stop.is_some() => Attachment::End,
        Process::Alive { .. } => Attachment::Watch,
        Process::None | Process::Exited { .. } if cli_lives => Attachment::Release,
        Process::None | Process::Exited { .. } => Attachment::Acknowledge,
    }
}
