//! The readers against recorded sessions of the real CLI.

use super::super::{Transcript, TranscriptContext, testing::fixture};
use super::*;
use crate::domain::{AgentMode, run::event::CostSource, settings::ModelSettings};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

const TRANSCRIPTS: [&str; 3] = [
    "2.1.197/transcript.print.jsonl",
    "2.1.330/transcript.interactive.jsonl",
    "2.1.330/transcript.resumed.jsonl",
];
const STREAMS: [&str; 3] = [
    "2.1.197/stream-json.jsonl",
    "2.1.330/stream-json.full.jsonl",
    "2.1.330/stream-json.no-task-tools.jsonl",
];

pub(super) fn reader(baseline: Usage) -> ClaudeTranscript {
    ClaudeTranscript::new(TranscriptContext::new(AgentMode::Interactive, baseline))
}

fn stream(baseline: Usage) -> ClaudeStream {
    ClaudeStream::new(TranscriptContext::new(AgentMode::Headless, baseline))
}

/// The last totals among the observations.
pub(super) fn totals(observed: &[Observation]) -> Option<Usage> {
    observed.iter().rev().find_map(|one| match one {
        Observation::Usage(usage) => Some(usage.clone()),
        Observation::Session { .. }
        | Observation::Message { .. }
        | Observation::Token { .. }
        | Observation::Interrupted { .. }
        | Observation::Ended { .. } => None,
    })
}

fn told(observed: Vec<Observation>) -> Vec<Observation> {
    observed
        .into_iter()
        .filter(|one| !matches!(one, Observation::Usage(_)))
        .collect()
}

