//! The readers of Codex against recorded sessions of the real program; figures computed by hand.

use super::super::{Transcript, TranscriptContext, testing::fixture};
use super::{totals::tokens_of as tokens, *};
use crate::domain::{AgentMode, run::event::CostSource};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

fn rollout(baseline: Usage) -> CodexRollout {
    CodexRollout::new(TranscriptContext::new(AgentMode::Interactive, baseline))
}

fn stream(baseline: Usage) -> Box<dyn Transcript> {
    let mut stream = codex_stream(TranscriptContext::new(AgentMode::Headless, baseline));
    stream.model_is("gpt-5.5");
    stream
}

fn recorded(name: &str) -> PathBuf {
    fixture("codex", "0.169.0").join(name)
}

/// The last totals, and all else that was observed.
fn parted(observed: Vec<Observation>) -> (Option<Usage>, Vec<Observation>) {
    let mut last = None;
    let mut rest = Vec::new();
    for one in observed {
        match one {
            Observation::Usage(usage) => last = Some(usage),
            Observation::Session { .. }
            | Observation::Message { .. }
            | Observation::Token { .. }
            | Observation::Interrupted { .. }
            | Observation::Ended { .. } => rest.push(one),
        }
    }
    (last, rest)
}

fn texts(observed: &[Observation]) -> Vec<&str> {
    let texts = observed.iter().filter_map(|one| match one {
        Observation::Message { text, message_id } => {
            assert!(message_id.is_some());
            Some(text.as_str())
        }
        _ => None,
    });
    texts.collect()
}

