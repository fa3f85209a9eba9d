//! Codex's output stream in headless mode: JSON lines among whatever else a terminal is sent.
//!
//! Tokens come with the end of a turn that went well, as running sums of the thread, resumes
//! included; a headless run has one thread, so they are the run's. The stream does not name its
//! model. Errors on the way are retries and warnings: only the end of the turn tells a failure.

use super::{
    codex_rows::{Failure, TokenUsage},
    lines::{Lines, record},
    totals::{Tokens, Totals, minus, plus, tokens_of},
    with_totals,
};
use crate::cli::{Transcript, TranscriptContext};
use crate::domain::run::command::{Observation, Usage};
use serde::Deserialize;
use std::borrow::Cow;
use std::path::Path;

/// A reader of Codex's output stream.
pub struct CodexStream {
    lines: Lines,
    state: State,
    told: Usage,
}

struct State {
    totals: Totals,
    /// What of the thread's sum is counted.
    counted: Tokens,
    model: Option<String>,
    /// The thread, until it is told. That waits for the turn to be at work: by then the hook has
    /// told it, with more about it.
    thread: Option<String>,
    at_work: bool,
    observed: Vec<Observation>,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    thread_id: Option<String>,
    #[serde(borrow)]
    item: Option<Item<'a>>,
    usage: Option<TokenUsage>,
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    id: Option<String>,
    text: Option<String>,
}

impl CodexStream {
    /// Goes on where the context says.
    #[must_use]
    pub fn new(context: TranscriptContext) -> Self {
        let TranscriptContext {
            offset,
            baseline,
            prices,
            mode: _,
        } = context;
        let state = State {
            totals: Totals::new(prices, &baseline),
            counted: tokens_of(&baseline),
            model: baseline.model.clone(),
            thread: None,
            at_work: offset > 0,
            observed: Vec::new(),
        };
        Self {
            lines: Lines::at(offset),
            state,
            told: baseline,
        }
    }
}

impl Transcript for CodexStream {
    fn read(&mut self, _: Option<&Path>) -> std::io::Result<Vec<Observation>> {
        Ok(Vec::new())
    }

    fn output_read(&self) -> u64 {
        self.lines.consumed()
    }

    fn passed_over(&mut self, bytes: u64) {
        self.lines.pass_over(bytes);
    }

    fn feed(&mut self, output: &[u8]) -> Vec<Observation> {
        let Self { lines, state, told } = self;
        lines.feed(output, |line| state.line(line));
        let mut observed = std::mem::take(&mut state.observed);
        with_totals(&mut observed, told, state.totals.usage(lines.consumed()));
        observed
    }

    fn model_is(&mut self, model: &str) {
        self.state.model = Some(model.to_owned());
    }
}

impl State {
    fn line(&mut self, line: &[u8]) {
        let Some(record) = record(line) else {
            return;
        };
        let Ok(line) = serde_json::from_slice::<Line<'_>>(record) else {
            log::debug!(bytes = record.len(); "A line of the output stream is no record.");
            return;
        };
        if self.at_work {
            self.tell_thread();
        }
        match &*line.kind {
            "thread.started" => self.thread = line.thread_id,
            "turn.started" => self.at_work = true,
            "item.completed" => self.item(line.item),
            "turn.completed" => {
                self.tokens(line.usage.unwrap_or_default());
                self.ended(None);
            }
            "turn.failed" => {
                let failure = line.error.unwrap_or_default();
                self.ended(Some(failure.sentence()));
            }
            _ => {}
        }
    }

    fn tell_thread(&mut self) {
        if let Some(session_id) = self.thread.take() {
            self.observed.push(Observation::Session {
                session_id,
                cli_version: None,
                model: self.model.clone(),
            });
        }
    }

    fn item(&mut self, item: Option<Item<'_>>) {
        let Some(item) = item.filter(|item| item.kind == "agent_message") else {
            return;
        };
        if let Some(text) = item.text.filter(|text| !text.is_empty()) {
            let message_id = item.id;
            self.observed
                .push(Observation::Message { text, message_id });
        }
    }

    fn tokens(&mut self, usage: TokenUsage) {
        let model = self.model.as_deref();
        if let Some(model) = model {
            self.totals.answered_by(model);
        }
        let grown = minus(usage.buckets(), self.counted);
        self.counted = plus(self.counted, grown);
        self.totals.grew(model, grown);
    }

    fn ended(&mut self, failure: Option<String>) {
        let turn_id = None;
        self.observed.push(Observation::Ended { failure, turn_id });
    }
}