fn texts(observed: &[Observation]) -> Vec<&str> {
    let texts = observed.iter().filter_map(|one| match one {
        Observation::Message { text, .. } => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

fn tokens(usage: &Usage) -> [u64; 4] {
    [
        usage.tokens_in,
        usage.tokens_out,
        usage.tokens_cache_read,
        usage.tokens_cache_write,
    ]
}

/// Counts a transcript in another way: whole values, the last of each message, then the sum.
fn independent(path: &Path) -> [u64; 4] {
    let mut last = HashMap::new();
    for line in fs::read_to_string(path).unwrap().lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        if row["type"] == "assistant" {
            let usage = &row["message"]["usage"];
            let keys = [
                "input_tokens",
                "output_tokens",
                "cache_read_input_tokens",
                "cache_creation_input_tokens",
            ];
            let id = row["message"]["id"].as_str().unwrap().to_owned();
            last.insert(id, keys.map(|key| usage[key].as_u64().unwrap()));
        }
    }
    last.values().fold([0; 4], |mut sum, one| {
        sum.iter_mut().zip(one).for_each(|(sum, one)| *sum += one);
        sum
    })
}

pub(super) struct Session {
    folder: tempfile::TempDir,
    pub(super) path: PathBuf,
}

impl Session {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s1.jsonl");
        Self { folder, path }
    }

    fn append(&self, path: &Path, rows: &[Value]) {
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        for row in rows {
            writeln!(file, "{row}").unwrap();
        }
    }

    pub(super) fn add(&self, rows: &[Value]) {
        self.append(&self.path, rows);
    }
}

pub(super) fn answer(id: &str, text: &str, output: u64) -> Value {
    json!({"type": "assistant", "isSidechain": false, "message": {"id": id, "role": "assistant",
        "model": "claude-sonnet-4-5", "content": [{"type": "text", "text": text}],
        "usage": {"input_tokens": 10, "output_tokens": output, "cache_read_input_tokens": 5,
            "cache_creation_input_tokens": 1}}})
}

#[test]
fn recorded_transcripts_are_counted_as_by_hand() {
    for name in TRANSCRIPTS {
        let path = fixture("claude", name);
        let observed = reader(Usage::default()).read(Some(&path)).unwrap();
        let usage = totals(&observed).unwrap();
        assert_eq!(tokens(&usage), independent(&path), "{name}");
        assert!(tokens(&usage)[0] > 1000, "{name}");
        assert_eq!(
            usage.transcript_offset,
            fs::metadata(&path).unwrap().len(),
            "{name}"
        );
        assert!(
            usage.model.as_deref().unwrap().starts_with("claude-"),
            "{name}"
        );
    }
}

#[test]
fn recorded_messages_cost_and_duration() {
    let path = fixture("claude", "2.1.330/transcript.interactive.jsonl");
    let observed = reader(Usage::default()).read(Some(&path)).unwrap();
    let said = [
        "I will plan this first.",
        "Writing the file.",
        "Done: hello.txt is written and listed.",
    ];
    assert_eq!(texts(&observed), said);
    let usage = totals(&observed).unwrap();
    assert_eq!(
        (usage.cost_usd, usage.cost_source),
        (0.432_114, Some(CostSource::Reported))
    );
    assert_eq!(usage.duration_ms, 2366);
    let path = fixture("claude", "2.1.330/transcript.resumed.jsonl");
    let usage = totals(&reader(Usage::default()).read(Some(&path)).unwrap()).unwrap();
    assert_eq!(
        (usage.cost_usd, usage.cost_source),
        (0.076_53, Some(CostSource::Reported))
    );
    let path = fixture("claude", "2.1.197/transcript.print.jsonl");
    let usage = totals(&reader(Usage::default()).read(Some(&path)).unwrap()).unwrap();
    assert_eq!(usage.cost_source, Some(CostSource::Estimated));
}

#[test]
fn an_estimate_follows_the_price_table_until_the_cli_reports() {
    let session = Session::new();
    let mut reader = reader(Usage::default());
    session.add(&[answer("m1", "a", 100), answer("m1", "b", 200)]);
    let usage = totals(&reader.read(Some(&session.path)).unwrap()).unwrap();
    let price = ModelSettings::defaults()
        .price("claude-sonnet-4-5", [10, 200, 5, 1])
        .unwrap();
    assert!((usage.cost_usd - price).abs() < 1e-7);
    assert_eq!(usage.cost_source, Some(CostSource::Estimated));
    session.add(&[json!({"type": "cost-state", "totalCostUSD": 0.5})]);
    let usage = totals(&reader.read(Some(&session.path)).unwrap()).unwrap();
    assert_eq!(
        (usage.cost_usd, usage.cost_source),
        (0.5, Some(CostSource::Reported))
    );
    session.add(&[answer("m2", "c", 200)]);
    let usage = totals(&reader.read(Some(&session.path)).unwrap()).unwrap();
    assert!((usage.cost_usd - 0.5 - price).abs() < 1e-7);
    assert_eq!(usage.cost_source, Some(CostSource::Estimated));
}

/// Cuts a recording at any places; returns byte offsets in order.
fn cuts(length: usize, at: &[f64]) -> Vec<usize> {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part of a small length"
    )]
    let mut cuts: Vec<usize> = at
        .iter()
        .map(|part| (length as f64 * part) as usize)
        .collect();
    cuts.push(length);
    cuts.sort_unstable();
    cuts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_transcript_in_pieces_tells_what_it_tells_in_one(
        which in 0..TRANSCRIPTS.len(),
        at in prop::collection::vec(0.0..1.0_f64, 0..12),
        restarts in any::<u16>(),
    ) {
        let source = fixture("claude", TRANSCRIPTS[which]);
        let whole = reader(Usage::default()).read(Some(&source)).unwrap();
        let bytes = fs::read(&source).unwrap();
        let session = Session::new();
        let mut observed = Vec::new();
        let mut present = reader(Usage::default());
        for (nth, cut) in cuts(bytes.len(), &at).into_iter().enumerate() {
            fs::write(&session.path, &bytes[..cut]).unwrap();
            observed.extend(present.read(Some(&session.path)).unwrap());
            if restarts & (1 << (nth % 16)) != 0 {
                present = reader(totals(&observed).unwrap_or_default());
            }
        }
        // Rows that tell nothing move no totals, so only the last cursor may differ.
        let at_zero = |usage: Usage| Usage { transcript_offset: 0, ..usage };
        prop_assert_eq!(totals(&observed).map(at_zero), totals(&whole).map(at_zero));
        prop_assert_eq!(told(observed), told(whole));
    }

    #[test]
    fn a_stream_in_pieces_tells_what_it_tells_in_one(
        which in 0..STREAMS.len(),
        at in prop::collection::vec(0.0..1.0_f64, 0..12),
    ) {
        let bytes = fs::read(fixture("claude", STREAMS[which])).unwrap();
        let whole = stream(Usage::default()).feed(&bytes);
        let mut present = stream(Usage::default());
        let (mut observed, mut from) = (Vec::new(), 0);
        for cut in cuts(bytes.len(), &at) {
            observed.extend(present.feed(&bytes[from..cut]));
            from = cut;
        }
        prop_assert_eq!(totals(&observed), totals(&whole));
        prop_assert_eq!(told(observed), told(whole));
    }
}

