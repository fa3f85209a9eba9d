//! Tokens and dollars of every recording, computed by hand beside each figure, and what our readers
//! make of it. Tokens are [input, output, cache read, cache write], none a part of another; of a
//! message that was written down several times its last word counts. Prices are dollars a million
//! tokens, in the same order.

use super::super::{Transcript, TranscriptContext, testing::fixture};
use super::{totals::tokens_of, *};
use crate::domain::{AgentMode, run::event::CostSource, settings::ModelSettings};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A recording, its tokens, its dollars, and whose word they are.
type Figures = (&'static str, [u64; 4], f64, Option<CostSource>);

const REPORTED: Option<CostSource> = Some(CostSource::Reported);
const ESTIMATED: Option<CostSource> = Some(CostSource::Estimated);

const FIGURES: [Figures; 19] = [
    // 11 records of 6 ids, each with the usage of its end.
    // in:  19528 + 19735 + 19814 + 19938 + 20018 + 20156 = 119189
    // out: 80 + 21 + 31 + 21 + 40 + 13 = 206
    // claude-opus-4-8 at 5, 25: 119189 × 5 + 206 × 25 = 601095. No cost in the file.
    (
        "claude/2.1.197/transcript.print.jsonl",
        [119_189, 206, 0, 0],
        0.601_095,
        ESTIMATED,
    ),
    // The same session as it was streamed: 6 ids, whose assistant lines all say 1 output token and
    // whose message_delta says the rest; result: 0.601095.
    (
        "claude/2.1.197/stream-json.jsonl",
        [119_189, 206, 0, 0],
        0.601_095,
        REPORTED,
    ),
    // 6 ids, task tools on, so the first answer is a shorter one.
    // in:  12695 + 12879 + 12957 + 13082 + 13162 + 13301 = 78076
    // out: 64 + 21 + 31 + 21 + 40 + 13 = 190
    // claude-opus-5-5 at 4, 20: 78076 × 4 + 190 × 20 = 316104; result: 0.316104.
    (
        "claude/2.1.330/stream-json.full.jsonl",
        [78_076, 190, 0, 0],
        0.316_104,
        REPORTED,
    ),
    // in:  12685 + 12946 + 13060 + 13184 + 13264 + 13474 = 78613
    // out: 80 + 21 + 31 + 21 + 40 + 13 = 206
    // 78613 × 4 + 206 × 20 = 318572; result: 0.31857199999999997.
    (
        "claude/2.1.330/stream-json.no-task-tools.jsonl",
        [78_613, 206, 0, 0],
        0.318_572,
        REPORTED,
    ),
    // 11 records of 6 ids.
    // in:  23440 + 23671 + 23772 + 23919 + 24022 + 24184 = 143008
    // out: 80 + 21 + 31 + 21 + 40 + 13 = 206
    // claude-sonnet-4-5 at 3, 15: 143008 × 3 + 206 × 15 = 432114; cost-state: 0.432114.
    (
        "claude/2.1.330/transcript.interactive.jsonl",
        [143_008, 206, 0, 0],
        0.432_114,
        REPORTED,
    ),
    // 3 ids, one a process, each with a cost-state that has the sum of all.
    // in:  1000 + 1000 + 22490 = 24490; out: 100 + 100 + 4 = 204
    // 24490 × 3 + 204 × 15 = 76530; the last cost-state: 0.07653000000000001.
    (
        "claude/2.1.330/transcript.resumed.jsonl",
        [24_490, 204, 0, 0],
        0.076_53,
        REPORTED,
    ),
    // Results alone, without the messages before them. Only modelUsage has the tokens of this one:
    // 22326 × 3 + 21 × 15 = 67293.
    (
        "claude/2.1.330/results/budget.json",
        [22_326, 21, 0, 0],
        0.067_293,
        REPORTED,
    ),
    // 22300 × 3 + 21 × 15 = 67215
    (
        "claude/2.1.330/results/maxturns.json",
        [22_300, 21, 0, 0],
        0.067_215,
        REPORTED,
    ),
    // Nothing was answered.
    (
        "claude/2.1.330/results/badresume.json",
        [0; 4],
        0.0,
        REPORTED,
    ),
    ("claude/2.1.330/results/e400.json", [0; 4], 0.0, REPORTED),
    ("claude/2.1.330/results/e529.json", [0; 4], 0.0, REPORTED),
    ("claude/2.1.330/results/upblock.json", [0; 4], 0.0, REPORTED),
    // 5 token counts; the last sum is that of their parts:
    // in:  9892 + 10104 + 10275 + 10389 + 10504 = 51164; out: 56 + 35 + 15 + 39 + 13 = 158
    // gpt-5.5 at 5, 30, 0.5: 51164 × 5 + 158 × 30 = 260560. Codex tells no cost.
    (
        "codex/0.169.0/rollout.exec.jsonl",
        [51_164, 158, 0, 0],
        0.260_56,
        ESTIMATED,
    ),
    // The same thread as it was streamed: its turn.completed has the sum.
    (
        "codex/0.169.0/exec-json.default-scenario.jsonl",
        [51_164, 158, 0, 0],
        0.260_56,
        ESTIMATED,
    ),
    // 11632 + 11820 = 23452; 48 + 4 = 52; 23452 × 5 + 52 × 30 = 118820
    (
        "codex/0.169.0/rollout.interactive.jsonl",
        [23_452, 52, 0, 0],
        0.118_82,
        ESTIMATED,
    ),
    // 3 turns in 3 processes, one file. Codex counts cached tokens as input too:
    // in: 1000 + 1000 + 11946 = 13946, of them cached 200, so 13746; out: 100 + 100 + 5 = 205
    // 13746 × 5 + 205 × 30 + 200 × 0.5 = 74980
    (
        "codex/0.169.0/rollout.resumed.jsonl",
        [13_746, 205, 200, 0],
        0.074_98,
        ESTIMATED,
    ),
    // No answer came, and no count.
    ("codex/0.169.0/rollout.interrupted.jsonl", [0; 4], 0.0, None),
    ("codex/0.169.0/exec-json.error-400.jsonl", [0; 4], 0.0, None),
    ("codex/0.169.0/exec-json.error-529.jsonl", [0; 4], 0.0, None),
];

fn recorded(name: &str) -> PathBuf {
    let (cli, rest) = name.split_once('/').unwrap();
    fixture(cli, rest)
}

fn context(mode: AgentMode, baseline: Usage) -> TranscriptContext {
    TranscriptContext::new(mode, baseline)
}

/// The totals that the reader of this kind of recording tells last; nothing when it tells none.
fn read(name: &str) -> Option<Usage> {
    let path = recorded(name);
    let kind = path.file_name().unwrap().to_str().unwrap();
    let headless = || context(AgentMode::Headless, Usage::default());
    let interactive = || context(AgentMode::Interactive, Usage::default());
    let observed = match kind.split('.').next().unwrap() {
        "transcript" => ClaudeTranscript::new(interactive()).read(Some(&path)),
        "rollout" => CodexRollout::new(interactive()).read(Some(&path)),
        "stream-json" => Ok(ClaudeStream::new(headless()).feed(&fs::read(&path).unwrap())),
        "exec-json" => {
            let mut stream = codex_stream(headless());
            // The recording is of this model; its stream does not say so.
            stream.model_is("gpt-5.5");
            Ok(stream.feed(&fs::read(&path).unwrap()))
        }
        // A result that was written down over several lines.
        _ => {
            let result: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            Ok(ClaudeStream::new(headless()).feed(format!("{result}\n").as_bytes()))
        }
    };
    observed
        .unwrap()
        .into_iter()
        .rev()
        .find_map(|one| match one {
            Observation::Usage(usage) => Some(usage),
            _ => None,
        })
}

fn figures(name: &str) -> Figures {
    *FIGURES.iter().find(|figures| figures.0 == name).unwrap()
}

#[test]
fn every_recording_is_counted_as_by_hand() {
    for (name, tokens, dollars, source) in FIGURES {
        let usage = read(name).unwrap_or_default();
        assert_eq!(tokens_of(&usage), tokens, "{name}");
        assert!((usage.cost_usd - dollars).abs() < 1e-9, "{name}: {usage:?}");
        assert_eq!(usage.cost_source, source, "{name}");
    }
}

fn files(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.insert(path);
        }
    }
}

