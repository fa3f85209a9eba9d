//! What a run cost, and how far that is known.

use super::{command::Usage, event::CostSource};
use serde::Serialize;

/// The cost of a run so far.
#[derive(Debug, PartialEq, Serialize)]
pub struct Cost<'u> {
    /// US dollars; none when a part of it is not known.
    pub usd: Option<f64>,
    /// The part that is known.
    known_usd: f64,
    source: &'static str,
    /// Day of the prices of an estimate, when the price table has one.
    prices_as_of: Option<&'u str>,
}

impl Usage {
    /// The cost of these totals. Tokens without a price make it unknown, and so does a CLI that told
    /// of none.
    #[must_use]
    pub fn cost(&self) -> Cost<'_> {
        let source = match self.cost_source {
            None => "unknown",
            Some(_) if self.unknown_tokens > 0 || self.was_unknown() => "unknown",
            Some(CostSource::Reported) => "reported",
            Some(CostSource::Estimated) => "estimated",
        };
        Cost {
            usd: (source != "unknown").then_some(self.cost_usd),
            known_usd: self.cost_usd,
            source,
            prices_as_of: self.prices_as_of.as_deref(),
        }
    }

    /// Totals of before `unknown_tokens` was told: an estimate of nothing for tokens.
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
