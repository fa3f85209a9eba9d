//! Every recorded payload of the real CLI, and the odd ones.

use super::super::testing::fixture;
use super::*;
use serde_json::json;

fn recorded(name: &str) -> Hook {
    let text = std::fs::read_to_string(fixture("claude", name)).unwrap();
    translate(serde_json::from_str(&text).unwrap(), "Claude").unwrap()
}

fn signal_of(payload: Value) -> Signal {
    translate(payload, "Claude").unwrap().signal
}

/// One word a signal, with what tells it apart.
fn word(signal: &Signal) -> String {
    match signal {
        Signal::SessionStarted { .. } => "session".into(),
        Signal::Prompt { machine, .. } => format!("prompt machine={machine}"),
        Signal::ToolCall(call) => format!("call {}", call.tool_name),
        Signal::ToolResult(result) => {
            let outcome = if result.error.is_some() {
                "error"
            } else {
                "response"
            };
            format!("result {} {outcome}", result.tool_name)
        }
        Signal::NeedsAttention(needs) | Signal::Asks { needs, .. } => {
            format!("attention {}: {}", needs.kind, needs.message)
        }
        Signal::SubagentStart(start) => format!("subagent {}", start.agent_type),
        Signal::SubagentStop(stop) => format!("subagent done {:?}", stop.last_message),
        Signal::Token { text, .. } => format!("token {text}"),
        Signal::TurnEnded { background, .. } => format!("stop background={background}"),
        Signal::TurnFailed { reason } => format!("failed {reason}"),
        Signal::Interrupted => "interrupted".into(),
        Signal::SessionEnded { continues } => format!("end continues={continues}"),
        Signal::Compacting => "compacting".into(),
        Signal::Compacted => "compacted".into(),
        Signal::Other => "other".into(),
    }
}

const MEANINGS: &[(&str, &str)] = &[
    ("InstructionsLoaded", "other"),
    ("MessageDisplay", "token I will plan this first."),
    ("Notification.auth_success", "other"),
    (
        "Notification.idle_prompt",
        "attention idle_prompt: Claude is waiting for your input",
    ),
    (
        "Notification.permission_prompt",
        "attention permission_prompt: Claude needs your permission",
    ),
    (
        "PermissionRequest.AskUserQuestion",
        "attention permission_prompt: Claude asks: Which color?",
    ),
    (
        "PermissionRequest.Bash",
        "attention permission_prompt: Claude asks for permission to use Bash: touch /home/dev/run/x",
    ),
    (
        "PermissionRequest.Read",
        "attention permission_prompt: Claude asks for permission to use Read: /nonexistent/f",
    ),
    ("PostCompact", "compacted"),
    ("PostModelSwitch", "other"),
    ("PostToolBatch", "other"),
    ("PostToolUse.Agent", "result Agent response"),
    (
        "PostToolUse.AskUserQuestion",
        "result AskUserQuestion response",
    ),
    ("PostToolUse.Bash", "result Bash response"),
    ("PostToolUse.Bash.in-subagent", "result Bash response"),
    ("PostToolUse.TaskCreate", "result TaskCreate response"),
    ("PostToolUse.TaskUpdate", "result TaskUpdate response"),
    ("PostToolUse.Write", "result Write response"),
    (
        "PostToolUse.run_shell_command",
        "result run_shell_command response",
    ),
    ("PostToolUseFailure.Bash", "result Bash error"),
    ("PreCompact.manual", "compacting"),
    ("PreToolUse.Agent", "call Agent"),
    ("PreToolUse.AskUserQuestion", "call AskUserQuestion"),
    ("PreToolUse.Bash", "call Bash"),
    ("PreToolUse.Bash.in-subagent", "call Bash"),
    ("PreToolUse.Read", "call Read"),
    ("PreToolUse.TaskCreate", "call TaskCreate"),
    ("PreToolUse.TaskCreate.in-subagent", "call TaskCreate"),
    ("PreToolUse.TaskUpdate", "call TaskUpdate"),
    ("PreToolUse.Write", "call Write"),
    ("PreToolUse.run_shell_command", "call run_shell_command"),
    ("SessionEnd.clear", "end continues=true"),
    ("SessionEnd.other", "end continues=false"),
    ("SessionEnd.prompt_input_exit", "end continues=false"),
    ("SessionStart.clear", "session"),
    ("SessionStart.compact", "session"),
    ("SessionStart.fork", "session"),
    ("SessionStart.resume", "session"),
    ("SessionStart.startup", "session"),
    ("Stop", "stop background=false"),
    ("Stop.background", "stop background=true"),
    (
        "StopFailure.authentication_failed",
        "failed Not logged in · Please run /login",
    ),
    (
        "StopFailure.rate_limit",
        "failed API Error: Request rejected (429) · limit",
    ),
    ("StopFailure.unknown", "failed API Error: 400 bad thing"),
    ("SubagentStart", "subagent general-purpose"),
    ("SubagentStop", "subagent done Some(\"sub done\")"),
    ("TaskCompleted", "other"),
    ("TaskCreated", "other"),
    ("UserPromptExpansion", "other"),
    ("UserPromptSubmit", "prompt machine=false"),
    ("UserPromptSubmit.task-notification", "prompt machine=true"),
];