#[test]
fn no_recording_is_left_out() {
    let mut found = BTreeSet::new();
    for cli in ["claude", "codex"] {
        files(&fixture(cli, ""), &mut found);
    }
    // Payloads of hooks have no figures.
    found.retain(|path| path.parent().unwrap().file_name().unwrap() != "hooks");
    let known: BTreeSet<_> = FIGURES.iter().map(|figures| recorded(figures.0)).collect();
    assert_eq!(found, known);
}

/// Both ways of looking at one session tell the same.
#[test]
fn headless_and_interactive_readers_agree_on_one_session() {
    for (file, stream) in [
        (
            "claude/2.1.197/transcript.print.jsonl",
            "claude/2.1.197/stream-json.jsonl",
        ),
        (
            "codex/0.169.0/rollout.exec.jsonl",
            "codex/0.169.0/exec-json.default-scenario.jsonl",
        ),
    ] {
        let (file, stream) = (read(file).unwrap(), read(stream).unwrap());
        assert_eq!(tokens_of(&file), tokens_of(&stream), "{file:?} {stream:?}");
        assert!((file.cost_usd - stream.cost_usd).abs() < 1e-9);
        assert_eq!(file.model, stream.model);
    }
}

/// One scenario in two modes: what is said is the same, what is sent is not, since the modes have
/// other instructions. The estimate of each is what Claude itself says.
#[test]
fn headless_and_interactive_agree_on_one_scenario() {
    let names = [
        "claude/2.1.330/stream-json.no-task-tools.jsonl",
        "claude/2.1.330/transcript.interactive.jsonl",
    ];
    let [stream, file] = names.map(|name| read(name).unwrap());
    assert_eq!(stream.tokens_out, file.tokens_out);
    for (usage, name) in [(stream, names[0]), (file, names[1])] {
        let model = usage.model.as_deref().unwrap();
        let estimate = ModelSettings::defaults().price(model, tokens_of(&usage));
        let (_, _, dollars, _) = figures(name);
        assert!((estimate.unwrap() - dollars).abs() < 1e-9, "{name}");
    }
}

