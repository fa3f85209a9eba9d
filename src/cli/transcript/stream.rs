//! Claude's output stream in headless mode: JSON lines among whatever else a terminal is sent.
//!
//! Everything about the turn comes from here: the session, text as it streams, whole messages,
//! tokens and the cost that Claude reports at the end. Failures show in `is_error` alone: an API
//! failure has the subtype `success`.
//!
//! What Claude reports at the end is the sum of the process. A new reader therefore reads the part
//! before its offset once more, reports nothing of it, and subtracts what it finds from the totals.
//! Tokens of subagents come with that sum only: their messages are not streamed.

use super::{
    lines::{Lines, parsed, record},
    report::Report,
    rows::{Message, ModelUsage, TokenUsage},
    totals::{Tokens, Totals, plus, sum},
};
use crate::cli::{Transcript, TranscriptContext};
use crate::domain::run::command::{Observation, Usage};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;

/// Subagents whose messages may be open at once; more are forgotten, their tokens still come with
/// the end of the turn.
const OPEN_MESSAGES_MAX: usize = 256;

/// A reader of Claude's output stream.
pub(crate) struct ClaudeStream {
    lines: Lines,
    progress: Progress,
    told: Usage,
    /// Bytes of the part that was reported and is not read again yet.
    again: usize,
}

struct Progress {
    report: Report,
    /// The message that is being streamed, by the tool call it is for (none: the agent itself).
    open: HashMap<Option<String>, Open>,
}

struct Open {
    id: String,
    model: Option<String>,
    tokens: Tokens,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    subtype: Option<String>,
    session_id: Option<String>,
    model: Option<String>,
    claude_code_version: Option<String>,
    parent_tool_use_id: Option<String>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct StreamEvent<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    delta: Option<Delta>,
    usage: Option<TokenUsage>,
}

#[derive(Deserialize)]
struct Delta {
    #[serde(rename = "type", default)]
    kind: String,
    text: Option<String>,
}

#[derive(Deserialize)]
struct Outcome {
    is_error: Option<bool>,
    subtype: Option<String>,
    result: Option<String>,
    #[serde(default)]
    errors: Vec<String>,
    total_cost_usd: Option<f64>,
    duration_ms: Option<f64>,
    usage: Option<TokenUsage>,
    #[serde(default, rename = "modelUsage")]
    model_usage: HashMap<String, ModelUsage>,
}

impl ClaudeStream {
    /// Goes on where the context says.
    #[must_use]
    pub(crate) fn new(context: TranscriptContext) -> Self {
        let again = usize::try_from(context.offset).unwrap_or(usize::MAX);
        let found = Usage::default();
        let totals = if again > 0 { &found } else { &context.baseline };
        let totals = Totals::new(context.prices, totals);
        Self {
            lines: Lines::at(0),
            progress: Progress {
                report: Report::new(totals),
                open: HashMap::new(),
            },
            told: context.baseline,
            again,
        }
    }

    /// Takes what was reported before, and returns what comes after it.
    fn read_again<'a>(&mut self, output: &'a [u8]) -> &'a [u8] {
        if self.again == 0 {
            return output;
        }
        let (told, new) = output.split_at(self.again.min(output.len()));
        let Self {
            lines, progress, ..
        } = self;
        lines.feed(told, |line| progress.line(line));
        progress.report.forget();
        self.again -= told.len();
        if self.again == 0 {
            progress.report.told_before(&self.told);
        }
        new
    }
}

impl Transcript for ClaudeStream {
    fn passed_over(&mut self, bytes: u64) {
        self.lines.pass_over(bytes);
        if self.again > 0 {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            self.again = self.again.saturating_sub(bytes);
            if self.again == 0 {
                self.progress.report.told_before(&self.told);
            }
        }
    }

    fn feed(&mut self, output: &[u8]) -> Vec<Observation> {
        let output = self.read_again(output);
        if self.again > 0 {
            return Vec::new();
        }
        let Self {
            lines,
            progress,
            told,
            ..
        } = self;
        lines.feed(output, |line| progress.line(line));
        progress.report.take(told, lines.consumed())
    }
}

