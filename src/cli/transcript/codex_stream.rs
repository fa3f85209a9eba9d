//! Codex's output stream in headless mode: JSON lines among whatever else a terminal is sent.
//!
//! Tokens come with the end of a turn that went well, as running sums of the thread, resumes
//! included; a headless run has one thread, so they are the run's. The stream does not name its
//! model. Errors on the way are retries and warnings: only the end of the turn tells a failure.

use super::{
    codex_rows::{Failure, TokenUsage},
    follow::{Record, StreamReader},
    report::Report,
    totals::{Tokens, Totals, minus, plus, tokens_of},
};
use crate::cli::{Transcript, TranscriptContext};
use crate::domain::run::command::Usage;
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
    /// The thread, until it is reported. That waits for the turn to be at work: by then the hook has
    /// reported it, with more about it.
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
    type Row<'a> = Line<'a>;

    fn at(offset: u64, baseline: &Usage) -> Self {
        Self {
            counted: tokens_of(baseline),
            model: baseline.model.clone(),
            thread: None,
            at_work: offset > 0,
        }
    }

    fn take(&mut self, line: Line<'_>, report: &mut Report) {
        if self.at_work
            && let Some(session_id) = self.thread.take()
        {
            report.session(session_id, None, self.model.clone());
        }
        match &*line.kind {
            "thread.started" => self.thread = line.thread_id,
            "turn.started" => self.at_work = true,
            "item.completed" => {
                if let Some(item) = line.item.filter(|item| item.kind == "agent_message") {
                    report.message(item.text.unwrap_or_default(), item.id);
                }
            }
            "turn.completed" => {
                self.tokens(line.usage.unwrap_or_default(), &mut report.totals);
                report.ended(None, None);
            }
            "turn.failed" => {
                let failure = line.error.unwrap_or_default();
                report.ended(Some(failure.sentence()), None);
            }
            _ => {}
        }
    }

    fn model_is(&mut self, model: &str) {
        self.model = Some(model.to_owned());
    }
}

impl Stream {
    fn tokens(&mut self, usage: TokenUsage, totals: &mut Totals) {
        let model = self.model.as_deref();
        totals.answered_by(model);
        let grown = minus(usage.buckets(), self.counted);
        self.counted = plus(self.counted, grown);
        totals.grew(model, grown);
    }
}
