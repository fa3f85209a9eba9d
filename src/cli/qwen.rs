//! Qwen Code: the adapter `qwen`.
//!
//! It runs with the user's own login and configuration, or with a state folder of the run's own.
//! Our hooks stand in a file of the run folder that takes the place of the system's defaults, the
//! lowest of its settings: Qwen runs them beside the user's own. What the machine's file of that
//! kind says is taken over into ours.
//!
//! Known limits: a headless turn that the API refuses ends with exit code 0, so only the output
//! stream tells it; of a resumed headless process only the last answer's tokens are known.

use super::{
    Adapter, CliError, Command, Keeper, LaunchContext, Limits, Transcript, TranscriptContext,
    argv::Argv,
    choices::{self, Choice},
    hook_files, hooks, launch,
    transcript::{qwen_chat, qwen_stream},
    typed,
};
use crate::domain::{
    AgentMode,
    run::command::{Hook, Signal},
};
use crate::files;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// The adapter.
pub(crate) struct Qwen;

/// Hooks that mean something to a run.
const HOOKS: [&str; 11] = [
    "SessionStart",
    "SessionEnd",
    "UserPromptSubmit",
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "Notification",
    "PermissionRequest",
    "SubagentStart",
    "SubagentStop",
    "Stop",
];

/// By default edits need no question, and all else follows the allowed tools.
const APPROVAL: Choice = Choice {
    key: "approval",
    words: &["auto-edit", "default", "plan", "yolo"],
};

/// Name of our settings file in the run folder, and of a private state folder.
const DEFAULTS: &str = "qwen-defaults.json";
const STATE: &str = "qwen";
/// Defaults of a machine are a few KiB.
const DEFAULTS_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Where Qwen looks for the system's settings, and for their defaults beside them.
const SYSTEM_SETTINGS: (&str, &str) = ("QWEN_CODE_SYSTEM_SETTINGS_PATH", SYSTEM_SETTINGS_AT);
const SYSTEM_SETTINGS_AT: &str = "/etc/qwen-code/settings.json";
const SYSTEM_DEFAULTS: &str = "QWEN_CODE_SYSTEM_DEFAULTS_PATH";

/// Its tools, by the names that `allowed_tools` has for them.
const TOOLS: [(&str, &str); 8] = [
    ("Bash", "run_shell_command"),
    ("Edit", "edit"),
    ("Glob", "glob"),
    ("Grep", "grep_search"),
    ("Read", "read_file"),
    ("TodoWrite", "todo_write"),
    ("WebFetch", "web_fetch"),
    ("Write", "write_file"),
];

