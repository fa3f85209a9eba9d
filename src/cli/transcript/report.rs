//! What a reader found and did not tell yet.

use super::totals::Totals;
use crate::domain::run::command::{Observation, Usage};

/// The totals of the run, and what was observed.
pub(crate) struct Report {
    pub(super) totals: Totals,
    /// An error of the file keeps it for the next call.
    observed: Vec<Observation>,
}

impl Report {
    /// Begins with nothing observed.
    pub(super) const fn new(totals: Totals) -> Self {
        Self {
            totals,
            observed: Vec::new(),
        }
    }

    /// An empty one, for reading again what was reported.
    pub(super) fn again(&self) -> Self {
        Self::new(Totals::new(self.totals.prices().clone(), &Usage::default()))
    }

    /// All so far was reported before, with these totals.
    pub(super) fn told_before(&mut self, told: &Usage) {
        self.observed.clear();
        self.totals.contained_in(told);
    }

    /// Forgets what was observed.
    pub(super) fn forget(&mut self) {
        self.observed.clear();
    }

    /// The session has this id.
    pub(super) fn session(
        &mut self,
        session_id: String,
        cli_version: Option<String>,
        model: Option<String>,
    ) {
        self.observed.push(Observation::Session {
            session_id,
            cli_version,
            model,
        });
    }

    /// A part of a message was streamed.
    pub(super) fn token(&mut self, text: String, message_id: Option<String>) {
        self.observed.push(Observation::Token { text, message_id });
    }

    /// The agent said something; an empty text is nothing.
    pub(super) fn message(&mut self, text: String, message_id: Option<String>) {
        if !text.is_empty() {
            self.observed
                .push(Observation::Message { text, message_id });
        }
    }

    /// A person stopped the turn.
    pub(super) fn interrupted(&mut self, turn_id: Option<String>) {
        self.observed.push(Observation::Interrupted { turn_id });
    }

    /// The turn ended, and for this reason if it failed.
    pub(super) fn ended(&mut self, failure: Option<String>, turn_id: Option<String>) {
        self.observed.push(Observation::Ended { failure, turn_id });
    }

    /// What was observed since the last call. The totals come with it when somebody would want to
    /// know them: when they changed, or when the cursor, which is at `offset`, moved over something
    /// that must not be reported again.
    pub(super) fn take(&mut self, told: &mut Usage, offset: u64) -> Vec<Observation> {
        let mut observed = std::mem::take(&mut self.observed);
        let now = self.totals.usage(offset);
        let same = Usage {
            transcript_offset: told.transcript_offset,
            ..now.clone()
        } == *told;
        let is_final = |one: &Observation| !matches!(one, Observation::Token { .. });
        if !same || observed.iter().any(is_final) {
            told.clone_from(&now);
            observed.push(Observation::Usage(now));
        }
        observed
    }
}
