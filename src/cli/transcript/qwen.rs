//! Qwen Code's chat file and its output stream.
//!
//! The stream is Claude's in form, but tokens stand with the last answer of a process and, as a
//! sum, in its result. The sum of a resumed process counts what was counted before, some of it
//! more than once: there the last answer's tokens are all that is taken.

use super::{
    follow::{FileReader, Record, StreamReader},
    rows::milliseconds,
    totals::{Tokens, Totals},
};
use crate::cli::{Transcript, TranscriptContext};
use crate::domain::run::command::Observation;
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
    fn take(&mut self, record: &[u8], totals: &mut Totals, observed: &mut Vec<Observation>) {
        let Ok(row) = serde_json::from_slice::<Row>(record) else {
            return;
        };
        if row.kind != "assistant" {
            return;
        }
        let model = row.model.as_deref();
        if let (Some(id), Some(tokens)) = (&row.uuid, row.usage_metadata) {
            let cached = tokens.cached_content_token_count;
            let fresh = tokens.prompt_token_count.saturating_sub(cached);
            totals.count(id, model, [fresh, tokens.candidates_token_count, cached, 0]);
        }
        if let Some(model) = model {
            totals.answered_by(model);
        }
        let parts = row.message.map_or_else(Vec::new, |message| message.parts);
        let said = parts.into_iter().filter(|part| !part.thought);
        let text: String = said.filter_map(|part| part.text).collect();
        if !text.is_empty() {
            let message_id = row.uuid;
            observed.push(Observation::Message { text, message_id });
        }
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
    fn take(&mut self, record: &[u8], totals: &mut Totals, observed: &mut Vec<Observation>) {
        let Ok(line) = serde_json::from_slice::<Line>(record) else {
            return;
        };
        let own = line.parent_tool_use_id.is_none();
        match (&*line.kind, line.subtype.as_deref()) {
            ("system", Some("init")) => {
                let (cli_version, model) = (line.qwen_code_version, line.model);
                observed.extend(line.session_id.map(|session_id| Observation::Session {
                    session_id,
                    cli_version,
                    model,
                }));
            }
            ("stream_event", _) if own => self.event(line.event, observed),
            ("assistant", _) => answered(line.message, own, totals, observed),
            ("result", _) => ended(line, totals, observed),
            _ => {}
        }
    }
}

impl Stream {
    fn event(&mut self, event: Option<Event>, observed: &mut Vec<Observation>) {
        let Some(event) = event else { return };
        if let Some(message) = event.message {
            self.message = message.id;
        }
        let delta = event.delta.filter(|delta| delta.kind == "text_delta");
        if let Some(text) = delta.and_then(|delta| delta.text) {
            let message_id = self.message.clone();
            observed.push(Observation::Token { text, message_id });
        }
    }
}

fn answered(
    message: Option<Message>,
    own: bool,
    totals: &mut Totals,
    observed: &mut Vec<Observation>,
) {
    let Some(message) = message else { return };
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
    if let Some(model) = model {
        totals.answered_by(model);
    }
    let blocks: Vec<Block> = serde_json::from_value(message.content).unwrap_or_default();
    let texts = blocks.into_iter().filter(|block| block.kind == "text");
    for text in texts.filter_map(|block| block.text) {
        if !text.is_empty() && !text.starts_with(API_ERROR) {
            let message_id = message.id.clone();
            observed.push(Observation::Message { text, message_id });
        }
    }
}

fn ended(line: Line, totals: &mut Totals, observed: &mut Vec<Observation>) {
    let (_, earlier) = totals.sums();
    if earlier == 0 {
        totals.at_least(line.usage.unwrap_or_default().buckets());
    }
    totals.took(milliseconds(line.duration_ms.unwrap_or(0.0)));
    let said = line.error.and_then(|error| error.message).or(line.result);
    let said = said.unwrap_or_else(|| "Qwen could not go on".to_owned());
    let failed = line.is_error == Some(true) || said.starts_with(API_ERROR);
    let failure = failed.then_some(said);
    let turn_id = None;
    observed.push(Observation::Ended { failure, turn_id });
}