impl Adapter for Qwen {
    fn name(&self) -> &'static str {
        "qwen"
    }

    fn install_hint(&self) -> &'static str {
        "install it with `npm install -g @qwen-code/qwen-code` and sign in once with `qwen`"
    }

    fn limits(&self, mode: AgentMode) -> Limits {
        // A headless process is given its most turns at its start.
        Limits::counted(mode, Keeper::Cli, Keeper::Cli)
    }

    fn choices(&self) -> Option<&'static [Choice]> {
        Some(&[APPROVAL, choices::STATE])
    }

    /// Stops the turn, then quits: Ctrl-C asks once more.
    fn quit_keys(&self) -> &'static [&'static [u8]] {
        &[b"\x1b", b"\x03", b"\x03"]
    }

    fn prepare(&self, message: &str) -> Result<String, String> {
        let text = typed::trimmed(message, "Qwen Code")?;
        typed::no_exit(&text, "Qwen Code")?;
        Ok(text)
    }

    fn command(&self, context: &LaunchContext<'_>) -> Result<Command, CliError> {
        hook_files::write(context.run_dir, DEFAULTS, &defaults(context)?)?;
        let mut env = launch::environment(context, &[]);
        let mut set = |name: &str, at: PathBuf| {
            launch::utf8(&at).map(|at| env.insert(name.to_owned(), at.to_owned()))
        };
        set(SYSTEM_DEFAULTS, context.run_dir.join(DEFAULTS))?;
        if let Some(state) = context.private_state(STATE)? {
            set("QWEN_HOME", state)?;
        }
        Ok((argv(context)?, env))
    }

    /// A prompt without a text is how Qwen goes on after a tool. It says that it waits for input
    /// after every turn; when there was no Stop before that, a person stopped the turn or the API
    /// refused it.
    fn hook(&self, payload: Value) -> Result<Hook, CliError> {
        let mut hook = hooks::translate(payload, "Qwen")?;
        if let Signal::Prompt { text, machine } = &mut hook.signal {
            *machine |= text.is_empty();
            typed::without_files(text);
        }
        if hook.name == "Notification"
            && let Signal::NeedsAttention(about) = &hook.signal
        {
            // PermissionRequest tells the same as the others, and more.
            hook.signal = if about.kind == "idle_prompt" {
                Signal::Interrupted
            } else {
                Signal::Other
            };
        }
        Ok(hook)
    }

    fn transcript(&self, context: TranscriptContext) -> Option<Box<dyn Transcript>> {
        Some(match context.mode {
            AgentMode::Interactive => qwen_chat(context),
            AgentMode::Headless => qwen_stream(context),
        })
    }
}

fn argv(context: &LaunchContext<'_>) -> Result<Vec<String>, CliError> {
    let agent = context.agent;
    let mut argv = Argv::new(context, "qwen");
    if agent.mode() == AgentMode::Headless {
        argv.push(&["--output-format", "stream-json"]);
        argv.push(&["--include-partial-messages"]);
        argv.push(&["--max-session-turns", &agent.max_turns.to_string()]);
    }
    argv.session();
    argv.model("--model");
    argv.push(&["--approval-mode", context.choice(&APPROVAL)?]);
    argv.legacy_tools(&TOOLS);
    if !agent.instructions.trim().is_empty() {
        let told = launch::unstripped(&agent.instructions);
        argv.push(&[&format!("--append-system-prompt={told}")]);
    }
    Ok(argv.legacy_task())
}

/// What the machine's defaults say, and our hooks.
fn defaults(context: &LaunchContext<'_>) -> Result<Vec<u8>, CliError> {
    let settings = launch::variable(context, SYSTEM_SETTINGS.0);
    let settings = PathBuf::from(settings.as_deref().unwrap_or(SYSTEM_SETTINGS.1));
    let theirs = launch::variable(context, SYSTEM_DEFAULTS).map_or_else(
        || settings.with_file_name("system-defaults.json"),
        PathBuf::from,
    );
    let mut document = read(&theirs)?;
    let ours = hook_files::shell_hook(context.run_dir)?;
    let hooks = document.entry("hooks").or_insert_with(|| json!({}));
    let unusable = || {
        let theirs = theirs.display();
        CliError::Config(format!(
            "the hooks in {theirs} do not have the form that Qwen Code expects"
        ))
    };
    let hooks = hooks.as_object_mut().ok_or_else(unusable)?;
    for event in HOOKS {
        let of_event = hooks.entry(event).or_insert_with(|| json!([]));
        of_event
            .as_array_mut()
            .ok_or_else(unusable)?
            .push(ours.clone());
    }
    Ok(serde_json::to_vec_pretty(&document).expect("a document of strings has a JSON form"))
}

/// The machine's own defaults; nothing when there are none.
fn read(at: &Path) -> Result<Map<String, Value>, CliError> {
    match files::read_linked(at, DEFAULTS_BYTES_MAX) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| CliError::Config(format!("cannot copy {}: {error}", at.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Map::new()),
        Err(error) => Err(CliError::Config(format!("{}: {error}", at.display()))),
    }
}

#[cfg(test)]
#[path = "qwen_tests.rs"]
mod tests;
