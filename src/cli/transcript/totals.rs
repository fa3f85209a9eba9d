//! Adds up tokens and cost of a run over messages, sessions and restarts.

use crate::domain::{
    run::{command::Usage, event::CostSource},
    settings::{ModelSettings, model_family},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// Tokens in the order of the price table: input, output, cache read, cache write.
pub(super) type Tokens = [u64; 4];

/// Costs are rounded to this part of a dollar, so that the order of additions does not show.
const PER_DOLLAR: f64 = 1e8;

/// A message that was counted.
struct Counted {
    tokens: Tokens,
    session: u32,
    price: Option<f64>,
}

impl Counted {
    /// Its tokens, when they have no price.
    fn unknown(&self) -> u64 {
        self.price.map_or(sum(self.tokens), |_| 0)
    }
}

/// Tokens by the model that they were used with.
pub(super) type ByModel = BTreeMap<String, Tokens>;

/// Totals of a run: what earlier sessions used, and the present one.
pub(super) struct Totals {
    prices: Arc<ModelSettings>,
    source_before: Option<CostSource>,
    /// Sessions before the present one.
    earlier: Tokens,
    earlier_cost: f64,
    earlier_unknown: u64,
    earlier_reported: bool,
    earlier_ms: u64,
    /// The present session.
    session: u32,
    tokens: Tokens,
    /// Those of messages, by the name of their model without its date.
    by_model: ByModel,
    /// What the CLI itself said this session cost, at its last word on it.
    reported: Option<f64>,
    /// Estimate of what came after that word, or was left out of it.
    since: f64,
    /// Tokens without a price that are not in that word.
    unknown: u64,
    since_messages: bool,
    ms: u64,
    model: Option<String>,
    /// By message id: records of one message repeat its usage, and a forked session repeats
    /// messages of the one before.
    counted: HashMap<String, Counted>,
}

impl Totals {
    /// Continues from totals that were reported before.
    pub(super) fn new(prices: Arc<ModelSettings>, baseline: &Usage) -> Self {
        Self {
            prices,
            source_before: baseline.cost_source,
            earlier: tokens_of(baseline),
            earlier_cost: baseline.cost_usd,
            earlier_unknown: baseline.unknown_tokens,
            earlier_reported: baseline.cost_source == Some(CostSource::Reported),
            earlier_ms: baseline.duration_ms,
            session: 0,
            tokens: [0; 4],
            by_model: ByModel::new(),
            reported: None,
            since: 0.0,
            unknown: 0,
            since_messages: false,
            ms: 0,
            model: baseline.model.clone(),
            counted: HashMap::new(),
        }
    }

    /// The price table.
    pub(super) const fn prices(&self) -> &Arc<ModelSettings> {
        &self.prices
    }

    /// Says that the session read so far is a part of `baseline`, which was told before: only what
    /// is beyond it counts as earlier. The session is estimated by the present prices: without
    /// tokens beyond it another cost is no earlier one, but another price.
    pub(super) fn contained_in(&mut self, baseline: &Usage) {
        self.earlier = minus(tokens_of(baseline), self.tokens);
        self.earlier_cost = if self.earlier == [0; 4] {
            0.0
        } else {
            (baseline.cost_usd - self.session_cost()).max(0.0)
        };
        self.earlier_unknown = baseline.unknown_tokens.saturating_sub(self.unknown);
        self.earlier_reported = baseline.cost_source == Some(CostSource::Reported);
        self.earlier_ms = baseline.duration_ms.saturating_sub(self.ms);
        if self.model.is_none() {
            self.model.clone_from(&baseline.model);
        }
    }

    /// The present session is over; what follows is another one.
    pub(super) fn next_session(&mut self) {
        let reported = self.is_reported();
        self.earlier = plus(self.earlier, self.tokens);
        self.earlier_cost += self.session_cost();
        self.earlier_unknown = self.earlier_unknown.saturating_add(self.unknown);
        self.earlier_reported = reported;
        self.earlier_ms = self.earlier_ms.saturating_add(self.ms);
        self.session += 1;
        (self.tokens, self.reported, self.since, self.ms) = ([0; 4], None, 0.0, 0);
        (self.unknown, self.since_messages) = (0, false);
        self.by_model.clear();
    }

    /// Counts a message. Told again, its last word counts.
    pub(super) fn count(&mut self, id: &str, model: Option<&str>, tokens: Tokens) {
        let price = model.and_then(|model| self.prices.price(model, tokens));
        let before = self.counted.get(id);
        if before.is_some_and(|one| one.session != self.session || one.tokens == tokens) {
            return;
        }
        let counted = Counted {
            tokens,
            session: self.session,
            price,
        };
        let (old, old_price) = before.map_or(([0; 4], None), |one| (one.tokens, one.price));
        let old_unknown = before.map_or(0, Counted::unknown);
        // A word of the CLI may have covered the old ones.
        self.unknown = match counted.unknown().checked_sub(old_unknown) {
            Some(more) => self.unknown.saturating_add(more),
            None => self.unknown.saturating_sub(old_unknown - counted.unknown()),
        };
        self.tokens = plus(minus(self.tokens, old), tokens);
        let of_model = self
            .by_model
            .entry(model_family(model.unwrap_or_default()).to_owned());
        let of_model = of_model.or_default();
        *of_model = plus(minus(*of_model, old), tokens);
        self.since += price.unwrap_or(0.0) - old_price.unwrap_or(0.0);
        self.since_messages = true;
        self.counted.insert(id.to_owned(), counted);
    }

    /// The CLI's own sum grew by these, which have the model's price.
    pub(super) fn grew(&mut self, model: Option<&str>, by: Tokens) {
        if by == [0; 4] {
            return;
        }
        self.tokens = plus(self.tokens, by);
        self.estimate(model, by);
    }

    /// Adds tokens that the CLI's word on the cost leaves out, by the price of their model.
    fn estimate(&mut self, model: Option<&str>, tokens: Tokens) {
        match model.and_then(|model| self.prices.price(model, tokens)) {
            Some(price) => self.since += price,
            None => self.unknown = self.unknown.saturating_add(sum(tokens)),
        }
        self.since_messages = true;
    }

    /// True when the message was counted.
    pub(super) fn knows(&self, id: &str) -> bool {
        self.counted.contains_key(id)
    }

    /// The model that answered last, when it is known.
    pub(super) fn answered_by(&mut self, model: Option<&str>) {
        if model.is_some() && self.model.as_deref() != model {
            self.model = model.map(str::to_owned);
        }
    }

    /// How long a turn took, in milliseconds, when it is known.
    pub(super) fn took(&mut self, ms: Option<f64>) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "such casts end at the bounds of u64, which is what is wanted"
        )]
        let ms = ms.unwrap_or(0.0) as u64;
        self.ms = self.ms.saturating_add(ms);
    }

    /// The CLI's own word on the cost of the present session so far, in dollars. What it is the cost
    /// of is not told: less than before cannot be all.
    pub(super) fn reported_at_least(&mut self, dollars: f64) {
        self.reported(self.reported.unwrap_or(0.0).max(dollars));
    }

    /// The CLI's own word on the cost of the present session, all of it, in dollars.
    pub(super) const fn reported(&mut self, dollars: f64) {
        self.reported = Some(dollars);
        self.since = 0.0;
        self.unknown = 0;
        self.since_messages = false;
    }

    /// The CLI's own word on the cost of the present session so far, which is that of the tokens
    /// in `covered`. A process that was killed told nothing of its part to the next one: tokens
    /// beyond `covered` are estimated.
    pub(super) fn reported_for(&mut self, dollars: f64, covered: &ByModel) {
        let left_out = self.left_out(covered);
        self.reported(dollars);
        for (model, tokens) in left_out {
            self.estimate(Some(&model), tokens);
        }
    }

    /// The CLI's own word on the cost of the whole run so far, which is that of so many tokens.
    pub(super) fn reported_run(&mut self, dollars: f64, covered: Tokens) {
        let left_out = minus(plus(self.earlier, self.tokens), covered);
        (self.earlier_cost, self.earlier_unknown) = (0.0, 0);
        self.reported(dollars);
        if left_out != [0; 4] {
            let model = self.model.clone();
            self.estimate(model.as_deref(), left_out);
        }
    }

    /// Tokens of the present session that are not in `covered`, by model.
    fn left_out(&self, covered: &ByModel) -> Vec<(String, Tokens)> {
        let mut theirs = ByModel::new();
        for (model, tokens) in covered {
            let sum = theirs.entry(model_family(model).to_owned()).or_default();
            *sum = plus(*sum, *tokens);
        }
        let all = |models: &ByModel| models.values().fold([0; 4], |sum, one| plus(sum, *one));
        // Where a model goes by a name that is not ours, no more than all of them can be missing.
        let named = self.by_model.keys().all(|model| theirs.contains_key(model));
        let mut most = minus(all(&self.by_model), all(&theirs));
        let mut left_out = Vec::new();
        for (model, ours) in &self.by_model {
            let mut beyond = minus(*ours, theirs.get(model).copied().unwrap_or_default());
            if !named {
                for (mine, most) in beyond.iter_mut().zip(&mut most) {
                    *mine = (*mine).min(*most);
                    *most -= *mine;
                }
            }
            if beyond != [0; 4] {
                left_out.push((model.clone(), beyond));
            }
        }
        left_out
    }

    /// No bucket of the whole run can be less than the CLI's own sum.
    pub(super) fn at_least_of_run(&mut self, tokens: Tokens) {
        self.at_least(minus(tokens, self.earlier));
    }

    /// No bucket of the present session can be less than the CLI's own sum.
    pub(super) fn at_least(&mut self, tokens: Tokens) {
        for (mine, theirs) in self.tokens.iter_mut().zip(tokens) {
            *mine = theirs.max(*mine);
        }
    }

    /// Tokens of the present session, and of all before it.
    pub(super) fn sums(&self) -> (u64, u64) {
        (sum(self.tokens), sum(self.earlier))
    }

    /// The totals, read up to `transcript_offset`.
    pub(super) fn usage(&self, transcript_offset: u64) -> Usage {
        let [tokens_in, tokens_out, tokens_cache_read, tokens_cache_write] =
            plus(self.earlier, self.tokens);
        let cost = self.earlier_cost + self.session_cost();
        let source = self.source();
        let estimated = source == Some(CostSource::Estimated);
        let day = self.prices.prices_as_of.as_ref().filter(|_| estimated);
        Usage {
            tokens_in,
            tokens_out,
            tokens_cache_read,
            tokens_cache_write,
            cost_usd: (cost * PER_DOLLAR).round() / PER_DOLLAR,
            cost_source: source,
            unknown_tokens: self.earlier_unknown.saturating_add(self.unknown),
            prices_as_of: day.cloned(),
            model: self.model.clone(),
            duration_ms: self.earlier_ms.saturating_add(self.ms),
            transcript_offset,
        }
    }

    /// Where the cost comes from; what was said before while there is nothing new.
    fn source(&self) -> Option<CostSource> {
        if !self.since_messages && self.counted.is_empty() && self.reported.is_none() {
            return self.source_before;
        }
        let reported = self.is_reported();
        Some(if reported {
            CostSource::Reported
        } else {
            CostSource::Estimated
        })
    }

    fn session_cost(&self) -> f64 {
        (self.reported.unwrap_or(0.0) + self.since).max(0.0)
    }

    /// The cost is the CLI's own word, all of it.
    fn is_reported(&self) -> bool {
        let earlier = self.earlier_reported || self.earlier_cost < 1.0 / PER_DOLLAR;
        let present = self.reported.is_some() || self.tokens == [0; 4] && self.earlier_reported;
        earlier && present && !self.since_messages
    }
}

/// Tokens of totals that were reported.
pub(super) const fn tokens_of(usage: &Usage) -> Tokens {
    [
        usage.tokens_in,
        usage.tokens_out,
        usage.tokens_cache_read,
        usage.tokens_cache_write,
    ]
}

/// Bucket by bucket.
pub(super) fn plus(mut one: Tokens, other: Tokens) -> Tokens {
    for (mine, theirs) in one.iter_mut().zip(other) {
        *mine = mine.saturating_add(theirs);
    }
    one
}

/// Of all buckets.
pub(super) fn sum(tokens: Tokens) -> u64 {
    tokens.into_iter().fold(0, u64::saturating_add)
}

/// Bucket by bucket, never below zero.
pub(super) fn minus(mut one: Tokens, other: Tokens) -> Tokens {
    for (mine, theirs) in one.iter_mut().zip(other) {
        *mine = mine.saturating_sub(theirs);
    }
    one
}
