//! The cost that Claude reports, and what it leaves out.

use super::tests::{Session, answer, reader, totals};
use super::*;
use crate::cli::{Transcript, TranscriptContext};
use crate::domain::{AgentMode, run::event::CostSource, settings::ModelSettings};
use serde_json::{Value, json};

fn cost_state(dollars: f64, model: &str, [input, output, read, write]: [u64; 4]) -> Value {
    let usage = json!({"inputTokens": input, "outputTokens": output, "cacheReadInputTokens": read,
        "cacheCreationInputTokens": write, "costUSD": dollars});
    json!({"type": "cost-state", "totalCostUSD": dollars, "modelUsage": {model: usage}})
}

/// The sums that Claude writes at the end of a process leave out a process that was killed.
#[test]
fn what_a_reported_cost_leaves_out_is_estimated() {
    let price = |tokens| {
        let prices = ModelSettings::defaults();
        prices.price("claude-sonnet-4-5", tokens).unwrap()
    };
    let session = Session::new();
    let mut live = reader(Usage::default());
    let mut read = |rows: &[Value]| {
        session.add(rows);
        totals(&live.read(Some(&session.path)).unwrap()).unwrap()
    };
    let first = [10, 100, 5, 1];
    let told = read(&[
        answer("m1", "a", 100),
        cost_state(0.5, "claude-sonnet-4-5-20250929", first),
    ]);
    assert_eq!(
        (told.cost_usd, told.cost_source),
        (0.5, Some(CostSource::Reported))
    );
    let killed = read(&[answer("m2", "b", 70_000)]);
    let both = [20, 160, 10, 2];
    let told = read(&[
        answer("m3", "c", 60),
        cost_state(0.8, "claude-sonnet-4-5", both),
    ]);
    let left_out = [10, 70_000, 5, 1];
    assert!(
        (told.cost_usd - 0.8 - price(left_out)).abs() < 1e-7,
        "{told:?}"
    );
    assert!(told.cost_usd > killed.cost_usd);
    assert_eq!(told.cost_source, Some(CostSource::Estimated));
    // Another reader finds the same; and a sum that covers all is believed again.
    let again = reader(told.clone()).read(Some(&session.path)).unwrap();
    assert_eq!(totals(&again), None);
    let all = [30, 70_160, 15, 3];
    session.add(&[cost_state(1.9, "claude-sonnet-4-5", all)]);
    let after = totals(&reader(told).read(Some(&session.path)).unwrap()).unwrap();
    assert_eq!(
        (after.cost_usd, after.cost_source),
        (1.9, Some(CostSource::Reported))
    );
}

#[test]
fn a_sum_by_another_name_of_the_model_leaves_nothing_out() {
    for (sum, source) in [
        ([10, 100, 5, 1], CostSource::Reported),
        ([10, 90, 5, 1], CostSource::Estimated),
    ] {
        let session = Session::new();
        session.add(&[
            answer("m1", "a", 100),
            cost_state(0.5, "some/other:name", sum),
        ]);
        let told = totals(&reader(Usage::default()).read(Some(&session.path)).unwrap()).unwrap();
        assert_eq!(told.cost_source, Some(source));
        assert!((0.5..0.501).contains(&told.cost_usd), "{told:?}");
    }
}

/// Nobody says what it is the cost of.
#[test]
fn a_smaller_sum_without_its_tokens_is_not_all() {
    let session = Session::new();
    let sum = |dollars| json!({"type": "cost-state", "totalCostUSD": dollars});
    session.add(&[sum(0.5), answer("m1", "a", 100), sum(0.1)]);
    let told = totals(&reader(Usage::default()).read(Some(&session.path)).unwrap()).unwrap();
    assert!((told.cost_usd - 0.5).abs() < 1e-9, "{told:?}");
}

/// The sum of a headless process is that of all before it but those that were killed.
#[test]
fn the_sum_of_a_stream_leaves_out_a_process_that_was_killed_before() {
    let model = "claude-sonnet-4-5";
    let prices = ModelSettings::defaults();
    let price = |tokens| prices.price(model, tokens).unwrap();
    // 10,000 that ended well, and 4,000 that were killed.
    let baseline = Usage {
        tokens_in: 14_000,
        cost_usd: price([14_000, 0, 0, 0]),
        cost_source: Some(CostSource::Estimated),
        model: Some(model.into()),
        ..Usage::default()
    };
    for (covered, source) in [
        (11_000, CostSource::Estimated),
        (15_000, CostSource::Reported),
    ] {
        let context = TranscriptContext::new(AgentMode::Headless, baseline.clone());
        let dollars = price([covered, 0, 0, 0]);
        let result = json!({"type": "result", "subtype": "success", "is_error": false,
            "total_cost_usd": dollars, "usage": {"input_tokens": 1000},
            "modelUsage": {model: {"inputTokens": covered}}});
        let told = totals(&ClaudeStream::new(context).feed(format!("{result}\n").as_bytes()));
        let told = told.unwrap();
        assert_eq!((told.tokens_in, told.cost_source), (15_000, Some(source)));
        assert!((told.cost_usd - price([15_000, 0, 0, 0])).abs() < 1e-7);
    }
}

/// An answer of a model that the price table does not know.
fn answer_of(id: &str, model: &str, output: u64) -> Value {
    let mut answer = answer(id, id, output);
    answer["message"]["model"] = json!(model);
    answer
}

/// Tokens without a price are no free ones, until the CLI itself says what they cost.
#[test]
fn an_unknown_price_makes_the_cost_unknown_and_what_is_known_stays() {
    let session = Session::new();
    let mut live = reader(Usage::default());
    let mut read = |rows: &[Value]| {
        session.add(rows);
        totals(&live.read(Some(&session.path)).unwrap()).unwrap()
    };
    let known = read(&[answer("m1", "a", 100)]);
    let as_shown = |usage: &Usage| serde_json::to_value(usage.cost()).unwrap();
    let day = ModelSettings::defaults().prices_as_of;
    assert_eq!(
        as_shown(&known),
        json!({"usd": known.cost_usd, "known_usd": known.cost_usd, "source": "estimated",
            "prices_as_of": day})
    );
    let unknown = read(&[answer_of("m2", "model-of-tomorrow", 50)]);
    assert_eq!(unknown.unknown_tokens, 66);
    assert_eq!(
        as_shown(&unknown),
        json!({"usd": null, "known_usd": known.cost_usd, "source": "unknown",
            "prices_as_of": day})
    );
    // Told again, a message counts once.
    let more = read(&[answer_of("m2", "model-of-tomorrow", 60)]);
    assert_eq!(more.unknown_tokens, 76);
    let all = [20, 160, 10, 2];
    let reported = read(&[cost_state(0.5, "model-of-tomorrow", all)]);
    assert_eq!(
        as_shown(&reported),
        json!({"usd": 0.5, "known_usd": 0.5, "source": "reported", "prices_as_of": null})
    );
    // What another reader has heard stays unknown to it.
    let again = reader(more).read(Some(&session.path)).unwrap();
    assert_eq!(totals(&again).unwrap().unknown_tokens, 0);
}

#[test]
fn a_cost_that_nobody_told_is_unknown() {
    let old = |cost_usd, tokens_in| Usage {
        tokens_in,
        cost_usd,
        cost_source: Some(CostSource::Estimated),
        ..Usage::default()
    };
    assert_eq!(Usage::default().cost().usd, None);
    assert_eq!(old(0.0, 7).cost().usd, None, "of a log from before");
    assert_eq!(old(0.0, 0).cost().usd, Some(0.0));
    assert_eq!(old(0.5, 7).cost().usd, Some(0.5));
}
