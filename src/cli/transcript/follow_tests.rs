//! Rows in the form that Gemini CLI 0.61.0, Qwen Code 0.15.10 and OpenCode 1.18.33 wrote them.

use super::{gemini_chat, gemini_stream, opencode_stream, qwen_chat, qwen_stream};
use crate::cli::{Transcript, TranscriptContext};
use crate::domain::{
    AgentMode,
    run::command::{Observation, Usage},
};
use std::path::Path;

type Make = fn(TranscriptContext) -> Box<dyn Transcript>;

fn usage(observed: &[Observation]) -> Usage {
    let mut usages = observed.iter().rev().filter_map(|one| match one {
        Observation::Usage(usage) => Some(usage.clone()),
        _ => None,
    });
    usages.next().unwrap()
}

fn texts(observed: &[Observation]) -> Vec<&str> {
    let said = observed.iter().filter_map(|one| match one {
        Observation::Message { text, .. } => Some(text.as_str()),
        _ => None,
    });
    said.collect()
}

fn failure(observed: &[Observation]) -> Option<&str> {
    observed.iter().find_map(|one| match one {
        Observation::Ended { failure, .. } => failure.as_deref(),
        _ => None,
    })
}

fn tokens(usage: &Usage) -> [u64; 3] {
    [usage.tokens_in, usage.tokens_out, usage.tokens_cache_read]
}

/// Reads the first rows, then all of them by a reader that knows only the totals so far.
fn read_in_two(make: Make, rows: &[&str], first: usize) -> (Vec<Observation>, Vec<Observation>) {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("chat.jsonl");
    let write = |rows: &[&str]| std::fs::write(&at, rows.join("\n") + "\n").unwrap();
    let read = |baseline: Usage, path: &Path| {
        make(TranscriptContext::new(AgentMode::Interactive, baseline))
            .read(Some(path))
            .unwrap()
    };
    write(&rows[..first]);
    let before = read(Usage::default(), &at);
    write(rows);
    let after = read(usage(&before), &at);
    (before, after)
}

#[test]
fn a_gemini_chat_is_counted_once_over_repeated_rows_and_a_restart() {
    let row = r#"{"id":"a","type":"gemini","content":"One.","tokens":{"input":100,"output":10,"cached":40,"thoughts":2},"model":"g"}"#;
    let next = r#"{"id":"b","type":"gemini","content":"Two.","tokens":{"input":50,"output":5,"cached":0,"thoughts":0},"model":"g"}"#;
    let info = r#"{"id":"c","type":"info","content":"Request cancelled."}"#;
    let error = r#"{"id":"d","type":"error","content":"no luck"}"#;
    let rows = ["{\"$set\":{}}", row, row, row, next, info, error];
    let (before, after) = read_in_two(gemini_chat, &rows, 3);
    assert_eq!(texts(&before), ["One."]);
    assert_eq!(tokens(&usage(&before)), [60, 12, 40]);
    assert_eq!(texts(&after), ["Two."]);
    assert_eq!(tokens(&usage(&after)), [110, 17, 40]);
    let interrupted = |one: &Observation| matches!(one, Observation::Interrupted { .. });
    assert_eq!(after.iter().filter(|one| interrupted(one)).count(), 1);
    assert_eq!(failure(&after), Some("Gemini could not continue: no luck"));
}

