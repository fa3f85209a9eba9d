//! Claude Code: the adapter `claude-code`.
//!
//! It runs with the user's own login and configuration; ours is one settings file in the run
//! folder that registers hooks, which Claude merges with theirs.

use super::{
    Adapter, CliError, Command, Keeper, LaunchContext, Limits, Transcript, TranscriptContext,
    answers,
    argv::Argv,
    hook_files, hook_program, hooks, launch,
    transcript::{ClaudeStream, ClaudeTranscript},
    typed,
};
use crate::domain::{
    AgentMode,
    run::{command::Hook, view::ApprovalView},
};
use icu_normalizer::ComposingNormalizerBorrowed;
use serde_json::{Map, Value, json};

/// The adapter.
pub(crate) struct ClaudeCode;

/// Hooks that affect a run. Never `WorktreeCreate`: registering it replaces Claude's own creation
/// of worktrees.
const HOOKS: [&str; 15] = [
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
    "StopFailure",
    "PreCompact",
    "PostCompact",
    "MessageDisplay",
];

/// Seconds that Claude waits for a hook. The hook program takes one at most; the rest is for a
/// machine under load.
const HOOK_TIMEOUT_SECONDS: u32 = 5;

/// Name of the settings file in the run folder.
const SETTINGS: &str = "settings.json";

/// Edits need no permission; everything else follows the allowed tools.
const PERMISSION_MODE_DEFAULT: &str = "acceptEdits";

/// Task tools exist for newer models only with the first; the binary of a running agent must not
/// change under it.
const ENVIRONMENT: [(&str, &str); 2] = [
    ("CLAUDE_CODE_ENABLE_TODO_TOOLS", "1"),
    ("DISABLE_AUTOUPDATER", "1"),
];

impl Adapter for ClaudeCode {
    fn name(&self) -> &'static str {
        "claude-code"
    }

    fn install_hint(&self) -> &'static str {
        "install it with `npm install -g @anthropic-ai/claude-code` and sign in once with `claude`"
    }

    fn limits(&self, mode: AgentMode) -> Limits {
        Limits::counted(mode, Keeper::Cli, Keeper::Cli)
    }

    /// Its prompt turns a tab into four spaces and Unicode's line ends into LF, drops marks that
    /// turn the direction of a text, reads Enter after a backslash as a new line, and some words as
    /// a request to quit.
    fn prepare(&self, message: &str) -> Result<String, String> {
        typed::no_command(message, "Claude Code")?;
        let composed = ComposingNormalizerBorrowed::new_nfc();
        let text = composed
            .normalize(&typed::plain(message)?)
            .replace('\t', "    ")
            .replace(['\u{2028}', '\u{2029}'], "\n")
            .replace(is_direction, "");
        typed::no_exit(&text, "Claude Code")?;
        Ok(typed::closed(&text))
    }

    fn command(&self, context: &LaunchContext<'_>) -> Result<Command, CliError> {
        hook_files::write(context.run_dir, SETTINGS, &settings(context)?)?;
        let env = launch::environment(context, &ENVIRONMENT);
        Ok((argv(context)?, env))
    }

    fn hook(&self, payload: Value) -> Result<Hook, CliError> {
        hooks::translate(payload, "Claude")
    }

    fn takes_answers(&self) -> bool {
        true
    }

    fn answer(&self, approval: &ApprovalView) -> Value {
        answers::claude(approval)
    }

    fn transcript(&self, context: TranscriptContext) -> Option<Box<dyn Transcript>> {
        Some(match context.mode {
            AgentMode::Interactive => Box::new(ClaudeTranscript::new(context)),
            AgentMode::Headless => Box::new(ClaudeStream::new(context)),
        })
    }
}

