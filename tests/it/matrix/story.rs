//! The story of a run: the part of its events that is the same every time it is played.
//!
//! Hooks of one moment, the transcript and the terminal reach the log in any order among each
//! other, so the story has threads: in each of them the order holds. Ids are named by the order of
//! their appearance, times and sizes are left out.

use super::cell::Cell;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Longer texts are cut.
const CHARS_SHOWN: usize = 70;

/// An event type and the fields of it that are told.
type Told = (&'static str, &'static [&'static str]);

/// Threads, and the types of each with the fields that the story tells.
const THREADS: [(&str, &[Told]); 6] = [
    (
        "run",
        &[
            ("run.created", &["task", "source_branch"]),
            ("run.started", &["by"]),
            ("run.paused", &["by", "last_message"]),
            ("run.completed", &["reason", "exit_code"]),
            ("run.failed", &["stage", "reason"]),
            ("run.cancelled", &[]),
            ("run.stop_requested", &["by"]),
            ("user.message", &["text", "by", "delivered_by"]),
            ("message.typing", &[]),
            ("message.not_taken", &["reason"]),
        ],
    ),
    (
        "process",
        &[
            ("worktree.created", &[]),
            ("process.launching", &["attempt"]),
            ("process.spawned", &["attempt"]),
            ("process.exited", &["exit_code", "signal", "by"]),
        ],
    ),
    ("session", &[("session.init", &["session_id", "model"])]),
    (
        "tools",
        &[
            ("agent.tool_call", &["tool_name", "tool_use_id"]),
            ("agent.tool_result", &["tool_name", "tool_use_id", "error"]),
            ("agent.needs_attention", &["kind", "message", "tool_name"]),
        ],
    ),
    (
        "subagents",
        &[
            ("agent.subagent_start", &["agent_id", "agent_type"]),
            (
                "agent.subagent_stop",
                &["agent_id", "agent_type", "last_message"],
            ),
        ],
    ),
    ("said", &[("agent.message", &["text"])]),
];

/// Told in a way of their own, below.
const APART: [&str; 5] = [
    "agent.token",
    "run.quiet",
    "run.result",
    "run.checkpointed",
    "hook.received",
];

/// Ids, each with the letter of its names.
const IDS: [(&str, &str); 3] = [
    ("session_id", "session"),
    ("tool_use_id", "call"),
    ("agent_id", "agent"),
];

/// The story; `view` is the run as it stood before it was ended.
pub fn tell(view: &Value, events: &[Value]) -> String {
    let events = &settled(events);
    let mut names = Names::default();
    let mut story = state(view);
    for (thread, types) in THREADS {
        writeln!(story, "\n[{thread}]").unwrap();
        let mut before = String::new();
        for event in events {
            let kind = event["event_type"].as_str().unwrap();
            let Some((_, keys)) = types.iter().find(|(name, _)| *name == kind) else {
                assert!(known(kind), "no thread tells {kind}");
                continue;
            };
            let payload = &event["payload"];
            if kind == "agent.tool_result" && asked(events, payload).is_some() {
                continue;
            }
            // How long a cell takes is no part of its story: a CLI asks again when nobody answers.
            let repeats = kind == "agent.needs_attention" && before.starts_with(kind);
            let slow = ["idle_prompt", "no_hook"]
                .iter()
                .any(|it| payload["kind"] == *it);
            if repeats || slow {
                continue;
            }
            before = line(kind, payload, keys, &mut names);
            story.push_str(&before);
            // A call and its result are told together: calls of a subagent may lie between them.
            if kind == "agent.tool_call" {
                let result = events.iter().find(|other| {
                    other["event_type"] == "agent.tool_result"
                        && other["payload"]["tool_use_id"] == payload["tool_use_id"]
                });
                if let Some(result) = result {
                    let keys = ["error"];
                    let told = line("agent.tool_result", &result["payload"], &keys, &mut names);
                    story.push_str(&told);
                }
            }
        }
    }
    story.push_str(&apart(events));
    story
}

/// The call that this is the result of.
fn asked<'a>(events: &'a [Value], result: &Value) -> Option<&'a Value> {
    events.iter().find(|event| {
        event["event_type"] == "agent.tool_call"
            && event["payload"]["tool_use_id"] == result["tool_use_id"]
    })
}

/// The events without what depends on the moment: how far a CLI comes with its good-byes before
/// it is ended, and helpers of its own (for titles and summaries) that end without a beginning.
fn settled(events: &[Value]) -> Vec<Value> {
    let mut ending = false;
    let mut settled = Vec::new();
    for event in events {
        let kind = event["event_type"].as_str().unwrap();
        let mut event = event.clone();
        if kind == "run.stop_requested" {
            ending = true;
        } else if kind == "process.launching" {
            ending = false;
        }
        let bye = kind.starts_with("agent.") || kind == "hook.received" || kind == "run.result";
        if ending && bye || event["payload"]["agent_type"] == "" {
            continue;
        }
        if ending && kind == "process.exited" {
            event["payload"]["exit_code"] = Value::Null;
            event["payload"]["signal"] = Value::Null;
        }
        settled.push(event);
    }
    settled
}

fn known(kind: &str) -> bool {
    let told = THREADS
        .iter()
        .any(|(_, types)| types.iter().any(|(name, _)| *name == kind));
    told || APART.contains(&kind)
}

