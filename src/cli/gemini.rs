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
    Adapter, CliError, Command, Keeper, LaunchContext, Limits, Transcript, TranscriptContext,
    argv::Argv,
    choices::{self, Choice},
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

/// Hooks that affect a run, and the names by which they are translated.
const HOOKS: [(&str, &str); 7] = [
    ("SessionStart", "SessionStart"),
    ("SessionEnd", "SessionEnd"),
    ("BeforeAgent", "BeforeAgent"),
    ("AfterAgent", "AfterAgent"),
    ("BeforeTool", "PreToolUse"),
    ("AfterTool", "PostToolUse"),
    ("Notification", "PermissionRequest"),
];

/// By default edits need no question, and all else follows the allowed tools.
const APPROVAL: Choice = Choice {
    key: "approval",
    words: &["auto_edit", "default", "plan", "yolo"],
};
/// The worktree is trusted for this launch, or Gemini asks.
const TRUST: Choice = Choice {
    key: "trust",
    words: &["session", ASK],
};
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

    fn choices(&self) -> Option<&'static [Choice]> {
        Some(&[APPROVAL, choices::STATE, TRUST])
    }

    /// Stops the turn, then quits: Ctrl-C asks once more.
    fn quit_keys(&self) -> &'static [&'static [u8]] {
        &[b"\x1b", b"\x03", b"\x03"]
    }

    fn prepare(&self, message: &str) -> Result<String, String> {
        typed::trimmed(message, "Gemini CLI")
    }

    fn command(&self, context: &LaunchContext<'_>) -> Result<Command, CliError> {
        let private = context.private_state(HOME)?.is_some();
        let home = hook_files::folder(context.run_dir, HOME)?;
        let theirs = ["GEMINI_CLI_HOME", "HOME"]
            .iter()
            .find_map(|name| launch::variable(context, name))
            .filter(|_| !private)
            .map(|home| Path::new(&home).join(STATE));
        state(context, &home.join(STATE), theirs.as_deref())?;
        let mut env = launch::environment(context, &[]);
        env.insert("GEMINI_CLI_HOME".into(), launch::utf8(&home)?.to_owned());
        Ok((argv(context)?, env))
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

fn argv(context: &LaunchContext<'_>) -> Result<Vec<String>, CliError> {
    let mut argv = Argv::new(context, "gemini");
    if context.agent.mode() == AgentMode::Headless {
        argv.push(&["--output-format", "stream-json"]);
    }
    argv.session();
    argv.model("--model");
    argv.push(&["--approval-mode", context.choice(&APPROVAL)?]);
    if context.choice(&TRUST)? != ASK {
        argv.push(&["--skip-trust"]);
    }
    argv.legacy_tools(&TOOLS);
    Ok(argv.legacy_task())
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
    let ours = hook_files::shell_hook(context.run_dir)?;
    let hooks: Map<String, Value> = HOOKS
        .iter()
        .map(|(event, _)| ((*event).to_owned(), json!([ours])))
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
