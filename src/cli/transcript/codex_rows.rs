//! The parts of Codex's records that are read, of its rollout and of its output stream; all other
//! fields and records are passed over without being built.

use super::totals::Tokens;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use std::borrow::Cow;

/// One record of a rollout.
#[derive(Deserialize)]
pub(super) struct Row<'a> {
    #[serde(rename = "type", borrow, default)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) payload: Option<&'a RawValue>,
}

/// What is said of a thread at its beginning.
#[derive(Deserialize)]
pub(super) struct Meta {
    pub(super) forked_from_id: Option<String>,
}

/// What is said of a turn at its beginning.
#[derive(Deserialize)]
pub(super) struct Turn {
    pub(super) model: Option<String>,
}

/// A record of what happened in the thread.
#[derive(Deserialize)]
pub(super) struct Event<'a> {
    #[serde(rename = "type", borrow, default)]
    pub(super) kind: Cow<'a, str>,
    pub(super) turn_id: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) duration_ms: Option<f64>,
    pub(super) error: Option<Failure>,
    pub(super) info: Option<Info>,
    #[serde(borrow)]
    pub(super) item: Option<&'a RawValue>,
}

/// Tokens of the thread so far, and of its last answer.
#[derive(Deserialize)]
pub(super) struct Info {
    pub(super) total_token_usage: TokenUsage,
    pub(super) last_token_usage: TokenUsage,
}

/// A whole item of the conversation.
#[derive(Deserialize)]
pub(super) struct Item<'a> {
    #[serde(rename = "type", borrow, default)]
    pub(super) kind: Cow<'a, str>,
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) content: Vec<Piece>,
    #[serde(default)]
    pub(super) receiver_thread_ids: Vec<String>,
}

/// A part of a message.
#[derive(Deserialize)]
pub(super) struct Piece {
    pub(super) text: Option<String>,
}

/// Why a turn failed, in a rollout as in an output stream.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Failure {
    message: String,
}

/// Token counts: the input holds what was read from a cache and what was written to one.
#[derive(Deserialize, Default, Clone, Copy)]
#[serde(default)]
pub(super) struct TokenUsage {
    input_tokens: u64,
    cached_input_tokens: u64,
    cache_write_input_tokens: u64,
    output_tokens: u64,
}

impl TokenUsage {
    /// The four buckets of the price table, none a part of another.
    pub(super) const fn buckets(self) -> Tokens {
        let (read, write) = (self.cached_input_tokens, self.cache_write_input_tokens);
        let fresh = self.input_tokens.saturating_sub(read.saturating_add(write));
        [fresh, self.output_tokens, read, write]
    }
}

impl Failure {
    /// A sentence for people: the message inside the API's answer, when it is one.
    pub(super) fn sentence(self) -> String {
        let answer: Option<Value> = serde_json::from_str(&self.message).ok();
        let inner = answer
            .as_ref()
            .and_then(|answer| answer.pointer("/error/message"));
        let said = inner.and_then(Value::as_str).unwrap_or(&self.message);
        if said.trim().is_empty() {
            return "Codex could not continue and gave no reason".to_owned();
        }
        said.trim().to_owned()
    }
}
