//! Detects that a live CLI says nothing: no hook since its launch, no word while it works.
//!
//! One timer for each of the two. When it ends, what waits in the spool and the transcript is read
//! first; the fact is told to the run only when it still holds then.

use super::{
    Core,
    inbox::{Item, Then},
};
use crate::{
    domain::run::{Command, event::Missing},
    runtime::run::output::Timer,
};
use std::time::Duration;

/// A timer is set for no sooner, however late it is.
const SOONEST: Duration = Duration::from_millis(10);

impl Core {
    /// How long the CLI may say nothing.
    const fn silence_max(&self, missing: Missing) -> Duration {
        match missing {
            Missing::Hook => self.waits.hook,
            Missing::Event => self.waits.event,
        }
    }

    /// What is left of that; nothing when the run waits for no such word.
    fn silence_left(&self, missing: Missing) -> Option<Duration> {
        let run = self.run.as_ref()?;
        let (is_due, since) = match missing {
            Missing::Hook => (run.waits_for_hook(), run.runs_since),
            Missing::Event => (run.waits_for_event(), run.heard_at),
        };
        // A clock that was set back lets the wait begin anew.
        let silent = (self.now - since).to_std().unwrap_or_default();
        is_due.then(|| self.silence_max(missing).saturating_sub(silent))
    }

    /// Sets the timers that the run's state asks for and that are not set.
    pub(super) fn watch_silence(&mut self) {
        for missing in [Missing::Hook, Missing::Event] {
            if self.watched_silences.contains(&missing) {
                continue;
            }
            if let Some(left) = self.silence_left(missing) {
                self.watched_silences.push(missing);
                self.set_timer(left.max(SOONEST), Timer::Silent { missing });
            }
        }
    }

    /// The time is over: checks whether it still holds, after all that came before.
    pub(super) fn on_silence(&mut self, missing: Missing) {
        self.watched_silences.retain(|watched| *watched != missing);
        if self.silence_left(missing).is_some() {
            self.queue(Item::Transcript(Then::Silence(missing)));
        }
    }

    /// Tells the run, or waits on.
    pub(super) fn check_silence(&mut self, missing: Missing) {
        let Some(run) = &self.run else { return };
        let attempt = run.attempt;
        if self.silence_left(missing) == Some(Duration::ZERO) {
            let max = self.silence_max(missing).as_millis();
            self.fact(Command::Silent {
                attempt,
                missing,
                millis: u64::try_from(max).unwrap_or(u64::MAX),
            });
        }
        self.watch_silence();
    }
}
