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
    Adapter, CliError, Keeper, LaunchContext, LaunchPlan, Limits, Transcript, TranscriptContext,
    argv::Argv,
    choices::{self, PRIVATE, STATES, choice},
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

/// Milliseconds after which Qwen stops waiting for a hook. The hook program is done after one
/// second; the rest is for a machine under load.
const HOOK_TIMEOUT_MILLISECONDS: u32 = 5000;

/// Keys of `provider_config` that only this adapter has.
const KEYS: [&str; 2] = ["approval", "state"];
/// Values of `approval`, the default first: edits need no question, all else follows the allowed
/// tools.
const APPROVALS: [&str; 4] = ["auto-edit", "default", "plan", "yolo"];

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

/// Whole messages that leave its interface.
const LEAVES: [&str; 6] = ["exit", "quit", ":q", ":q!", ":wq", ":wq!"];

/// Stops the turn, then leaves: Ctrl-C asks once more.
const QUIT_KEYS: [&[u8]; 3] = [b"\x1b", b"\x03", b"\x03"];

impl Adapter for Qwen {
    fn name(&self) -> &'static str {
        "qwen"
    }

    fn install_hint(&self) -> &'static str {
        "install it with `npm install -g @qwen-code/qwen-code` and sign in once with `qwen`"
    }

    fn limits(&self, mode: AgentMode) -> Limits {
        // Headless it is told the most turns of its process.
        Limits::counted(mode, Keeper::Cli, Keeper::Cli)
    }

    fn validate_config(&self, config: &Map<String, Value>) -> Option<String> {
        Options::of(config).err()
    }

    fn quit_keys(&self) -> &'static [&'static [u8]] {
        &QUIT_KEYS
    }

    fn prepare(&self, message: &str) -> Result<String, String> {
        let text = typed::trimmed(message, "Qwen Code")?;
        if typed::is_word(&text, &LEAVES) {
            return Err("is a word that leaves Qwen Code; cancel the run instead".to_owned());
        }
        Ok(text)
    }

    fn plan(&self, context: &LaunchContext<'_>) -> Result<LaunchPlan, CliError> {
        let options = Options::of(&context.agent.provider_config).map_err(CliError::Config)?;
        hook_files::ensure(context.run_dir, context.abbado)?;
        let document = defaults(context)?;
        hook_files::write(context.run_dir, DEFAULTS, &document)?;
        let mut env = launch::environment(context, &[]);
        let mut set = |name: &str, at: PathBuf| {
            launch::utf8(&at).map(|at| env.insert(name.to_owned(), at.to_owned()))
        };
        set(SYSTEM_DEFAULTS, context.run_dir.join(DEFAULTS))?;
        if options.private {
            set("QWEN_HOME", hook_files::folder(context.run_dir, STATE)?)?;
        }
        launch::finish(context, argv(context, &options), env, self.install_hint())
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

/// The options of an agent's `provider_config`.
struct Options<'a> {
    approval: &'a str,
    private: bool,
}

impl<'a> Options<'a> {
    /// Reads the options. Fails with a sentence about the first invalid one.
    fn of(config: &'a Map<String, Value>) -> Result<Self, String> {
        choices::known(config, "qwen", &KEYS)?;
        Ok(Self {
            approval: choice(config, "approval", &APPROVALS)?,
            private: choice(config, "state", &STATES)? == PRIVATE,
        })
    }
}

fn argv(context: &LaunchContext<'_>, options: &Options<'_>) -> Vec<String> {
    let agent = context.agent;
    let mut argv = Argv::new(context, "qwen");
    if agent.mode() == AgentMode::Headless {
        argv.push(&["--output-format", "stream-json"]);
        argv.push(&["--include-partial-messages"]);
        argv.push(&["--max-session-turns", &agent.max_turns.to_string()]);
    }
    argv.session();
    argv.model("--model");
    argv.push(&["--approval-mode", options.approval]);
    argv.legacy_tools(&TOOLS);
    if !agent.instructions.trim().is_empty() {
        let told = launch::unstripped(&agent.instructions);
        argv.push(&[&format!("--append-system-prompt={told}")]);
    }
    argv.legacy_task()
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
    // Qwen gives the command to a shell.
    let command = hook_files::shell_command(context.run_dir)?;
    let ours = json!({"hooks": [
        {"type": "command", "command": command, "timeout": HOOK_TIMEOUT_MILLISECONDS},
    ]});
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
