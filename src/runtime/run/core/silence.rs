//! Notices that a live CLI says nothing: no hook since its launch, no word while it works.
//!
//! One timer for each of the two. When it rings, what waits in the spool and the transcript is read
//! first; the fact is told to the run only when it still holds then.

use super::{Core, inbox::Item};
use crate::{
    domain::{
        Time,
        run::{Command, Run, event::Missing},
    },
    runtime::run::{input::Timer, waits::Waits},
};
use std::time::Duration;

/// A watch is looked at no sooner, however late it is.
const SOONEST: Duration = Duration::from_millis(10);

/// Which timers are set.
#[derive(Default)]
pub(super) struct Watches {
    hook: bool,
    event: bool,
}

impl Watches {
    const fn of(&mut self, missing: Missing) -> &mut bool {
        match missing {
            Missing::Hook => &mut self.hook,
            Missing::Event => &mut self.event,
        }
    }
}

const fn bound(waits: &Waits, missing: Missing) -> Duration {
    match missing {
        Missing::Hook => waits.hook,
        Missing::Event => waits.event,
    }
}

/// What is left of the bound; nothing when the run waits for no such word.
fn left(run: &Run, waits: &Waits, missing: Missing, now: Time) -> Option<Duration> {
    let (is_due, since) = match missing {
        Missing::Hook => (run.waits_for_hook(), run.runs_since),
        Missing::Event => (run.waits_for_word(), run.heard_at),
    };
    // A clock that was set back lets the wait begin anew.
    let silent = (now - since).to_std().unwrap_or_default();
    is_due.then(|| bound(waits, missing).saturating_sub(silent))
}

impl Core {
    fn silence_left(&self, missing: Missing) -> Option<Duration> {
        left(self.run.as_ref()?, &self.waits, missing, self.now)
    }

    /// Sets the timers that the run's state asks for and that are not set.
    pub(super) fn watch_silence(&mut self) {
        for missing in [Missing::Hook, Missing::Event] {
            if *self.watches.of(missing) {
                continue;
            }
            if let Some(left) = self.silence_left(missing) {
                *self.watches.of(missing) = true;
                self.set_timer(left.max(SOONEST), Timer::Silent { missing });
            }
        }
    }

    /// The time is over: looks whether it still holds, after all that was said before.
    pub(super) fn on_silence(&mut self, missing: Missing) {
        *self.watches.of(missing) = false;
        if self.silence_left(missing).is_some() {
            self.inbox.push_back(Item::Silence(missing));
            self.work();
        }
    }

    /// Tells the run, or waits on.
    pub(super) fn notice_silence(&mut self, missing: Missing) {
        let Some(run) = &self.run else { return };
        let attempt = run.attempt;
        if self.silence_left(missing) == Some(Duration::ZERO) {
            let millis = u64::try_from(bound(&self.waits, missing).as_millis()).unwrap_or(u64::MAX);
            self.fact(Command::Silent {
                attempt,
                missing,
                millis,
            });
        }
        self.watch_silence();
    }
}