#[test]
fn a_message_on_both_sides_of_a_restart_counts_once() {
    let session = Session::new();
    session.add(&[answer("m1", "a", 1)]);
    let before = totals(&reader(Usage::default()).read(Some(&session.path)).unwrap()).unwrap();
    session.add(&[answer("m1", "b", 7)]);
    let observed = reader(before).read(Some(&session.path)).unwrap();
    assert_eq!(texts(&observed), ["b"]);
    assert_eq!(tokens(&totals(&observed).unwrap()), [10, 7, 5, 1]);
    let usage = totals(&observed).unwrap();
    assert_eq!(
        reader(usage).read(Some(&session.path)).unwrap(),
        [],
        "nothing new, nothing told"
    );
}

#[test]
fn another_session_adds_to_the_totals_and_repeated_messages_do_not() {
    let session = Session::new();
    let other = session.folder.path().join("s2.jsonl");
    session.add(&[
        answer("m1", "a", 1),
        json!({"type": "cost-state", "totalCostUSD": 0.25}),
    ]);
    let mut live = reader(Usage::default());
    let first = totals(&live.read(Some(&session.path)).unwrap()).unwrap();
    // A fork repeats m1.
    session.append(&other, &[answer("m1", "a", 1), answer("m2", "b", 2)]);
    let second = totals(&live.read(Some(&other)).unwrap()).unwrap();
    assert_eq!(tokens(&second), [20, 3, 10, 2]);
    assert!(second.cost_usd > 0.25);
    assert_eq!(
        second.transcript_offset,
        fs::metadata(&other).unwrap().len()
    );
    // A restart in between begins the other file anew, with the first totals.
    session.append(
        &other,
        &[json!({"type": "cost-state", "totalCostUSD": 0.5})],
    );
    let third = totals(&live.read(Some(&other)).unwrap()).unwrap();
    assert_eq!(
        (third.cost_usd, third.cost_source),
        (0.75, Some(CostSource::Reported))
    );
    let baseline = Usage {
        transcript_offset: 0,
        ..first
    };
    fs::write(&other, format!("{}\n", answer("m3", "c", 3))).unwrap();
    let after = totals(&reader(baseline).read(Some(&other)).unwrap()).unwrap();
    assert_eq!(tokens(&after), [20, 4, 10, 2]);
}

#[test]
fn subagents_count_but_do_not_speak() {
    let session = Session::new();
    let folder = session.folder.path().join("s1/subagents");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("agent-1.meta.json"), "{}").unwrap();
    let sub = folder.join("agent-1.jsonl");
    let mut side = answer("m9", "side", 4);
    side["isSidechain"] = json!(true);
    side["message"]["model"] = json!("claude-haiku-4-5");
    session.add(&[answer("m1", "a", 1), side]);
    session.append(&sub, &[answer("x1", "hidden", 100)]);
    let mut live = reader(Usage::default());
    let observed = live.read(Some(&session.path)).unwrap();
    assert_eq!(texts(&observed), ["a"]);
    let usage = totals(&observed).unwrap();
    assert_eq!(tokens(&usage), [30, 105, 15, 3]);
    assert_eq!(usage.model.as_deref(), Some("claude-sonnet-4-5"));
    assert_eq!(reader(usage.clone()).read(Some(&session.path)).unwrap(), []);
    // It goes on while the server is away.
    session.append(&sub, &[answer("x2", "hidden", 100)]);
    let after = totals(&reader(usage).read(Some(&session.path)).unwrap()).unwrap();
    let live = totals(&live.read(Some(&session.path)).unwrap()).unwrap();
    assert_eq!(tokens(&after), [40, 205, 20, 4]);
    assert_eq!(after, live);
}

#[test]
fn an_interrupt_is_seen_once_and_only_as_claude_writes_it() {
    let session = Session::new();
    let user =
        |content: Value| json!({"type": "user", "message": {"role": "user", "content": content}});
    let mark = "[Request interrupted by user]";
    session.add(&[
        user(json!(format!("Why did it say {mark}?"))),
        user(json!([{"type": "tool_result", "tool_use_id": "t", "content": mark}])),
    ]);
    let mut live = reader(Usage::default());
    assert_eq!(live.read(Some(&session.path)).unwrap(), []);
    session.add(&[user(json!([{"type": "text", "text": mark}]))]);
    let observed = live.read(Some(&session.path)).unwrap();
    assert_eq!(
        told(observed.clone()),
        [Observation::Interrupted { turn_id: None }]
    );
    let usage = totals(&observed).unwrap();
    assert_eq!(
        reader(usage).read(Some(&session.path)).unwrap(),
        [],
        "a restart tells it no more"
    );
    session.add(&[user(
        json!([{"type": "text", "text": "[Request interrupted by user for tool use]"}]),
    )]);
    assert_eq!(
        told(live.read(Some(&session.path)).unwrap()),
        [Observation::Interrupted { turn_id: None }]
    );
}