/// A recording with its tokens, dollars, milliseconds and messages.
type Recording = (&'static str, [u64; 4], f64, u64, &'static [&'static str]);

/// gpt-5.5 costs 5 dollars a million input tokens, 0.5 when cached, and 30 a million output tokens.
const ROLLOUTS: [Recording; 4] = [
    // 23452 × 5 + 52 × 30 = 118820
    (
        "rollout.interactive.jsonl",
        [23452, 52, 0, 0],
        0.118_82,
        37022,
        &["need", "fin"],
    ),
    // (13946 − 200) × 5 + 200 × 0.5 + 205 × 30 = 74980; 105 + 85 + 88 ms
    (
        "rollout.resumed.jsonl",
        [13746, 205, 200, 0],
        0.074_98,
        278,
        &["first", "second", "third"],
    ),
    // 51164 × 5 + 158 × 30 = 260560
    (
        "rollout.exec.jsonl",
        [51164, 158, 0, 0],
        0.260_56,
        592,
        &[
            "I will plan this first.",
            "Writing the file.",
            "Done: hello.txt is written and listed.",
        ],
    ),
    ("rollout.interrupted.jsonl", [0; 4], 0.0, 4105, &[]),
];

#[test]
fn recorded_rollouts_tell_messages_tokens_and_cost() {
    for (name, expected, dollars, ms, said) in ROLLOUTS {
        let path = recorded(name);
        let mut live = rollout(Usage::default());
        let (usage, rest) = parted(live.read(Some(&path)).unwrap());
        let usage = usage.unwrap();
        assert_eq!(tokens(&usage), expected, "{name}");
        assert!(
            (usage.cost_usd - dollars).abs() < 1e-9,
            "{name}: {}",
            usage.cost_usd
        );
        assert_ne!(usage.cost_source, Some(CostSource::Reported), "{name}");
        assert_eq!(usage.model.as_deref(), Some("gpt-5.5"), "{name}");
        assert_eq!(usage.duration_ms, ms, "{name}");
        assert_eq!(usage.transcript_offset, fs::metadata(&path).unwrap().len());
        assert_eq!(texts(&rest), said, "{name}");
        let ends = rest.len() - said.len();
        assert_eq!(
            ends,
            usize::from(name.contains("interrupted")),
            "{name}: {rest:#?}"
        );
        assert_eq!(live.read(Some(&path)).unwrap(), [], "{name} is told once");
    }
}

#[test]
fn an_interrupt_names_its_turn() {
    let path = recorded("rollout.interrupted.jsonl");
    let (_, rest) = parted(rollout(Usage::default()).read(Some(&path)).unwrap());
    let turn_id = Some("01a20945-ff25-70d2-81e1-6a85c9ea141c".to_owned());
    assert_eq!(rest, [Observation::Interrupted { turn_id }]);
}

#[test]
fn a_restart_at_any_line_tells_everything_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rollout.jsonl");
    for (name, expected, dollars, ms, said) in ROLLOUTS {
        let whole = fs::read(recorded(name)).unwrap();
        let ends = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        for (end, _) in ends {
            // The next record is half written.
            let half = whole.len().min(end + 40);
            fs::write(&path, &whole[..half]).unwrap();
            let (first, mut rest) = parted(rollout(Usage::default()).read(Some(&path)).unwrap());
            fs::write(&path, &whole).unwrap();
            let mut later = rollout(first.clone().unwrap_or_default());
            let (last, more) = parted(later.read(Some(&path)).unwrap());
            rest.extend(more);
            assert_eq!(texts(&rest), said, "{name} at {end}");
            let usage = last.or(first).unwrap();
            assert_eq!(
                (tokens(&usage), usage.duration_ms),
                (expected, ms),
                "{name} at {end}"
            );
            assert!((usage.cost_usd - dollars).abs() < 1e-9, "{name} at {end}");
        }
    }
}

fn counted(sum: [u64; 4], last: [u64; 4]) -> Value {
    let usage = |[input, output, read, write]: [u64; 4]| {
        json!({"input_tokens": input, "output_tokens": output, "cached_input_tokens": read,
            "cache_write_input_tokens": write})
    };
    json!({"type": "event_msg", "payload": {"type": "token_count", "info": {
        "total_token_usage": usage(sum), "last_token_usage": usage(last)}}})
}

fn written(folder: &tempfile::TempDir, name: &str, rows: &[Value]) -> PathBuf {
    let path = folder.path().join(name);
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    fs::write(&path, lines).unwrap();
    path
}

fn context(model: &str) -> Value {
    json!({"type": "turn_context", "payload": {"model": model}})
}

#[test]
fn each_thread_adds_its_own_tokens_at_the_price_of_its_model() {
    let folder = tempfile::tempdir().unwrap();
    let one = [
        json!({"type": "session_meta", "payload": {"id": "one"}}),
        context("gpt-5.5"),
        counted([1000, 100, 200, 300], [1000, 100, 200, 300]),
        json!({"type": "event_msg", "payload": {"type": "token_count", "info": null}}),
        context("gpt-6-sol"),
        counted([3000, 200, 200, 300], [2000, 100, 0, 0]),
    ];
    // Its first sum has all of its parent's.
    let two = [
        json!({"type": "session_meta", "payload": {"id": "two", "forked_from_id": "one"}}),
        context("no-such-model"),
        counted([3500, 210, 300, 300], [500, 10, 100, 0]),
        counted([4500, 220, 300, 300], [1000, 10, 0, 0]),
    ];
    let one = written(&folder, "one.jsonl", &one);
    let two = written(&folder, "two.jsonl", &two);
    let mut live = rollout(Usage::default());
    let (first, _) = parted(live.read(Some(&one)).unwrap());
    let first = first.unwrap();
    assert_eq!(tokens(&first), [2500, 200, 200, 300]);
    // 500 × 5 + 100 × 30 + 200 × 0.5 + 300 × 5 = 7100; 2000 × 2 + 100 × 10 = 5000
    assert!((first.cost_usd - 0.0121).abs() < 1e-9, "{}", first.cost_usd);
    assert_eq!(first.cost_source, Some(CostSource::Estimated));
    let (second, _) = parted(live.read(Some(&two)).unwrap());
    let second = second.unwrap();
    assert_eq!(tokens(&second), [2500 + 1400, 220, 300, 300]);
    assert!(
        (second.cost_usd - 0.0121).abs() < 1e-9,
        "an unknown model has no price"
    );
    // Another reader goes on in the second thread.
    let mut again = rollout(second.clone());
    assert_eq!(again.read(Some(&two)).unwrap(), []);
    let elsewhere = Usage {
        transcript_offset: 0,
        ..first
    };
    let (usage, _) = parted(rollout(elsewhere).read(Some(&two)).unwrap());
    assert_eq!(usage.map(|usage| tokens(&usage)), Some(tokens(&second)));
}

#[test]
fn tokens_of_subagents_count_and_their_texts_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let event = |payload: Value| json!({"type": "event_msg", "payload": payload});
    let spawns = |id: &str| {
        let item = json!({"type": "CollabAgentToolCall", "receiver_thread_ids": [id]});
        event(json!({"type": "item_completed", "item": item}))
    };
    let main = [
        context("gpt-5.5"),
        spawns("sub-1"),
        counted([1000, 10, 0, 0], [1000, 10, 0, 0]),
    ];
    let main = written(&folder, "rollout-1-main.jsonl", &main);
    let mut live = rollout(Usage::default());
    let (alone, _) = parted(live.read(Some(&main)).unwrap());
    assert_eq!(tokens(&alone.unwrap()), [1000, 10, 0, 0]);
    let said =
        json!({"type": "AgentMessage", "id": "m", "content": [{"type": "Text", "text": "Hi"}]});
    let sub = |spawned: Value| {
        [
            context("gpt-6-sol"),
            event(json!({"type": "item_completed", "item": said.clone()})),
            event(json!({"type": "turn_aborted", "reason": "interrupted", "duration_ms": 5})),
            counted([2000, 20, 0, 0], [2000, 20, 0, 0]),
            spawned,
        ]
    };
    written(&folder, "rollout-2-sub-1.jsonl", &sub(spawns("sub-2")));
    written(&folder, "rollout-3-sub-2.jsonl", &sub(spawns("sub-1")));
    written(&folder, "rollout-4-other.jsonl", &sub(spawns("sub-1")));
    let (all, rest) = parted(live.read(Some(&main)).unwrap());
    let all = all.unwrap();
    assert_eq!((tokens(&all), rest), ([5000, 50, 0, 0], Vec::new()));
    // 1000 × 5 + 10 × 30 = 5300; twice 2000 × 2 + 20 × 10 = 4200
    assert!((all.cost_usd - 0.0137).abs() < 1e-9, "{}", all.cost_usd);
    assert_eq!(all.model.as_deref(), Some("gpt-5.5"));
    assert_eq!(rollout(all).read(Some(&main)).unwrap(), []);
}

