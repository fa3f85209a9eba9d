//! Tokens and costs of a run, and how much of the cost is known.

use super::event::CostSource;
use serde::Serialize;
use utoipa::ToSchema;

/// Totals of a run so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage {
    /// Input tokens outside caches.
    pub tokens_in: u64,
    /// Output tokens.
    pub tokens_out: u64,
    /// Input tokens read from a cache.
    pub tokens_cache_read: u64,
    /// Input tokens written to a cache.
    pub tokens_cache_write: u64,
    /// US dollars.
    pub cost_usd: f64,
    /// Where the cost comes from; estimated when none.
    pub cost_source: Option<CostSource>,
    /// Tokens whose price is not known; they are not in the cost.
    pub unknown_tokens: u64,
    /// Day of the prices of an estimate.
    pub prices_as_of: Option<String>,
    /// The model that answered last.
    pub model: Option<String>,
    /// Time of the turns in milliseconds.
    pub duration_ms: u64,
    /// Bytes of the transcript read for these totals.
    pub transcript_offset: u64,
}

/// The cost so far. Tokens without a known price make it unknown.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = CostView)]
pub struct Cost<'u> {
    /// US dollars; null when unknown.
    #[schema(required)]
    pub usd: Option<f64>,
    /// The part that is known.
    known_usd: f64,
    source: Source,
    /// Day of the prices of an estimate, when the price table has one.
    #[schema(required, format = Date)]
    prices_as_of: Option<&'u str>,
}

/// Source of a cost: the CLI, our price table, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CostSourceView)]
enum Source {
    Reported,
    Estimated,
    Unknown,
}

impl Usage {
    /// The cost of these totals. Tokens without a price make it unknown, as does a CLI that reports
    /// no tokens.
    #[must_use]
    pub fn cost(&self) -> Cost<'_> {
        let source = match self.cost_source {
            None => Source::Unknown,
            Some(_) if self.unknown_tokens > 0 || self.was_unknown() => Source::Unknown,
            Some(CostSource::Reported) => Source::Reported,
            Some(CostSource::Estimated) => Source::Estimated,
        };
        Cost {
            usd: (source != Source::Unknown).then_some(self.cost_usd),
            known_usd: self.cost_usd,
            source,
            prices_as_of: self.prices_as_of.as_deref(),
        }
    }

    /// Totals of events without `unknown_tokens`: an estimate of zero for some tokens.
    fn was_unknown(&self) -> bool {
        let tokens = [
            self.tokens_in,
            self.tokens_out,
            self.tokens_cache_read,
            self.tokens_cache_write,
        ];
        let is_old = self.cost_source == Some(CostSource::Estimated) && self.prices_as_of.is_none();
        is_old && self.cost_usd <= 0.0 && tokens.iter().any(|count| *count > 0)
    }
}
