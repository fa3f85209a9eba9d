//! Gemini CLI: the adapter `gemini`.
//!
//! Gemini takes settings from outside the user's folder only out of folders of root's, so its
//! folder of state is one of the run's own: our hooks are an extension in it, and all that is the
//! user's own (login, settings, memory, extensions) is linked into it. Sessions are kept there, not
//! with the user's.
//!
//! Known limits: `--skip-trust` is given, unless the agent asks otherwise, because each worktree is
//! a folder that Gemini has never seen. What a repository brings along in `.gemini` then counts.
//! Gemini takes no instructions on its command line, so they are a context file of our extension.

use super::{
    Adapter, CliError, Keeper, LaunchContext, LaunchPlan, Limits, Transcript, TranscriptContext,
    argv::Argv,
    choices::{self, PRIVATE, STATES, choice},
    hook_files, hooks, launch,
    transcript::{gemini_chat, gemini_stream},
    typed,
};
use crate::domain::{
    AgentMode,
    run::command::{Hook, Signal},
};
use crate::files;
use serde_json::{Map, Value, json};
use std::fs::{self, read_dir, remove_file};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The adapter.
pub(crate) struct Gemini;

/// Hooks that affect a run, and Claude's names for them.
const HOOKS: [(&str, &str); 7] = [
    ("SessionStart", "SessionStart"),
    ("SessionEnd", "SessionEnd"),
    ("BeforeAgent", "UserPromptSubmit"),
    ("AfterAgent", "Stop"),
    ("BeforeTool", "PreToolUse"),
    ("AfterTool", "PostToolUse"),
    ("Notification", "PermissionRequest"),
];

/// Milliseconds that Gemini waits for a hook. The hook program takes one second at most; the rest
/// is for a machine under load.
const HOOK_TIMEOUT_MILLISECONDS: u32 = 5000;

/// Keys of `provider_config` that only this adapter has.
const KEYS: [&str; 3] = ["approval", "state", "trust"];
/// Values of `approval`, the default first: edits need no question, all else follows the allowed
/// tools.
const APPROVALS: [&str; 4] = ["auto_edit", "default", "plan", "yolo"];
/// Values of `trust`, the default first: the worktree is trusted for this launch, or Gemini asks.
const TRUSTS: [&str; 2] = ["session", ASK];
const ASK: &str = "ask";

/// The folder in the run folder that is Gemini's home, and the state folder in a home.
const HOME: &str = "gemini";
const STATE: &str = ".gemini";
/// Entries of the user's state that are not linked: Gemini replaces them, or they are ours.
const NOT_LINKED: [&str; 4] = ["extensions", "history", "projects.json", "tmp"];

/// Our extension, and its file of instructions.
const EXTENSION: &str = "abbado";
const INSTRUCTIONS: &str = "INSTRUCTIONS.md";

/// Its tools, by the names that `allowed_tools` has for them.
const TOOLS: [(&str, &str); 8] = [
    ("Bash", "run_shell_command"),
    ("Edit", "replace"),
    ("Glob", "glob"),
    ("Grep", "grep_search"),
    ("Read", "read_file"),
    ("WebFetch", "web_fetch"),
    ("WebSearch", "google_web_search"),
    ("Write", "write_file"),
];

/// Gemini's result of a command that a person stopped.
const STOPPED: &str = "Command was cancelled by user";

/// Stops the turn, then leaves: Ctrl-C asks once more.
const QUIT_KEYS: [&[u8]; 3] = [b"\x1b", b"\x03", b"\x03"];

impl Adapter for Gemini {
    fn name(&self) -> &'static str {
        "gemini"
    }

    fn install_hint(&self) -> &'static str {
        "install it with `npm install -g @google/gemini-cli` and sign in once with `gemini`"
    }

    fn limits(&self, mode: AgentMode) -> Limits {
        // Only a setting of the user limits a process, which is one turn in headless mode.
        Limits::counted(mode, Keeper::None, Keeper::Cli)
    }

    fn validate_config(&self, config: &Map<String, Value>) -> Option<String> {
        Options::of(config).err()
    }

    fn quit_keys(&self) -> &'static [&'static [u8]] {
        &QUIT_KEYS
    }

    fn prepare(&self, message: &str) -> Result<String, String> {
        typed::trimmed(message, "Gemini CLI")
    }

    fn plan(&self, context: &LaunchContext<'_>) -> Result<LaunchPlan, CliError> {
        let options = Options::of(&context.agent.provider_config).map_err(CliError::Config)?;
        hook_files::ensure(context.run_dir, context.abbado)?;
        let home = hook_files::folder(context.run_dir, HOME)?;
        let theirs = ["GEMINI_CLI_HOME", "HOME"]
            .iter()
            .find_map(|name| launch::variable(context, name))
            .filter(|_| !options.private)
            .map(|home| Path::new(&home).join(STATE));
        state(context, &home.join(STATE), theirs.as_deref())?;
        let mut env = launch::environment(context, &[]);
        env.insert("GEMINI_CLI_HOME".into(), launch::utf8(&home)?.to_owned());
        launch::finish(context, argv(context, &options), env, self.install_hint())
    }

    fn hook(&self, payload: Value) -> Result<Hook, CliError> {
        let mut told = payload.clone();
        if let Some(told) = told.as_object_mut() {
            as_claude_says(told);
        }
        let mut hook = hooks::translate(told, "Gemini")?;
        if let Signal::Prompt { text, .. } = &mut hook.signal {
            typed::without_files(text);
        }
        if let Some(name) = payload.get("hook_event_name").and_then(Value::as_str) {
            name.clone_into(&mut hook.name);
        }
        hook.payload = payload;
        Ok(hook)
    }

    fn transcript(&self, context: TranscriptContext) -> Option<Box<dyn Transcript>> {
        Some(match context.mode {
            AgentMode::Interactive => gemini_chat(context),
            AgentMode::Headless => gemini_stream(context),
        })
    }
}

