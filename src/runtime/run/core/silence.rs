//! Notices that a live CLI says nothing: no hook since its launch, no word while it works.
//!
//! One timer for each of the two. When it rings, what waits in the spool and the transcript is read
//! first; the fact is told to the run only when it still holds then.

use super::{Core, inbox::Item};
use crate::{
    domain::{
        Time,
        run::{Command, Run, event::Lacks},
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
    const fn of(&mut self, lacks: Lacks) -> &mut bool {
        match lacks {
            Lacks::Hook => &mut self.hook,
            Lacks::Event => &mut self.event,
        }
    }
}

const fn bound(waits: &Waits, lacks: Lacks) -> Duration {
    match lacks {
        Lacks::Hook => waits.hook,
        Lacks::Event => waits.event,
    }
}

/// What is left of the bound; nothing when the run waits for no such word.
fn left(run: &Run, waits: &Waits, lacks: Lacks, now: Time) -> Option<Duration> {
    let (is_due, since) = match lacks {
        Lacks::Hook => (run.waits_for_hook(), run.runs_since),
        Lacks::Event => (run.waits_for_word(), run.heard_at),
    };
    // A clock that was set back lets the wait begin anew.
    let silent = (now - since).to_std().unwrap_or_default();
    is_due.then(|| bound(waits, lacks).saturating_sub(silent))
}

impl Core {
    fn silence_left(&self, lacks: Lacks) -> Option<Duration> {
        left(self.run.as_ref()?, &self.waits, lacks, self.now)
    }

    /// Sets the timers that the run's state asks for and that are not set.
    pub(super) fn watch_silence(&mut self) {
        for lacks in [Lacks::Hook, Lacks::Event] {
            if *self.watches.of(lacks) {
                continue;
            }
            if let Some(left) = self.silence_left(lacks) {
                *self.watches.of(lacks) = true;
                self.set_timer(left.max(SOONEST), Timer::Silent { lacks });
            }
        }
    }

    /// The time is over: looks whether it still holds, after all that was said before.
    pub(super) fn on_silence(&mut self, lacks: Lacks) {
        *self.watches.of(lacks) = false;
        if self.silence_left(lacks).is_some() {
            self.inbox.push_back(Item::Silence(lacks));
            self.work();
        }
    }

    /// Tells the run, or waits on.
    pub(super) fn notice_silence(&mut self, lacks: Lacks) {
        let Some(run) = &self.run else { return };
        let attempt = run.attempt;
        if self.silence_left(lacks) == Some(Duration::ZERO) {
            let millis = u64::try_from(bound(&self.waits, lacks).as_millis()).unwrap_or(u64::MAX);
            self.fact(Command::Silent {
                attempt,
                lacks,
                millis,
            });
        }
        self.watch_silence();
    }
}
