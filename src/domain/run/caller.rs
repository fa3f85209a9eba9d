//! Who called the hook program, and whether that is the run's own CLI.
//!
//! An agent may start a CLI of its own kind in a tool: `gemini -p …` inside Gemini. Where hooks
//! travel by environment, both call the same hook program. The run follows one session; a hook of
//! another one is recorded and moves nothing.
//!
//! Two things tell them apart. The *processes*: the hook program names its callers, and the process
//! that reported the run's session is the CLI; what that process started is not. And the *session*:
//! a CLI does not begin another one in the middle of a turn. The first is proof, the second is what
//! remains for hook programs that name no callers, and for the adapter `command`, whose program may
//! call from helpers.

use super::{
    callers::Callers,
    command::{Hook, Signal},
    state::{Run, Status},
};

/// The sender of a hook, judged by its processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// The process that reported the run's session.
    Cli,
    /// A process that it started, or that left its tree.
    Other,
    Unknown,
}

impl Run {
    /// True for a hook of another CLI than the run's.
    #[must_use]
    pub fn is_nested(&self, hook: &Hook) -> bool {
        let own_id = hook.session_id.as_deref() == self.session_id();
        let by = self.called_by(&hook.callers);
        if own_id || hook.session_id.is_none() {
            return by == By::Other && self.resumed_by_other(hook);
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

    /// True when another process than the CLI resumes the CLI's own session. A CLI may send some
    /// hooks from helper processes, so only the start of a session is proof.
    fn resumed_by_other(&self, hook: &Hook) -> bool {
        let known = hook.callers.0.first();
        let known = known.is_some_and(|caller| self.nested.callers.contains(caller));
        known || (self.is_mid_turn() && matches!(hook.signal, Signal::SessionStarted { .. }))
    }

    /// True for a session that the CLI cannot have started, because it is in a turn of another
    /// session.
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

    /// True while the open session works and has sent something since its process started.
    fn is_mid_turn(&self) -> bool {
        self.status == Status::Running
            && self.hook_heard
            && !self.waits_for_its_message()
            && self.session.as_ref().is_some_and(|session| !session.ended)
    }
}