#[test]
fn what_is_no_record_is_passed_over() {
    let session = Session::new();
    fs::write(&session.path, b"not json\n\n{\"type\": 7}\n[]\n{\"type\":\"assistant\",\"message\":{\"id\":1}}\n\xff\xfe\n").unwrap();
    let mut synthetic = answer("m0", "No response requested.", 0);
    synthetic["message"]["model"] = json!("<synthetic>");
    let huge =
        json!({"type": "user", "toolUseResult": "x".repeat(5 << 20), "message": {"content": []}});
    session.add(&[
        synthetic,
        huge,
        json!({"type": "system", "subtype": "turn_duration", "durationMs": -3}),
        answer("m1", "a", 1),
    ]);
    let mut live = reader(Usage::default());
    let observed = live.read(Some(&session.path)).unwrap();
    assert_eq!(texts(&observed), ["a"]);
    assert_eq!(tokens(&totals(&observed).unwrap()), [10, 1, 5, 1]);
    assert_eq!(live.read(Some(&session.path)).unwrap(), []);
}

#[test]
fn no_file_yet_is_no_error() {
    let session = Session::new();
    let mut live = reader(Usage::default());
    assert_eq!(live.read(None).unwrap(), []);
    assert_eq!(live.read(Some(&session.path)).unwrap(), []);
    session.add(&[answer("m1", "a", 1)]);
    assert_eq!(texts(&live.read(Some(&session.path)).unwrap()), ["a"]);
    assert!(
        live.read(Some(session.folder.path())).is_err(),
        "a folder cannot be read"
    );
}