#[test]
fn a_failed_turn_says_why_and_other_endings_say_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let event = |payload: Value| json!({"type": "event_msg", "payload": payload});
    let failed = |message: &str| {
        event(
            json!({"type": "task_complete", "turn_id": "t1", "duration_ms": 68,
            "error": {"message": message, "codex_error_info": "other"}}),
        )
    };
    let answer = json!({"type": "error", "error": {"message": "bad thing"}}).to_string();
    let rows = [
        failed(&answer),
        failed("unexpected status 529"),
        failed(" "),
        event(json!({"type": "task_complete", "turn_id": "t2", "last_agent_message": "fine"})),
        event(json!({"type": "turn_aborted", "turn_id": "t3", "reason": "replaced"})),
        event(json!({"type": "item_completed", "item": {"type": "AgentMessage", "content": []}})),
        json!({"type": "compacted"}),
        json!([]),
    ];
    let path = written(&folder, "rollout.jsonl", &rows);
    let (usage, rest) = parted(rollout(Usage::default()).read(Some(&path)).unwrap());
    let ended = |why: &str| Observation::Ended {
        failure: Some(why.to_owned()),
        turn_id: Some("t1".to_owned()),
    };
    let nothing = "Codex could not continue and gave no reason";
    assert_eq!(
        rest,
        [
            ended("bad thing"),
            ended("unexpected status 529"),
            ended(nothing)
        ]
    );
    assert_eq!(usage.map(|usage| usage.duration_ms), Some(204));
}

