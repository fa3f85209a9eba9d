//! Translates hook payloads of every CLI that uses Claude's event names.
//!
//! Claude Code does, Codex nearly, and programs of the adapter `command` may. Gemini's names for a
//! prompt and the end of a turn are understood as well: [`stored_signal`] knows no adapter. The
//! payload is passed on unchanged, so that the log has fields that are not read here.

use super::CliError;
use crate::domain::run::{
    approval::{ApprovalKind, Choice, Question},
    callers::Callers,
    command::{Hook, Signal},
    event::{HookSignal, NeedsAttention, SubagentStart, SubagentStop, ToolCall, ToolResult},
};
use serde_json::Value;

/// Keys that may hold the event's name; the first present one counts.
pub(super) const NAME_KEYS: [&str; 3] = ["hook_event_name", "event_name", "hookEventName"];

/// Most characters of a tool's input in a sentence for people.
const INPUT_CHARS_MAX: usize = 200;

/// Longest input of a question or plan that is given back with its answer, in bytes.
const INPUT_BYTES_MAX: usize = 256 * 1024;

/// Claude's mark of a prompt that it submits by itself when background work is done.
const MACHINE_PROMPT: &str = "<task-notification>";

/// Translates a payload. `speaker` is the CLI's name in sentences ("Claude").
///
/// # Errors
/// When the payload has no event name.
pub(crate) fn translate(payload: Value, speaker: &str) -> Result<Hook, CliError> {
    let named = NAME_KEYS.iter().find_map(|key| payload.get(*key));
    let name = named
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty());
    let name = name.ok_or(CliError::NoEventName)?.to_owned();
    // MessageDisplay has a turn_id of its own that no other event of the turn repeats.
    let turn_id = text(&payload, "prompt_id")
        .or_else(|| text(&payload, "turn_id").filter(|_| name != "MessageDisplay"));
    let subagent = text(&payload, "agent_id").is_some();
    Ok(Hook {
        session_id: text(&payload, "session_id").filter(|id| !id.is_empty()),
        turn_id,
        // Codex gives a subagent's own path there. The last hook of a session that the CLI has left
        // (by /clear) may come when it ends, and would lead back to a file that was read.
        transcript_path: text(&payload, "transcript_path")
            .filter(|path| !path.is_empty() && !subagent && name != "SessionEnd")
            .map(Into::into),
        model: text(&payload, "model"),
        subagent,
        signal: signal(&name, &payload, speaker),
        name,
        callers: Callers::default(),
        terms: None,
        payload,
    })
}

fn signal(name: &str, payload: &Value, speaker: &str) -> Signal {
    match name {
        "SessionStart" => {
            let source = payload.get("source").and_then(Value::as_str);
            Signal::SessionStarted {
                switches: source.is_some_and(|source| source != "startup"),
            }
        }
        "UserPromptSubmit" | "BeforeAgent" => {
            let prompt = text(payload, "prompt").unwrap_or_default();
            let text = unpacked(&prompt).to_owned();
            let machine = text.trim_start().starts_with(MACHINE_PROMPT);
            // The agent submitted it to its subagent.
            let machine = machine || payload.get("agent_id").is_some();
            Signal::Prompt { text, machine }
        }
        "PreToolUse" => Signal::ToolCall(ToolCall {
            tool_name: text(payload, "tool_name").unwrap_or_default(),
            tool_input: payload.get("tool_input").cloned().unwrap_or(Value::Null),
            tool_use_id: text(payload, "tool_use_id"),
            agent_id: text(payload, "agent_id"),
        }),
        "PostToolUse" | "PostToolUseFailure" => Signal::ToolResult(tool_result(name, payload)),
        "Notification" => notification(payload, speaker),
        "PermissionRequest" => Signal::Asks {
            question: question(payload),
            needs: permission(payload, speaker),
        },
        "SubagentStart" => Signal::SubagentStart(SubagentStart {
            agent_id: text(payload, "agent_id").unwrap_or_default(),
            agent_type: text(payload, "agent_type").unwrap_or_default(),
            last_message: None,
        }),
        "SubagentStop" => Signal::SubagentStop(SubagentStop {
            agent_id: text(payload, "agent_id").unwrap_or_default(),
            agent_type: text(payload, "agent_type").unwrap_or_default(),
            last_message: text(payload, "last_assistant_message"),
        }),
        "MessageDisplay" => match text(payload, "delta").filter(|delta| !delta.is_empty()) {
            Some(delta) => Signal::Token {
                text: delta,
                message_id: text(payload, "message_id"),
            },
            None => Signal::Other,
        },
        "Stop" | "AfterAgent" => Signal::TurnEnded {
            last_message: text(payload, "last_assistant_message")
                .or_else(|| text(payload, "prompt_response")),
            background: background(payload),
        },
        "StopFailure" => Signal::TurnFailed {
            reason: failure(payload, speaker),
        },
        "Interrupt" => Signal::Interrupted,
        "SessionEnd" => {
            let reason = payload.get("reason").and_then(Value::as_str);
            Signal::SessionEnded {
                continues: matches!(reason, Some("clear" | "resume")),
            }
        }
        "PreCompact" => Signal::Compacting,
        "PostCompact" => Signal::Compacted,
        _ => Signal::Other,
    }
}

/// The signal of a `hook.received` that abbado 0.1.0 stored: it stored the name alone.
#[must_use]
pub(crate) fn stored_signal(name: &str) -> Option<HookSignal> {
    match name {
        "UserPromptSubmit" | "BeforeAgent" => Some(HookSignal::Prompt),
        "Stop" | "AfterAgent" => Some(HookSignal::TurnEnded),
        "SessionEnd" => Some(HookSignal::SessionEnded),
        "PreCompact" => Some(HookSignal::Compacting),
        "PostCompact" => Some(HookSignal::Compacted),
        _ => None,
    }
}