#[test]
fn every_recorded_payload_means_what_the_contract_says() {
    let mut seen = 0;
    for version in ["2.1.197", "2.1.330"] {
        for entry in std::fs::read_dir(fixture("claude", version).join("hooks")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let stem = name.strip_suffix(".json").unwrap();
            let known = MEANINGS.iter().find(|(known, _)| *known == stem);
            let (_, meaning) = known.unwrap_or_else(|| panic!("no meaning for {stem}"));
            let hook = recorded(&format!("{version}/hooks/{name}"));
            assert_eq!(word(&hook.signal), *meaning, "{version} {stem}");
            assert!(hook.session_id.is_some(), "{version} {stem}");
            let path = hook.transcript_path.is_some();
            let follows = !hook.subagent && hook.name != "SessionEnd";
            assert_eq!(path, follows, "{version} {stem}");
            let prompt_id = hook.payload.get("prompt_id").and_then(Value::as_str);
            assert_eq!(hook.turn_id.as_deref(), prompt_id, "{version} {stem}");
            seen += 1;
        }
    }
    assert_eq!(seen, 16 + MEANINGS.len());
}

#[test]
fn the_payload_rides_along_whole() {
    let text = std::fs::read_to_string(fixture(
        "claude",
        "2.1.330/hooks/PermissionRequest.Bash.json",
    ))
    .unwrap();
    let payload: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        translate(payload.clone(), "Claude").unwrap().payload,
        payload
    );
}

#[test]
fn the_first_present_name_counts() {
    for (payload, name) in [
        (
            json!({"hook_event_name": "Stop", "event_name": "X"}),
            Some("Stop"),
        ),
        (
            json!({"event_name": "Stop", "hookEventName": "X"}),
            Some("Stop"),
        ),
        (json!({"hookEventName": "Stop"}), Some("Stop")),
        (json!({"hook_event_name": 1, "event_name": "X"}), None),
        (json!({"hook_event_name": ""}), None),
        (json!({}), None),
        (json!([]), None),
    ] {
        let hook = translate(payload.clone(), "Claude").ok();
        assert_eq!(
            hook.as_ref().map(|hook| hook.name.as_str()),
            name,
            "{payload}"
        );
    }
}

#[test]
fn payloads_with_fields_missing_or_of_another_type_are_still_taken() {
    for name in MEANINGS
        .iter()
        .map(|(name, _)| name.split('.').next().unwrap())
    {
        for odd in [json!(null), json!(7), json!([{}]), json!({"a": 1})] {
            let mut payload = json!({"hook_event_name": name});
            for key in [
                "session_id",
                "prompt",
                "tool_name",
                "tool_input",
                "delta",
                "reason",
                "error",
                "background_tasks",
                "notification_type",
                "transcript_path",
                "agent_id",
            ] {
                payload[key] = odd.clone();
            }
            assert!(translate(payload, "Claude").is_ok(), "{name} {odd}");
        }
    }
}

#[test]
fn failures_are_sentences() {
    let reason = |payload: Value| match signal_of(payload) {
        Signal::TurnFailed { reason } => reason,
        other => panic!("{other:?}"),
    };
    let stop = "StopFailure";
    assert_eq!(
        reason(json!({"hook_event_name": stop, "error": "rate_limit"})),
        "Claude could not continue: rate limit"
    );
    assert_eq!(
        reason(json!({"hook_event_name": stop, "error": "unknown", "error_details": "socket"})),
        "Claude could not continue: unknown (socket)"
    );
    let failed = signal_of(json!({"hook_event_name": "PostToolUseFailure", "tool_name": "Bash"}));
    assert_eq!(word(&failed), "result Bash error");
}

#[test]
fn other_clis_words_are_known_too() {
    assert_eq!(
        word(&signal_of(json!({"hook_event_name": "Interrupt"}))),
        "interrupted"
    );
    let hook = translate(
        json!({"hook_event_name": "Stop", "turn_id": "t", "model": "m"}),
        "X",
    )
    .unwrap();
    assert_eq!(
        (hook.turn_id.as_deref(), hook.model.as_deref()),
        (Some("t"), Some("m"))
    );
    let long = "é".repeat(500);
    let asked = signal_of(
        json!({"hook_event_name": "PermissionRequest", "tool_name": "Bash",
        "tool_input": {"command": long}}),
    );
    assert!(word(&asked).ends_with('…'));
}

#[test]
fn a_prompt_that_is_one_long_paste_is_its_text() {
    let prompt = |text: &str| {
        let payload = json!({"hook_event_name": "UserPromptSubmit", "prompt": text});
        match translate(payload, "Claude").unwrap().signal {
            Signal::Prompt { text, .. } => text,
            other => panic!("{other:?}"),
        }
    };
    let packed = "\n\n\n<pasted_content id=\"c3ea\">\na\nb \n</pasted_content id=\"c3ea\">";
    assert_eq!(prompt(packed), "a\nb ");
    for other in [
        "see <pasted_content id=\"c3ea\">\na\n</pasted_content id=\"c3ea\">",
        "<pasted_content id=\"c3ea\">\na\n</pasted_content id=\"c3eb\">",
        "<pasted_content id=\"c3ea\">",
    ] {
        assert_eq!(prompt(other), other);
    }
}

#[test]
fn a_call_in_a_subagent_names_it() {
    let told = |name: &str| match recorded(&format!("2.1.330/hooks/{name}.json")).signal {
        Signal::ToolCall(ToolCall { agent_id, .. })
        | Signal::ToolResult(ToolResult { agent_id, .. }) => agent_id,
        other => panic!("{name}: {other:?}"),
    };
    let subagent = told("PreToolUse.Bash.in-subagent");
    assert!(subagent.is_some());
    assert_eq!(told("PostToolUse.Bash.in-subagent"), subagent);
    assert_eq!(told("PreToolUse.Bash"), None);
    assert_eq!(told("PostToolUse.Bash"), None);
}
