//! Codex's output stream in headless mode: JSON lines among whatever else a terminal is sent.
//!
//! Tokens come with the end of a turn that went well, as running sums of the thread, resumes
//! included; a headless run has one thread, so they are the run's. The stream does not name its
//! model. Errors on the way are retries and warnings: only the end of the turn tells a failure.

use super::{
    codex_rows::{Failure, TokenUsage},
    follow::{Record, StreamReader},
    totals::{Tokens, Totals, minus, plus, tokens_of},
};
use crate::cli::{Transcript, TranscriptContext};
use crate::domain::run::command::{Observation, Usage};
use serde::Deserialize;
use std::borrow::Cow;

/// A reader of Codex's output stream.
pub(crate) fn codex_stream(context: TranscriptContext) -> Box<dyn Transcript> {
    Box::new(StreamReader::<Stream>::new(context))
}

#[derive(Default)]
struct Stream {
    /// What of the thread's sum is counted.
    counted: Tokens,
    model: Option<String>,
    /// The thread, until it is told. That waits for the turn to be at work: by then the hook has
    /// told it, with more about it.
    thread: Option<String>,
    at_work: bool,
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

impl Record for Stream {
    fn at(offset: u64, baseline: &Usage) -> Self {
        Self {
            counted: tokens_of(baseline),
            model: baseline.model.clone(),
            thread: None,
            at_work: offset > 0,
        }
    }

    fn take(&mut self, record: &[u8], totals: &mut Totals, observed: &mut Vec<Observation>) {
        let Ok(line) = serde_json::from_slice::<Line<'_>>(record) else {
            log::debug!(bytes = record.len(); "A line of the output stream is no record.");
            return;
        };
        if self.at_work {
            self.tell_thread(observed);
        }
        match &*line.kind {
            "thread.started" => self.thread = line.thread_id,
            "turn.started" => self.at_work = true,
            "item.completed" => item(line.item, observed),
            "turn.completed" => {
                self.tokens(line.usage.unwrap_or_default(), totals);
                ended(None, observed);
            }
            "turn.failed" => {
                let failure = line.error.unwrap_or_default();
                ended(Some(failure.sentence()), observed);
            }
            _ => {}
        }
    }

    fn model_is(&mut self, model: &str) {
        self.model = Some(model.to_owned());
    }
}

impl Stream {
    fn tell_thread(&mut self, observed: &mut Vec<Observation>) {
        if let Some(session_id) = self.thread.take() {
            observed.push(Observation::Session {
                session_id,
                cli_version: None,
                model: self.model.clone(),
            });
        }
    }

    fn tokens(&mut self, usage: TokenUsage, totals: &mut Totals) {
        let model = self.model.as_deref();
        if let Some(model) = model {
            totals.answered_by(model);
        }
        let grown = minus(usage.buckets(), self.counted);
        self.counted = plus(self.counted, grown);
        totals.grew(model, grown);
    }
}

fn item(item: Option<Item<'_>>, observed: &mut Vec<Observation>) {
    let Some(item) = item.filter(|item| item.kind == "agent_message") else {
        return;
    };
    if let Some(text) = item.text.filter(|text| !text.is_empty()) {
        let message_id = item.id;
        observed.push(Observation::Message { text, message_id });
    }
}

fn ended(failure: Option<String>, observed: &mut Vec<Observation>) {
    let turn_id = None;
    observed.push(Observation::Ended { failure, turn_id });
}