#[test]
fn a_qwen_chat_is_counted_once_over_a_restart() {
    let one = r#"{"uuid":"a","type":"assistant","model":"q","message":{"role":"model","parts":[{"text":"hm","thought":true},{"text":"One."},{"functionCall":{}}]},"usageMetadata":{"cachedContentTokenCount":40,"promptTokenCount":100,"candidatesTokenCount":10}}"#;
    let two = one.replace("\"a\"", "\"b\"").replace("One.", "Two.");
    let (before, after) = read_in_two(qwen_chat, &[r#"{"type":"user"}"#, one, &two], 2);
    assert_eq!(
        (texts(&before), texts(&after)),
        (vec!["One."], vec!["Two."])
    );
    assert_eq!(tokens(&usage(&before)), [60, 10, 40]);
    assert_eq!(tokens(&usage(&after)), [120, 20, 80]);
}

fn stream(make: Make, baseline: Usage, rows: &[&str]) -> Vec<Observation> {
    let mut reader = make(TranscriptContext::new(AgentMode::Headless, baseline));
    reader.feed((rows.join("\r\n") + "\r\n").as_bytes())
}

#[test]
fn a_qwen_that_calls_a_failure_a_success_failed() {
    let said = "[API Error: 400 no luck]";
    let answer = format!(
        r#"{{"type":"assistant","message":{{"id":"a","content":[{{"type":"text","text":"{said}"}}]}}}}"#
    );
    let result = format!(
        r#"{{"type":"result","subtype":"success","is_error":false,"result":"{said}","usage":{{"input_tokens":0,"output_tokens":0}}}}"#
    );
    let observed = stream(qwen_stream, Usage::default(), &[&answer, &result]);
    assert_eq!(failure(&observed), Some(said));
    assert!(texts(&observed).is_empty());
}

/// The sum of a resumed Qwen counts what was counted before.
#[test]
fn the_sum_of_a_qwen_counts_in_the_first_process_only() {
    let answer = r#"{"type":"assistant","message":{"id":"a","model":"q","content":[],"usage":{"input_tokens":30,"output_tokens":3}}}"#;
    let result = r#"{"type":"result","subtype":"success","is_error":false,"result":"x","usage":{"input_tokens":100,"output_tokens":10}}"#;
    let first = usage(&stream(qwen_stream, Usage::default(), &[answer, result]));
    assert_eq!(tokens(&first), [100, 10, 0]);
    let mut baseline = first;
    baseline.transcript_offset = 0;
    let second = usage(&stream(qwen_stream, baseline, &[answer, result]));
    assert_eq!(tokens(&second), [130, 13, 0]);
}

#[test]
fn a_gemini_stream_tells_whole_messages_and_sums() {
    let observed = stream(
        gemini_stream,
        Usage::default(),
        &[
            r#"{"type":"init","session_id":"s","model":"g"}"#,
            r#"{"type":"message","role":"assistant","content":"On","delta":true}"#,
            r#"{"type":"message","role":"assistant","content":"e.","delta":true}"#,
            r#"{"type":"tool_use","tool_name":"t"}"#,
            r#"{"type":"result","status":"error","error":{"message":"no luck"},"stats":{"output_tokens":5,"input":7,"cached":2,"models":{"g":{"output_tokens":5,"input":7,"cached":2}}}}"#,
        ],
    );
    assert_eq!(texts(&observed), ["One."]);
    assert_eq!(tokens(&usage(&observed)), [7, 5, 2]);
    assert_eq!(failure(&observed), Some("no luck"));
}

#[test]
fn an_opencode_stream_tells_its_own_cost() {
    let step = r#"{"type":"step_finish","part":{"messageID":"m","tokens":{"input":7,"output":4,"reasoning":1,"cache":{"write":0,"read":2}},"cost":0.25}}"#;
    let text = r#"{"type":"text","part":{"messageID":"m","text":"One."}}"#;
    let first = stream(opencode_stream, Usage::default(), &[text, step, step]);
    assert_eq!(texts(&first), ["One."]);
    let first = usage(&first);
    assert_eq!(tokens(&first), [14, 10, 4]);
    assert!((first.cost_usd - 0.5).abs() < 1e-9);
    let mut baseline = first;
    baseline.transcript_offset = 0;
    let error = r#"{"type":"error","error":{"name":"APIError","data":{"message":"no luck"}}}"#;
    let second = stream(opencode_stream, baseline, &[step, error]);
    assert!((usage(&second).cost_usd - 0.75).abs() < 1e-9);
    assert_eq!(failure(&second), Some("no luck"));
}
