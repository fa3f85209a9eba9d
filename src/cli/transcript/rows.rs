//! The parts of Claude's records that are read. Both its transcript and its output stream hold the
//! API's own messages; all other fields and records are passed over without being built.

use super::totals::Tokens;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// How Claude marks messages that no model wrote.
const SYNTHETIC: &str = "<synthetic>";

/// One record of a transcript.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row<'a> {
    #[serde(rename = "type", borrow, default)]
    pub(super) kind: Cow<'a, str>,
    pub(super) subtype: Option<String>,
    pub(super) is_sidechain: Option<bool>,
    #[serde(borrow)]
    pub(super) message: Option<&'a RawValue>,
    pub(super) duration_ms: Option<f64>,
    #[serde(rename = "totalCostUSD")]
    pub(super) total_cost_usd: Option<f64>,
    #[serde(borrow)]
    pub(super) model_usage: Option<&'a RawValue>,
}

/// A message of the API.
#[derive(Deserialize)]
pub(super) struct Message<'a> {
    pub(super) id: Option<String>,
    pub(super) model: Option<String>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    pub(super) usage: Option<TokenUsage>,
}

/// Token counts; a part that is absent is not known yet.
#[derive(Deserialize, Default, Clone, Copy)]
pub(super) struct TokenUsage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
}

/// Token counts of one model, as Claude sums them up.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ModelUsage {
    input_tokens: u64,
    output_tokens: u64,
    cache_read_input_tokens: u64,
    cache_creation_input_tokens: u64,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    text: Option<String>,
}

impl Message<'_> {
    /// True when no model wrote it.
    pub(super) fn is_synthetic(&self) -> bool {
        self.model.as_deref() == Some(SYNTHETIC)
    }

    /// Its texts, without thinking, tool calls and tool results.
    pub(super) fn texts(&self) -> Vec<String> {
        let Some(content) = self.content.map(RawValue::get) else {
            return Vec::new();
        };
        if content.starts_with('"') {
            return serde_json::from_str(content).into_iter().collect();
        }
        let blocks: Vec<Block<'_>> = serde_json::from_str(content).unwrap_or_default();
        let texts = blocks.into_iter().filter(|block| block.kind == "text");
        texts
            .filter_map(|block| block.text)
            .filter(|text| !text.is_empty())
            .collect()
    }

    /// Whether the raw content holds this text somewhere: a cheap look before a full one.
    pub(super) fn may_say(&self, text: &str) -> bool {
        self.content
            .is_some_and(|content| content.get().contains(text))
    }
}

impl ModelUsage {
    pub(super) const fn buckets(&self) -> Tokens {
        [
            self.input_tokens,
            self.output_tokens,
            self.cache_read_input_tokens,
            self.cache_creation_input_tokens,
        ]
    }
}

impl TokenUsage {
    /// These counts, with `before` where they say nothing.
    pub(super) fn over(self, before: Tokens) -> Tokens {
        [
            self.input_tokens.unwrap_or(before[0]),
            self.output_tokens.unwrap_or(before[1]),
            self.cache_read_input_tokens.unwrap_or(before[2]),
            self.cache_creation_input_tokens.unwrap_or(before[3]),
        ]
    }
}