/// Strips the marks that Claude 2.1.330 puts around a prompt that is one long paste:
/// `<pasted_content id="c3ea">`, a line end, the text, and the same again as its end.
fn unpacked(prompt: &str) -> &str {
    let inner = || {
        let (id, rest) = prompt
            .trim()
            .strip_prefix("<pasted_content id=\"")?
            .split_once("\">\n")?;
        let text = rest.strip_suffix("\">")?.strip_suffix(id)?;
        let text = text.strip_suffix("\n</pasted_content id=\"")?;
        (!text.contains("<pasted_content id=")).then_some(text)
    };
    inner().unwrap_or(prompt)
}

fn tool_result(name: &str, payload: &Value) -> ToolResult {
    let failed = name == "PostToolUseFailure";
    let error = failed.then(|| match payload.get("error") {
        Some(Value::String(error)) => error.clone(),
        Some(other) if !other.is_null() => other.to_string(),
        Some(_) | None => "the tool failed without a message".to_owned(),
    });
    ToolResult {
        tool_name: text(payload, "tool_name").unwrap_or_default(),
        tool_use_id: text(payload, "tool_use_id"),
        tool_response: value(payload, "tool_response"),
        error,
        agent_id: text(payload, "agent_id"),
    }
}

fn notification(payload: &Value, speaker: &str) -> Signal {
    let kind = text(payload, "notification_type").unwrap_or_default();
    if !matches!(kind.as_str(), "permission_prompt" | "idle_prompt") {
        return Signal::Other;
    }
    let message = text(payload, "message").filter(|message| !message.trim().is_empty());
    let message = message.unwrap_or_else(|| format!("{speaker} is waiting for a person"));
    Signal::NeedsAttention(NeedsAttention {
        kind,
        message,
        tool_name: None,
        tool_input: None,
    })
}

fn permission(payload: &Value, speaker: &str) -> NeedsAttention {
    let tool_name = text(payload, "tool_name");
    let tool_input = value(payload, "tool_input");
    let tool = tool_name.as_deref().unwrap_or("a tool");
    let question = tool_input
        .as_ref()
        .and_then(|input| input.pointer("/questions/0/question"));
    let message = match (
        question.and_then(Value::as_str),
        tool_input.as_ref().and_then(gist),
    ) {
        (Some(question), _) => format!("{speaker} asks: {}", shortened(question)),
        (None, Some(gist)) => format!("{speaker} asks for permission to use {tool}: {gist}"),
        (None, None) => format!("{speaker} asks for permission to use {tool}"),
    };
    NeedsAttention {
        kind: "permission_prompt".into(),
        message,
        tool_name,
        tool_input,
    }
}

/// What can be answered. Claude's own tools for questions and plans ask by the same hook.
fn question(payload: &Value) -> Question {
    let grants = value(payload, "permission_suggestions");
    let grants = grants.filter(|list| list.as_array().is_some_and(|list| !list.is_empty()));
    // What is that long is cut in the log, and could not be given back whole.
    let whole = payload
        .get("tool_input")
        .is_none_or(|input| input.to_string().len() <= INPUT_BYTES_MAX);
    let answer = |choice| {
        let deny = [Choice::Deny];
        if whole {
            [choice].into_iter().chain(deny).collect()
        } else {
            deny.to_vec()
        }
    };
    let (kind, options) = match payload.get("tool_name").and_then(Value::as_str) {
        Some("AskUserQuestion") => (ApprovalKind::Question, answer(Choice::Answer)),
        Some("ExitPlanMode") => (ApprovalKind::Plan, answer(Choice::Allow)),
        _ if grants.is_some() => (
            ApprovalKind::Permission,
            vec![Choice::Allow, Choice::AllowAlways, Choice::Deny],
        ),
        _ => (ApprovalKind::Permission, vec![Choice::Allow, Choice::Deny]),
    };
    Question {
        kind,
        options,
        grants,
    }
}

/// The part of a tool's input that describes it best.
fn gist(input: &Value) -> Option<String> {
    let keys = [
        "command",
        "file_path",
        "path",
        "url",
        "query",
        "pattern",
        "description",
    ];
    keys.iter()
        .find_map(|key| input.get(*key)?.as_str())
        .map(shortened)
}

fn shortened(text: &str) -> String {
    let mut chars = text.chars();
    let mut short: String = chars.by_ref().take(INPUT_CHARS_MAX).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}

fn background(payload: &Value) -> bool {
    let Some(Value::Array(tasks)) = payload.get("background_tasks") else {
        return false;
    };
    tasks
        .iter()
        .any(|task| task.get("status").and_then(Value::as_str) == Some("running"))
}

fn failure(payload: &Value, speaker: &str) -> String {
    let said = text(payload, "last_assistant_message").filter(|said| !said.trim().is_empty());
    said.unwrap_or_else(|| {
        let error = text(payload, "error").unwrap_or_else(|| "unknown".to_owned());
        let error = error.replace('_', " ");
        match text(payload, "error_details").filter(|details| !details.trim().is_empty()) {
            Some(details) => format!("{speaker} could not continue: {error} ({details})"),
            None => format!("{speaker} could not continue: {error}"),
        }
    })
}

/// The value of a key; null counts as absent, as in the log.
fn value(payload: &Value, key: &str) -> Option<Value> {
    payload.get(key).filter(|value| !value.is_null()).cloned()
}

fn text(payload: &Value, key: &str) -> Option<String> {
    payload.get(key)?.as_str().map(str::to_owned)
}

#[cfg(test)]
#[path = "hooks_tests.rs"]
mod tests;