/// Renames the event and fields of a payload to Claude's names.
fn as_claude_says(told: &mut Map<String, Value>) {
    let name = told.get("hook_event_name").and_then(Value::as_str);
    let Some((own, name)) = HOOKS.iter().find(|(own, _)| name == Some(*own)) else {
        return;
    };
    let failed = told.get("tool_response").and_then(|it| it.get("error"));
    let failed = failed.filter(|error| !error.is_null()).cloned();
    let mut name = *name;
    let result = told
        .get("tool_response")
        .and_then(|it| it.get("llmContent"));
    let stopped = result
        .and_then(Value::as_str)
        .is_some_and(|it| it.contains(STOPPED));
    match (*own, failed) {
        // A result that arrives after the turn was stopped is not a sign of work.
        ("AfterTool", _) if stopped => name = "Interrupt",
        ("AfterTool", Some(error)) => {
            name = "PostToolUseFailure";
            let said = error.get("message").cloned().unwrap_or(error);
            told.insert("error".into(), said);
        }
        ("AfterAgent", _) => {
            let said = told.get("prompt_response").cloned().unwrap_or_default();
            told.insert("last_assistant_message".into(), said);
        }
        ("Notification", _) => {
            let details = told.get("details").cloned().unwrap_or_default();
            let tool = details.get("title").cloned().unwrap_or_default();
            told.insert("tool_name".into(), tool);
            told.insert("tool_input".into(), details);
        }
        _ => {}
    }
    told.insert("hook_event_name".into(), name.into());
}

/// The options of an agent's `provider_config`.
struct Options<'a> {
    approval: &'a str,
    private: bool,
    trusted: bool,
}

impl<'a> Options<'a> {
    /// Reads the options. Fails with a sentence about the first invalid one.
    fn of(config: &'a Map<String, Value>) -> Result<Self, String> {
        choices::known(config, "gemini", &KEYS)?;
        Ok(Self {
            approval: choice(config, "approval", &APPROVALS)?,
            private: choice(config, "state", &STATES)? == PRIVATE,
            trusted: choice(config, "trust", &TRUSTS)? != ASK,
        })
    }
}

fn argv(context: &LaunchContext<'_>, options: &Options<'_>) -> Vec<String> {
    let mut argv = Argv::new(context, "gemini");
    if context.agent.mode() == AgentMode::Headless {
        argv.push(&["--output-format", "stream-json"]);
    }
    argv.session();
    argv.model("--model");
    argv.push(&["--approval-mode", options.approval]);
    if options.trusted {
        argv.push(&["--skip-trust"]);
    }
    argv.legacy_tools(&TOOLS);
    argv.legacy_task()
}

/// Recreates the state folder: links to the user's state, and our extension. What Gemini wrote into
/// it stays.
fn state(context: &LaunchContext<'_>, ours: &Path, theirs: Option<&Path>) -> Result<(), CliError> {
    let failed = |source: io::Error| CliError::File { name: HOME, source };
    let extensions = ours.join("extensions");
    fs::create_dir_all(&extensions).map_err(failed)?;
    if let Some(theirs) = theirs {
        link_all(theirs, ours, &NOT_LINKED).map_err(failed)?;
        link_all(&theirs.join("extensions"), &extensions, &[EXTENSION]).map_err(failed)?;
    }
    let own = extensions.join(EXTENSION);
    fs::create_dir_all(own.join("hooks")).map_err(failed)?;
    // Gemini gives the command to a shell.
    let command = hook_files::shell_command(context.run_dir)?;
    let ours = json!([{"hooks": [
        {"type": "command", "command": command, "timeout": HOOK_TIMEOUT_MILLISECONDS},
    ]}]);
    let hooks: Map<String, Value> = HOOKS
        .iter()
        .map(|(event, _)| ((*event).to_owned(), ours.clone()))
        .collect();
    let hooks = json!({ "hooks": hooks });
    let mut manifest = json!({"name": EXTENSION, "version": "1.0.0"});
    let instructions = context.agent.instructions.trim();
    if !instructions.is_empty() {
        manifest["contextFileName"] = INSTRUCTIONS.into();
        hook_files::write_private(&own, INSTRUCTIONS, instructions.as_bytes()).map_err(failed)?;
    }
    let manifest = manifest.to_string();
    hook_files::write_private(&own, "gemini-extension.json", manifest.as_bytes())
        .and_then(|()| {
            let hooks = hooks.to_string();
            hook_files::write_private(&own.join("hooks"), "hooks.json", hooks.as_bytes())
        })
        .map_err(failed)
}

/// Links the entries of one folder into another, except `not`. Existing entries that are not links
/// stay.
fn link_all(from: &Path, to: &Path, not: &[&str]) -> io::Result<()> {
    let Some(entries) = files::if_there(read_dir(from))? else {
        return Ok(());
    };
    for entry in entries {
        let name = entry?.file_name();
        let text = name.to_string_lossy();
        // Gemini briefly writes temporary files beside those that it replaces.
        if not.iter().any(|one| text == *one) || text.starts_with("projects.json") {
            continue;
        }
        let at: PathBuf = to.join(&name);
        match at.symlink_metadata() {
            Ok(there) if !there.is_symlink() => continue,
            Ok(_) => remove_file(&at)?,
            Err(_) => {}
        }
        symlink(from.join(&name), at)?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "gemini_tests.rs"]
mod tests;