#[test]
fn no_file_yet_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rollout.jsonl");
    let mut live = rollout(Usage::default());
    assert_eq!(live.read(None).unwrap(), []);
    assert_eq!(live.read(Some(&path)).unwrap(), []);
    fs::copy(recorded("rollout.exec.jsonl"), &path).unwrap();
    assert_eq!(texts(&live.read(Some(&path)).unwrap()).len(), 3);
}

#[test]
fn a_recorded_stream_tells_the_whole_turn() {
    let bytes = fs::read(recorded("exec-json.default-scenario.jsonl")).unwrap();
    for piece in [1, 7, bytes.len()] {
        let mut live = stream(Usage::default());
        let observed = bytes
            .chunks(piece)
            .flat_map(|bytes| live.feed(bytes))
            .collect();
        let (usage, rest) = parted(observed);
        let session = Observation::Session {
            session_id: "01a2094f-54d8-7542-b810-cb7660584963".into(),
            cli_version: None,
            model: Some("gpt-5.5".into()),
        };
        assert_eq!(rest.first(), Some(&session));
        assert_eq!(texts(&rest), ROLLOUTS[2].4);
        let ended = Observation::Ended {
            failure: None,
            turn_id: None,
        };
        assert_eq!(rest.last(), Some(&ended));
        let usage = usage.unwrap();
        assert_eq!(tokens(&usage), [51164, 158, 0, 0]);
        assert!((usage.cost_usd - 0.260_56).abs() < 1e-9);
        assert_eq!(usage.cost_source, Some(CostSource::Estimated));
    }
}

#[test]
fn a_stream_fails_by_its_last_word_alone() {
    let url = "http://127.0.0.1:18080/v1/responses";
    let overloaded =
        format!("unexpected status 529 <unknown status code>: scripted failure, url: {url}");
    for (name, why) in [("400", "bad thing"), ("529", overloaded.as_str())] {
        let text = fs::read_to_string(recorded(&format!("exec-json.error-{name}.jsonl"))).unwrap();
        // As a terminal shows it.
        let text = text.replace('\n', "\u{1b}[0m\r\n");
        let (_, rest) = parted(stream(Usage::default()).feed(text.as_bytes()));
        let failure = Some(why.to_owned());
        let ended = Observation::Ended {
            failure,
            turn_id: None,
        };
        assert_eq!(rest.len(), 2, "{rest:#?}");
        assert_eq!(rest.last(), Some(&ended));
    }
}

#[test]
fn sums_of_a_resumed_stream_are_the_runs() {
    let lines = |input: u64, output: u64| {
        let start = json!({"type": "thread.started", "thread_id": "t"});
        let turn = json!({"type": "turn.started"});
        let done = json!({"type": "turn.completed", "usage": {"input_tokens": input,
            "cached_input_tokens": 200, "output_tokens": output}});
        format!("{start}\n{turn}\n{done}\n")
    };
    let (first, _) = parted(stream(Usage::default()).feed(lines(1000, 100).as_bytes()));
    let first = first.unwrap();
    assert_eq!(tokens(&first), [800, 100, 200, 0]);
    let baseline = Usage {
        transcript_offset: 0,
        ..first
    };
    let (second, _) = parted(stream(baseline).feed(lines(2000, 200).as_bytes()));
    let second = second.unwrap();
    assert_eq!(tokens(&second), [1800, 200, 200, 0]);
    // 1800 × 5 + 200 × 0.5 + 200 × 30 = 15100
    assert!(
        (second.cost_usd - 0.0151).abs() < 1e-9,
        "{}",
        second.cost_usd
    );
}