fn answer(id: &str, usage: &Value) -> String {
    let message = json!({"id": id, "role": "assistant", "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": id}], "usage": usage});
    json!({"type": "assistant", "message": message}).to_string() + "\n"
}

/// No recording of Claude has cached tokens, so these are made up.
#[test]
fn each_bucket_has_its_own_price() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.jsonl");
    let usage = |input: u64, output: u64, read: u64, write: u64| {
        json!({"input_tokens": input, "output_tokens": output, "cache_read_input_tokens": read,
               "cache_creation_input_tokens": write})
    };
    // Three records of two ids; the last word of each counts.
    let rows = [
        answer("a", &usage(1000, 1, 20_000, 3000)),
        answer("a", &usage(1000, 50, 20_000, 3000)),
        answer("b", &usage(200, 10, 24_000, 100)),
    ];
    fs::write(&path, rows.concat()).unwrap();
    let mut reader = ClaudeTranscript::new(context(AgentMode::Interactive, Usage::default()));
    let observed = reader.read(Some(&path)).unwrap();
    let Some(Observation::Usage(usage)) = observed.last() else {
        panic!("no totals")
    };
    assert_eq!(tokens_of(usage), [1200, 60, 44_000, 3100]);
    // 1200 × 3 + 60 × 15 + 44000 × 0.3 + 3100 × 3.75 = 3600 + 900 + 13200 + 11625 = 29325
    assert!((usage.cost_usd - 0.029_325).abs() < 1e-9, "{usage:?}");
}

/// Prices that change between two readers of a session change its estimate and nothing else: what
/// the CLI reports at last is not added to an estimate by older prices.
#[test]
fn other_prices_never_add_to_what_is_reported() {
    let whole = fs::read_to_string(recorded("claude/2.1.330/transcript.interactive.jsonl"));
    let whole = whole.unwrap();
    let before = whole.find(r#""type":"cost-state""#).unwrap();
    let before = whole[..before].rfind('\n').unwrap() + 1;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.jsonl");
    for factor in [0.5, 2.0] {
        fs::write(&path, &whole[..before]).unwrap();
        let mut first = ClaudeTranscript::new(context(AgentMode::Interactive, Usage::default()));
        let Some(Observation::Usage(told)) = first.read(Some(&path)).unwrap().pop() else {
            panic!("no totals")
        };
        assert_eq!(told.cost_source, ESTIMATED);
        let mut prices = ModelSettings::defaults();
        for model in prices.providers.iter_mut().flat_map(|one| &mut one.models) {
            model.input_per_mtok *= factor;
            model.output_per_mtok *= factor;
        }
        let other = context(AgentMode::Interactive, told).priced(Arc::new(prices));
        let mut second = ClaudeTranscript::new(other);
        fs::write(&path, &whole).unwrap();
        let Some(Observation::Usage(last)) = second.read(Some(&path)).unwrap().pop() else {
            panic!("no totals")
        };
        assert!(
            (last.cost_usd - 0.432_114).abs() < 1e-9,
            "{factor}: {last:?}"
        );
        assert_eq!(last.cost_source, REPORTED);
    }
}
