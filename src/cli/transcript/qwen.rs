//! Qwen Code's chat file and its output stream.
//!
//! The stream is Claude's in form, but tokens stand with the last answer of a process and, as a
//! sum, in its result. The sum of a resumed process counts what was counted before, some of it
//! more than once: there the last answer's tokens are all that is taken.

use super::{
    follow::{FileReader, Record, StreamReader},
    report::Report,
    totals::Tokens,
};
use crate::cli::{Transcript, TranscriptContext};
use serde::Deserialize;

/// How Qwen begins the answer that it makes up for a request that failed.
const API_ERROR: &str = "[API Error:";

/// A reader of its chat file.
#[must_use]
pub(crate) fn qwen_chat(context: TranscriptContext) -> Box<dyn Transcript> {
    Box::new(FileReader::<Chat>::new(context))
}

/// A reader of its output stream.
#[must_use]
pub(crate) fn qwen_stream(context: TranscriptContext) -> Box<dyn Transcript> {
    Box::new(StreamReader::<Stream>::new(context))
}

/// Records of the chat: each answer is written once.
#[derive(Default)]
struct Chat;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(rename = "type", default)]
    kind: String,
    uuid: Option<String>,
    model: Option<String>,
    message: Option<Content>,
    usage_metadata: Option<ChatTokens>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    text: Option<String>,
    #[serde(default)]
    thought: bool,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ChatTokens {
    prompt_token_count: u64,
    candidates_token_count: u64,
    cached_content_token_count: u64,
}

impl Record for Chat {
    type Row<'a> = Row;

    fn take(&mut self, row: Row, report: &mut Report) {
        if row.kind != "assistant" {
            return;
        }
        let totals = &mut report.totals;
        let model = row.model.as_deref();
        if let (Some(id), Some(tokens)) = (&row.uuid, row.usage_metadata) {
            let cached = tokens.cached_content_token_count;
            let fresh = tokens.prompt_token_count.saturating_sub(cached);
            totals.count(id, model, [fresh, tokens.candidates_token_count, cached, 0]);
        }
        totals.answered_by(model);
        let parts = row.message.map_or_else(Vec::new, |message| message.parts);
        let said = parts.into_iter().filter(|part| !part.thought);
        let text: String = said.filter_map(|part| part.text).collect();
        report.message(text, row.uuid);
    }
}

/// Records of the stream.
#[derive(Default)]
struct Stream {
    message: Option<String>,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type", default)]
    kind: String,
    subtype: Option<String>,
    session_id: Option<String>,
    model: Option<String>,
    qwen_code_version: Option<String>,
    parent_tool_use_id: Option<String>,
    event: Option<Event>,
    message: Option<Message>,
    is_error: Option<bool>,
    result: Option<String>,
    error: Option<Failure>,
    usage: Option<StreamTokens>,
    duration_ms: Option<f64>,
}

#[derive(Deserialize)]
struct Failure {
    message: Option<String>,
}

#[derive(Deserialize)]
struct Event {
    message: Option<Message>,
    delta: Option<Block>,
}

#[derive(Deserialize)]
struct Message {
    id: Option<String>,
    model: Option<String>,
    #[serde(default)]
    content: serde_json::Value,
    usage: Option<StreamTokens>,
}

#[derive(Deserialize)]
struct Block {
    #[serde(rename = "type", default)]
    kind: String,
    text: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct StreamTokens {
    input_tokens: u64,
    output_tokens: u64,
    cache_read_input_tokens: u64,
}

impl StreamTokens {
    const fn buckets(&self) -> Tokens {
        let fresh = self
            .input_tokens
            .saturating_sub(self.cache_read_input_tokens);
        [fresh, self.output_tokens, self.cache_read_input_tokens, 0]
    }
}

impl Record for Stream {
    type Row<'a> = Line;

    fn take(&mut self, line: Line, report: &mut Report) {
        let own = line.parent_tool_use_id.is_none();
        match (&*line.kind, line.subtype.as_deref()) {
            ("system", Some("init")) => {
                if let Some(session_id) = line.session_id {
                    report.session(session_id, line.qwen_code_version, line.model);
                }
            }
            ("stream_event", _) if own => self.event(line.event, report),
            ("assistant", _) => answered(line.message, own, report),
            ("result", _) => ended(line, report),
            _ => {}
        }
    }
}

impl Stream {
    fn event(&mut self, event: Option<Event>, report: &mut Report) {
        let Some(event) = event else { return };
        if let Some(message) = event.message {
            self.message = message.id;
        }
        let delta = event.delta.filter(|delta| delta.kind == "text_delta");
        if let Some(text) = delta.and_then(|delta| delta.text) {
            report.token(text, self.message.clone());
        }
    }
}

fn answered(message: Option<Message>, own: bool, report: &mut Report) {
    let Some(message) = message else { return };
    let totals = &mut report.totals;
    let model = message.model.as_deref();
    let tokens = message.usage.unwrap_or_default().buckets();
    if let Some(id) = &message.id
        && tokens != [0; 4]
    {
        totals.count(id, model, tokens);
    }
    if !own {
        return;
    }
    totals.answered_by(model);
    let blocks: Vec<Block> = serde_json::from_value(message.content).unwrap_or_default();
    let texts = blocks.into_iter().filter(|block| block.kind == "text");
    for text in texts.filter_map(|block| block.text) {
        if !text.starts_with(API_ERROR) {
            report.message(text, message.id.clone());
        }
    }
}

fn ended(line: Line, report: &mut Report) {
    let totals = &mut report.totals;
    let (_, earlier) = totals.sums();
    if earlier == 0 {
        totals.at_least(line.usage.unwrap_or_default().buckets());
    }
    totals.took(line.duration_ms);
    let said = line.error.and_then(|error| error.message).or(line.result);
    let said = said.unwrap_or_else(|| "Qwen could not continue".to_owned());
    let failed = line.is_error == Some(true) || said.starts_with(API_ERROR);
    report.ended(failed.then_some(said), None);
}
