//! Gemini CLI's chat file and its output stream.

use super::{
    follow::{FileReader, Record, StreamReader},
    report::Report,
    totals::{Tokens, Totals},
};
use crate::cli::{Transcript, TranscriptContext};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What Gemini notes when a person stopped the turn.
const CANCELLED: &str = "Request cancelled.";

/// A reader of its chat file.
#[must_use]
pub(crate) fn gemini_chat(context: TranscriptContext) -> Box<dyn Transcript> {
    Box::new(FileReader::<Chat>::new(context))
}

/// A reader of its output stream.
#[must_use]
pub(crate) fn gemini_stream(context: TranscriptContext) -> Box<dyn Transcript> {
    Box::new(StreamReader::<Stream>::new(context))
}

/// Records of the chat: a message is written again when its tools are done.
#[derive(Default)]
struct Chat;

#[derive(Deserialize)]
struct Message {
    id: Option<String>,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    content: Value,
    model: Option<String>,
    tokens: Option<ChatTokens>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ChatTokens {
    input: u64,
    output: u64,
    cached: u64,
    thoughts: u64,
}

impl Record for Chat {
    type Row<'a> = Message;

    fn take(&mut self, message: Message, report: &mut Report) {
        match &*message.kind {
            "gemini" => answered(message, report),
            "info" if message.content == CANCELLED => report.interrupted(None),
            "error" => {
                let said = message.content.as_str().unwrap_or_default();
                report.ended(Some(format!("Gemini could not continue: {said}")), None);
            }
            _ => {}
        }
    }
}

fn answered(message: Message, report: &mut Report) {
    let totals = &mut report.totals;
    let (Some(id), Some(tokens)) = (message.id, message.tokens) else {
        return;
    };
    if totals.knows(&id) {
        return;
    }
    let model = message.model.as_deref();
    let tokens: Tokens = [
        tokens.input.saturating_sub(tokens.cached),
        tokens.output.saturating_add(tokens.thoughts),
        tokens.cached,
        0,
    ];
    totals.count(&id, model, tokens);
    totals.answered_by(model);
    let text = match message.content {
        Value::String(text) => text,
        Value::Array(parts) => parts.iter().filter_map(|it| it["text"].as_str()).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    };
    report.message(text, Some(id));
}

/// Records of the stream. Text comes in pieces, which end where anything else begins.
#[derive(Default)]
struct Stream {
    text: String,
    model: Option<String>,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type", default)]
    kind: String,
    session_id: Option<String>,
    model: Option<String>,
    role: Option<String>,
    content: Option<String>,
    status: Option<String>,
    error: Option<Failure>,
    stats: Option<Stats>,
}

#[derive(Deserialize)]
struct Failure {
    message: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Stats {
    output_tokens: u64,
    /// Outside the cache.
    input: u64,
    cached: u64,
    duration_ms: Option<f64>,
    models: BTreeMap<String, ModelStats>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ModelStats {
    output_tokens: u64,
    input: u64,
    cached: u64,
}

impl Record for Stream {
    type Row<'a> = Line;

    fn take(&mut self, line: Line, report: &mut Report) {
        if line.kind == "message" && line.role.as_deref() == Some("assistant") {
            let text = line.content.unwrap_or_default();
            self.text.push_str(&text);
            report.token(text, None);
            return;
        }
        report.message(std::mem::take(&mut self.text), None);
        match &*line.kind {
            "init" => {
                self.model.clone_from(&line.model);
                if let Some(session_id) = line.session_id {
                    report.session(session_id, None, line.model);
                }
            }
            "result" => {
                self.count(&line.stats.unwrap_or_default(), &mut report.totals);
                let failed = line.status.as_deref() != Some("success");
                let said = line.error.and_then(|error| error.message);
                let said = said.unwrap_or_else(|| "Gemini could not continue".to_owned());
                report.ended(failed.then_some(said), None);
            }
            _ => {}
        }
    }
}

impl Stream {
    /// The sums of the process, which come once, at its end.
    fn count(&self, stats: &Stats, totals: &mut Totals) {
        totals.took(stats.duration_ms);
        totals.answered_by(self.model.as_deref());
        if stats.models.is_empty() {
            let tokens = [stats.input, stats.output_tokens, stats.cached, 0];
            totals.grew(self.model.as_deref(), tokens);
        }
        for (model, sum) in &stats.models {
            totals.grew(Some(model), [sum.input, sum.output_tokens, sum.cached, 0]);
        }
    }
}