fn state(view: &Value) -> String {
    let shown = |key: &str| shown(&view[key]);
    format!(
        "status={} reason={} attention={} alive={} exit_code={}\n\
         tokens_in={} tokens_out={} tokens_cache_read={} tokens_cache_write={}\n",
        shown("status"),
        shown("reason"),
        self::shown(&view["attention"]["kind"]),
        view["process"]["alive"],
        view["process"]["exit_code"],
        view["tokens_in"],
        view["tokens_out"],
        view["tokens_cache_read"],
        view["tokens_cache_write"],
    )
}

fn line(kind: &str, payload: &Value, keys: &[&str], names: &mut Names) -> String {
    let mut line = kind.to_owned();
    for key in keys {
        let value = match IDS.iter().find(|(id, _)| id == key) {
            Some((_, prefix)) => names.of(prefix, &payload[key]),
            None => shown(&payload[key]),
        };
        if value != "null" {
            write!(line, " {key}={value}").unwrap();
        }
    }
    line.push('\n');
    line
}

/// What order and number of depend on the moment.
fn apart(events: &[Value]) -> String {
    let of = |kind: &'static str| {
        let events = events.iter();
        events
            .filter(move |event| event["event_type"] == kind)
            .map(|event| &event["payload"])
    };
    let mut story = "\n[streamed]\n".to_owned();
    let mut texts: Vec<(&Value, usize)> = Vec::new();
    for token in of("agent.token") {
        let chars = token["text"].as_str().unwrap().chars().count();
        match texts.iter_mut().find(|(id, _)| *id == &token["message_id"]) {
            Some((_, sum)) => *sum += chars,
            None => texts.push((&token["message_id"], chars)),
        }
    }
    for (_, chars) in texts {
        writeln!(story, "agent.token characters={chars}").unwrap();
    }
    story.push_str("\n[result]\n");
    if let Some(last) = of("run.result").next_back() {
        // A CLI that is paused may tell its own cost before it ends, or not.
        let paused = of("run.stop_requested").any(|stop| stop["by"] == "pause");
        let keys = ["num_turns", "model", "cost_usd", "cost_source"];
        let keys = if paused { &keys[..2] } else { &keys[..] };
        story.push_str(&line("run.result", last, keys, &mut Names::default()));
    }
    story.push_str("\n[checkpoints]\n");
    for checkpoint in of("run.checkpointed") {
        let keys = ["number", "reason"];
        story.push_str(&line(
            "run.checkpointed",
            checkpoint,
            &keys,
            &mut Names::default(),
        ));
    }
    story.push_str("\n[other hooks]\n");
    let mut hooks: BTreeMap<String, usize> = BTreeMap::new();
    for hook in of("hook.received").filter(|hook| hook["hook_event_name"] != "Notification") {
        let name = hook["hook_event_name"].as_str().unwrap();
        *hooks.entry(name.to_owned()).or_default() += 1;
    }
    for (name, times) in hooks {
        writeln!(story, "hook.received {name} times={times}").unwrap();
    }
    story
}

fn shown(value: &Value) -> String {
    let Value::String(text) = value else {
        return value.to_string();
    };
    let count = text.chars().count();
    let cut: String = text.chars().take(CHARS_SHOWN).collect();
    if count <= CHARS_SHOWN {
        return format!("{cut:?}");
    }
    format!("{cut:?}+{}", count - CHARS_SHOWN)
}

/// `session 1`, `call 3`.
#[derive(Default)]
struct Names(BTreeMap<&'static str, Vec<Value>>);

impl Names {
    fn of(&mut self, prefix: &'static str, id: &Value) -> String {
        if id.is_null() {
            return "null".to_owned();
        }
        let known = self.0.entry(prefix).or_default();
        let at = known
            .iter()
            .position(|other| other == id)
            .unwrap_or_else(|| {
                known.push(id.clone());
                known.len() - 1
            });
        format!("{prefix}-{}", at + 1)
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/matrix")
}

/// The reviewed story must be this one.
pub fn check(cell: Cell, name: &str, story: &str) {
    let path = folder().join(cell.name()).join(format!("{name}.txt"));
    if std::env::var_os("ABBADO_WRITE_STORIES").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, story).unwrap();
        return;
    }
    let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        reviewed == story,
        "{} differs: {}\ntold:\n{story}",
        path.display(),
        difference(&reviewed, story),
    );
}

/// Lines that one story has more often than the other, on one line: a log may be cut after it.
fn difference(reviewed: &str, told: &str) -> String {
    let mut counts: BTreeMap<&str, i32> = BTreeMap::new();
    for line in told.lines() {
        *counts.entry(line).or_default() += 1;
    }
    for line in reviewed.lines() {
        *counts.entry(line).or_default() -= 1;
    }
    let shown = counts.iter().filter(|(_, count)| **count != 0);
    let shown: Vec<_> = shown.map(|(line, n)| format!("{n:+} «{line}»")).collect();
    if shown.is_empty() {
        return "the same lines in another order".to_owned();
    }
    shown.join(", ")
}

/// All reviewed stories: `claude-2.1.330/headless/task` and what it tells.
pub fn all() -> Vec<(String, String)> {
    let mut stories = Vec::new();
    let entries = |path: PathBuf| {
        std::fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
    };
    for program in entries(folder()) {
        for path in entries(program).flat_map(entries) {
            let name = path.strip_prefix(folder()).unwrap().with_extension("");
            stories.push((
                name.display().to_string(),
                std::fs::read_to_string(&path).unwrap(),
            ));
        }
    }
    stories.sort();
    stories
}