#[test]
fn recorded_streams_tell_the_whole_turn() {
    for name in STREAMS {
        let text = fs::read_to_string(fixture("claude", name)).unwrap();
        let result: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        let observed = stream(Usage::default()).feed(text.as_bytes());
        assert!(
            matches!(&observed[0], Observation::Session { session_id, cli_version: Some(version),
            model: Some(_) } if result["session_id"] == **session_id && name.starts_with(version))
        );
        let usage = totals(&observed).unwrap();
        assert_eq!(
            usage.tokens_in,
            result["usage"]["input_tokens"].as_u64().unwrap(),
            "{name}"
        );
        assert_eq!(
            usage.tokens_out,
            result["usage"]["output_tokens"].as_u64().unwrap(),
            "{name}"
        );
        let cost = result["total_cost_usd"].as_f64().unwrap();
        assert!((usage.cost_usd - cost).abs() < 1e-7, "{name}");
        assert_eq!(usage.cost_source, Some(CostSource::Reported));
        assert_eq!(usage.duration_ms, result["duration_ms"].as_u64().unwrap());
        let streamed: String = observed
            .iter()
            .filter_map(|one| match one {
                &Observation::Token {
                    ref text,
                    message_id: Some(_),
                } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(streamed, texts(&observed).concat(), "{name}");
        assert!(
            observed.contains(&Observation::Ended {
                failure: None,
                turn_id: None
            }),
            "{name}"
        );
    }
}

#[test]
fn results_are_judged_by_is_error() {
    for (name, failure) in [
        (
            "badresume",
            Some("No conversation found with session ID: 99999999-2222-4333-8444-555555555555"),
        ),
        ("budget", Some("Reached maximum budget ($0.0001)")),
        ("e400", Some("API Error: 400 scripted failure")),
        (
            "e529",
            Some("API Error: 529 scripted failure. This is a server-side issue"),
        ),
        ("maxturns", Some("Reached maximum number of turns (1)")),
        ("upblock", None),
    ] {
        let text =
            fs::read_to_string(fixture("claude", &format!("2.1.330/results/{name}.json"))).unwrap();
        let result: Value = serde_json::from_str(&text).unwrap();
        // As a terminal shows it: escape codes around, CR before LF.
        let line = format!("\u{1b}[?25l{result}\u{1b}[?25h\r\n");
        let observed = stream(Usage::default()).feed(line.as_bytes());
        let ended = observed.iter().find_map(|one| match one {
            Observation::Ended { failure, .. } => Some(failure.clone()),
            _ => None,
        });
        let said = ended.unwrap_or_else(|| panic!("{name} did not end"));
        assert_eq!(said.is_some(), failure.is_some(), "{name}");
        assert!(
            said.unwrap_or_default()
                .starts_with(failure.unwrap_or_default()),
            "{name}"
        );
    }
}

#[test]
fn a_resumed_stream_adds_its_tokens_and_knows_which_cost_it_is_told() {
    let lines = |told: [u64; 2], dollars: f64| {
        let usage = json!({"input_tokens": 100, "output_tokens": 10});
        let start = json!({"type": "stream_event", "event": {"type": "message_start",
            "message": {"id": "m1", "model": "claude-sonnet-4-5", "usage": {"input_tokens": 100, "output_tokens": 1}}}});
        let delta = json!({"type": "stream_event", "event": {"type": "message_delta",
            "usage": {"output_tokens": 10}}});
        let result = json!({"type": "result", "subtype": "success", "is_error": false, "usage": usage,
            "total_cost_usd": dollars, "modelUsage": {"claude-sonnet-4-5": {
                "inputTokens": told[0], "outputTokens": told[1]}}});
        format!("{start}\n{delta}\n{result}\n")
    };
    let baseline = Usage {
        tokens_in: 1000,
        tokens_out: 50,
        cost_usd: 2.0,
        cost_source: Some(CostSource::Reported),
        ..Usage::default()
    };
    for (told, dollars, cost) in [([1100, 60], 2.5, 2.5), ([100, 10], 0.5, 2.5)] {
        let usage =
            totals(&stream(baseline.clone()).feed(lines(told, dollars).as_bytes())).unwrap();
        assert_eq!(tokens(&usage), [1100, 60, 0, 0]);
        assert_eq!(
            (usage.cost_usd, usage.cost_source),
            (cost, Some(CostSource::Reported))
        );
    }
}

#[test]
fn tokens_alone_tell_no_totals() {
    let mut live = stream(Usage::default());
    let start = json!({"type": "stream_event", "event": {"type": "message_start", "message": {"id": "m1"}}});
    let delta = json!({"type": "stream_event", "event": {"type": "content_block_delta",
        "delta": {"type": "text_delta", "text": "hi"}}});
    let observed = live.feed(format!("{start}\r\n{delta}\r\n").as_bytes());
    let token = Observation::Token {
        text: "hi".into(),
        message_id: Some("m1".into()),
    };
    assert_eq!(observed, [token]);
}

/// Claude's own sums are those of its process: what was told of it must not count twice.
#[test]
fn a_stream_that_another_reader_takes_over_counts_once() {
    let delta = |id: &str| {
        let start = json!({"type": "stream_event", "event": {"type": "message_start",
            "message": {"id": id, "model": "claude-sonnet-4-5", "usage": {"input_tokens": 100}}}});
        let delta = json!({"type": "stream_event", "event": {"type": "message_delta",
            "usage": {"output_tokens": 10}}});
        format!("{start}\n{delta}\n")
    };
    // The third message is a subagent's, which only the sums tell.
    let result = json!({"type": "result", "is_error": false, "total_cost_usd": 0.5,
        "usage": {"input_tokens": 200, "output_tokens": 20},
        "modelUsage": {"claude-sonnet-4-5": {"inputTokens": 300, "outputTokens": 30}}});
    let earlier = Usage {
        tokens_in: 1000,
        tokens_out: 50,
        ..Usage::default()
    };
    let told = totals(&stream(earlier).feed(delta("m1").as_bytes())).unwrap();
    assert_eq!(tokens(&told), [1100, 60, 0, 0]);
    let rest = format!("{}{result}\n", delta("m2"));
    let all = format!("{}{rest}", delta("m1"));
    for cut in [0, 1, delta("m1").len(), delta("m1").len() + 1] {
        let mut other = stream(told.clone());
        let mut observed = other.feed(&all.as_bytes()[..cut]);
        observed.extend(other.feed(&all.as_bytes()[cut..]));
        let last = totals(&observed).unwrap();
        assert_eq!(tokens(&last), [1300, 80, 0, 0], "{cut}");
        assert_eq!(last.transcript_offset, all.len() as u64);
    }
    // The beginning is no longer kept.
    let mut other = stream(told.clone());
    other.passed_over(told.transcript_offset);
    let last = totals(&other.feed(rest.as_bytes())).unwrap();
    assert_eq!(last.transcript_offset, all.len() as u64);
    assert!(last.tokens_in >= 1200 && last.tokens_out >= 70, "{last:?}");
}