impl Progress {
    fn line(&mut self, line: &[u8]) {
        let Some(record) = record(line) else { return };
        let Some(line) = parsed::<Line<'_>>(record) else {
            return;
        };
        match (&*line.kind, line.subtype.as_deref()) {
            ("system", Some("init")) => self.session(line),
            ("stream_event", _) => self.event(line),
            ("assistant", _) => self.assistant(line),
            ("result", _) => {
                if let Ok(outcome) = serde_json::from_slice(record) {
                    self.result(outcome);
                }
            }
            _ => {}
        }
    }

    fn session(&mut self, line: Line<'_>) {
        let Some(session_id) = line.session_id else {
            return;
        };
        self.report.totals.answered_by(line.model.as_deref());
        self.report
            .session(session_id, line.claude_code_version, line.model);
    }

    fn event(&mut self, line: Line<'_>) {
        let event = line
            .event
            .and_then(|raw| serde_json::from_str::<StreamEvent<'_>>(raw.get()).ok());
        let Some(event) = event else { return };
        let of = line.parent_tool_use_id;
        match &*event.kind {
            "message_start" => {
                let message = event
                    .message
                    .and_then(|raw| serde_json::from_str(raw.get()).ok());
                let Some(Message {
                    id: Some(id),
                    model,
                    usage,
                    ..
                }) = message
                else {
                    return;
                };
                let tokens = usage.unwrap_or_default().over([0; 4]);
                if self.open.len() >= OPEN_MESSAGES_MAX {
                    self.open.clear();
                }
                self.open.insert(of, Open { id, model, tokens });
            }
            "content_block_delta" => {
                let delta = event
                    .delta
                    .filter(|delta| delta.kind == "text_delta" && of.is_none());
                if let Some(text) = delta.and_then(|delta| delta.text) {
                    let message_id = self.open.get(&of).map(|open| open.id.clone());
                    self.report.token(text, message_id);
                }
            }
            "message_delta" => {
                let (Some(open), Some(usage)) = (self.open.get_mut(&of), event.usage) else {
                    return;
                };
                open.tokens = usage.over(open.tokens);
                self.report
                    .totals
                    .count(&open.id, open.model.as_deref(), open.tokens);
            }
            "message_stop" => {
                self.open.remove(&of);
            }
            _ => {}
        }
    }

    fn assistant(&mut self, line: Line<'_>) {
        let message = line
            .message
            .and_then(|raw| serde_json::from_str::<Message<'_>>(raw.get()).ok());
        let Some(message) = message.filter(|message| !message.is_synthetic()) else {
            return;
        };
        // Here usage is that of the message's start: good enough for one that was not streamed.
        if let (Some(id), Some(usage)) = (&message.id, message.usage)
            && !self.report.totals.knows(id)
        {
            self.report
                .totals
                .count(id, message.model.as_deref(), usage.over([0; 4]));
        }
        if line.parent_tool_use_id.is_some() {
            return;
        }
        self.report.totals.answered_by(message.model.as_deref());
        for text in message.texts() {
            self.report.message(text, message.id.clone());
        }
    }

    fn result(&mut self, outcome: Outcome) {
        self.report
            .totals
            .at_least(outcome.usage.unwrap_or_default().over([0; 4]));
        // Newer versions report the sums over all resumes, older ones those of this process; the
        // tokens tell which.
        let models = outcome.model_usage.values();
        let told = models.fold([0; 4], |sum, usage| plus(sum, usage.buckets()));
        let (present, earlier) = self.report.totals.sums();
        let whole_run = sum(told) > present.saturating_add(earlier / 2);
        if whole_run {
            self.report.totals.at_least_of_run(told);
        } else {
            self.report.totals.at_least(told);
        }
        if let Some(dollars) = outcome.total_cost_usd.filter(|dollars| *dollars >= 0.0) {
            if whole_run {
                self.report.totals.reported_run(dollars, told);
            } else {
                self.report.totals.reported(dollars);
            }
        }
        self.report.totals.took(outcome.duration_ms);
        let failure = outcome
            .is_error
            .unwrap_or(false)
            .then(|| outcome.sentence());
        self.report.ended(failure, None);
    }
}

impl Outcome {
    fn sentence(&self) -> String {
        if let Some(said) = self.result.as_ref().filter(|said| !said.trim().is_empty()) {
            return said.clone();
        }
        if !self.errors.is_empty() {
            return self.errors.join("; ");
        }
        let kind = self
            .subtype
            .as_deref()
            .unwrap_or("unknown error")
            .replace('_', " ");
        format!("Claude could not continue: {kind}")
    }
}
