//! Tokens and costs of a run.

use super::event::CostSource;

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
