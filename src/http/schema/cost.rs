//! What a run cost, and how far that is known.

use utoipa::ToSchema;

/// The cost so far. Tokens whose price is not known make it unknown.
#[derive(ToSchema)]
pub(in crate::http) struct CostView {
    /// US dollars; null when unknown.
    #[schema(required)]
    usd: Option<f64>,
    /// The part that is known.
    known_usd: f64,
    /// `reported` by the CLI, `estimated` by tokens and prices, or `unknown`.
    source: CostSourceView,
    /// Day of the prices of an estimate.
    #[schema(required, format = Date)]
    prices_as_of: Option<String>,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(in crate::http) enum CostSourceView {
    Reported,
    Estimated,
    Unknown,
}