/// Embeddings, overrides and isolates of the bidirectional algorithm.
const fn is_direction(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn argv(context: &LaunchContext<'_>) -> Result<Vec<String>, CliError> {
    let agent = context.agent;
    let settings = context.run_dir.join(SETTINGS);
    let mut argv = Argv::new(context, "claude");
    if agent.mode() == AgentMode::Headless {
        argv.push(&["-p", "--output-format", "stream-json", "--verbose"]);
        argv.push(&["--include-partial-messages"]);
        argv.push(&["--max-turns", &agent.max_turns.to_string()]);
    }
    argv.push(&["--settings", launch::utf8(&settings)?]);
    argv.session();
    argv.model("--model");
    let mode = agent
        .provider_config
        .get("permission_mode")
        .and_then(Value::as_str);
    argv.push(&["--permission-mode", mode.unwrap_or(PERMISSION_MODE_DEFAULT)]);
    argv.tools("--allowedTools");
    if !agent.instructions.trim().is_empty() {
        argv.push(&["--append-system-prompt", &agent.instructions]);
    }
    argv.own();
    if let Some(folder) = context.task_file.and_then(std::path::Path::parent) {
        argv.push(&["--add-dir", launch::utf8(folder)?]);
    }
    // Without `--` the variadic --allowedTools would read the prompt as a tool.
    Ok(argv.end(&["--", context.task]))
}

fn settings(context: &LaunchContext<'_>) -> Result<Vec<u8>, CliError> {
    let hook = context.run_dir.join(hook_files::HOOK);
    let hook = launch::utf8(&hook)?;
    // With `args` Claude starts the program itself, without a shell in between.
    let command = json!({
        "type": "command", "command": hook, "args": [], "timeout": HOOK_TIMEOUT_SECONDS,
    });
    // The hook of a question that people answer from elsewhere waits for them.
    let waiting = context.agent.asks_remotely().then(|| {
        let seconds = answers::wait_seconds(context.agent);
        json!({
            "type": "command", "command": hook, "args": [hook_program::WAIT, seconds.to_string()],
            "timeout": seconds + u64::from(HOOK_TIMEOUT_SECONDS),
        })
    });
    // In headless mode the output stream carries the same text.
    let headless = context.agent.mode() == AgentMode::Headless;
    let events = HOOKS
        .iter()
        .filter(|event| !headless || **event != "MessageDisplay");
    let hooks: Map<String, Value> = events
        .map(|event| {
            let waits = waiting.as_ref().filter(|_| *event == "PermissionRequest");
            let command = waits.unwrap_or(&command);
            ((*event).to_owned(), json!([{"hooks": [command]}]))
        })
        .collect();
    let document = json!({ "hooks": hooks });
    Ok(serde_json::to_vec_pretty(&document).expect("a document of strings has a JSON form"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Launch, SESSION};
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A launch whose `claude` is a file of its own.
    fn launch() -> Launch {
        let mut launch = Launch::new("claude-code");
        let bin = launch.root().join("bin");
        std::fs::create_dir(&bin).unwrap();
        launch.program(&bin.join("claude"));
        launch.server_env("PATH", bin.to_str().unwrap());
        launch
    }

    const SETTINGS_AT: &str = "ROOT/data/runs/00000000-0000-0000-0000-000000000001/settings.json";

    #[test]
    fn a_first_interactive_launch() {
        let launch = launch();
        assert_eq!(
            launch.argv(),
            [
                "ROOT/bin/claude",
                "--settings",
                SETTINGS_AT,
                "--session-id",
                SESSION,
                "--permission-mode",
                "acceptEdits",
                "--allowedTools",
                "Read,Edit,Write,Bash,Glob,Grep",
                "--",
                "do it",
            ]
        );
        let plan = launch.plan().unwrap();
        assert_eq!(plan.cwd, launch.cwd());
        for (name, value) in ENVIRONMENT {
            assert!(plan.env.contains(&(name.to_owned(), value.to_owned())));
        }
        assert!(!plan.env.iter().any(|(name, _)| name == "CLAUDE_CONFIG_DIR"));
    }

    #[test]
    fn a_resumed_launch_with_everything_set() {
        let mut launch = launch();
        launch.resume("s-1");
        launch.task = "--help".into();
        launch.agent.model = Some("opus".into());
        launch.agent.instructions = "Be brief.".into();
        launch.agent.allowed_tools = " Read , Bash(git log:*, git diff) ,,".into();
        launch.config(r#"{"permission_mode": "plan", "args": ["--add-dir", "/x"]}"#);
        assert_eq!(
            launch.argv(),
            [
                "ROOT/bin/claude",
                "--settings",
                SETTINGS_AT,
                "--resume",
                "s-1",
                "--model",
                "opus",
                "--permission-mode",
                "plan",
                "--allowedTools",
                "Read,Bash(git log:*, git diff)",
                "--append-system-prompt",
                "Be brief.",
                "--add-dir",
                "/x",
                "--",
                "--help",
            ]
        );
    }

    #[test]
    fn a_headless_launch() {
        let mut launch = launch();
        launch.agent.max_turns = 7;
        launch.agent.allowed_tools = String::new();
        launch.config(r#"{"mode": "headless"}"#);
        assert_eq!(
            launch.argv(),
            [
                "ROOT/bin/claude",
                "-p",
                "--output-format",
                "stream-json",
                "--verbose",
                "--include-partial-messages",
                "--max-turns",
                "7",
                "--settings",
                SETTINGS_AT,
                "--session-id",
                SESSION,
                "--permission-mode",
                "acceptEdits",
                "--",
                "do it",
            ]
        );
        let settings = std::fs::read_to_string(launch.run_dir().join(SETTINGS)).unwrap();
        assert!(!settings.contains("MessageDisplay"));
    }

    #[test]
    fn the_settings_register_the_mapped_hooks_without_a_shell() {
        let launch = launch();
        launch.plan().unwrap();
        let at = launch.run_dir().join(SETTINGS);
        assert_eq!(at.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let settings: Value = serde_json::from_slice(&std::fs::read(at).unwrap()).unwrap();
        let hooks = settings["hooks"].as_object().unwrap();
        assert_eq!(hooks.len(), HOOKS.len());
        assert!(!hooks.contains_key("WorktreeCreate"));
        let stop = &hooks["Stop"][0]["hooks"][0];
        assert_eq!(
            stop["command"],
            launch.run_dir().join("hook").to_str().unwrap()
        );
        assert_eq!((&stop["args"], &stop["timeout"]), (&json!([]), &json!(5)));
        assert!(launch.run_dir().join("hook").exists());
    }

    #[test]
    fn nothing_outside_the_run_folder_is_touched() {
        let launch = launch();
        launch.plan().unwrap();
        assert_eq!(std::fs::read_dir(launch.cwd()).unwrap().count(), 0);
    }

    #[test]
    fn an_outer_session_is_forgotten_unless_the_agent_asks_for_it() {
        let mut launch = launch();
        launch.server_env("CLAUDECODE", "1");
        launch.server_env("CLAUDE_CODE_SESSION_ID", "outer");
        launch.config(r#"{"env": {"CLAUDE_CODE_SESSION_ID": "mine"}}"#);
        let env = launch.plan().unwrap().env;
        assert!(!env.iter().any(|(name, _)| name == "CLAUDECODE"));
        assert!(env.contains(&("CLAUDE_CODE_SESSION_ID".into(), "mine".into())));
    }

    #[test]
    fn a_missing_cli_is_named_with_its_install_line() {
        let mut launch = launch();
        launch.server_env("PATH", "/nowhere");
        let error = launch.plan().unwrap_err().to_string();
        assert!(
            error.starts_with("program 'claude' was not found; install it with `npm"),
            "{error}"
        );
    }
}
