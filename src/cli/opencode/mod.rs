//! OpenCode: the adapter `opencode`.
//!
//! It runs with the user's own login and configuration. What is ours goes in by a variable with
//! more configuration: a plugin in the run folder that tells the hook program what happens and
//! writes a transcript in Claude's form, and permissions that follow the allowed tools.
//!
//! Known limits: OpenCode has no way to choose a session's id, and it fetches a package for plugins
//! from the npm registry at its first start: without a network that takes a minute or two. In
//! headless mode a command that needs permission is refused, which ends the turn.

use super::{
    Adapter, CliError, Command, Keeper, LaunchContext, Limits, Transcript, TranscriptContext,
    argv::Argv,
    choices::{self, Choice},
    hook_files, hooks, launch,
    transcript::{ClaudeTranscript, opencode_stream},
    typed,
};
use crate::domain::{AgentMode, run::command::Hook};
use serde_json::{Map, Value, json};

/// The adapter.
pub(crate) struct OpenCode;

/// Edits need no question and all else follows the allowed tools; the user's own configuration
/// decides; nobody is asked.
const APPROVAL: Choice = Choice {
    key: "approval",
    words: &[TOOLS, "own", AUTO],
};
const TOOLS: &str = "tools";
const AUTO: &str = "auto";

/// The plugin, its line about a resumed session, and the file of the instructions.
const PLUGIN: (&str, &str) = ("opencode-plugin.js", include_str!("plugin.js"));
const RESUMED: &str = "const RESUMED";
const INSTRUCTIONS: &str = "opencode-instructions.md";
/// Name of the private state folder in the run folder, and its contents.
const STATE: &str = "opencode";
const STATE_VARIABLES: [(&str, &str); 4] = [
    ("XDG_CONFIG_HOME", "config"),
    ("XDG_DATA_HOME", "data"),
    ("XDG_STATE_HOME", "state"),
    ("XDG_CACHE_HOME", "cache"),
];

/// A variable with configuration that OpenCode merges with its files.
const CONTENT: &str = "OPENCODE_CONFIG_CONTENT";

/// The binary of a running agent must not be updated.
const ENVIRONMENT: [(&str, &str); 1] = [("OPENCODE_DISABLE_AUTOUPDATE", "1")];

impl Adapter for OpenCode {
    fn name(&self) -> &'static str {
        "opencode"
    }

    fn install_hint(&self) -> &'static str {
        "install it with `npm install -g opencode-ai` and sign in once with `opencode auth login`"
    }

    fn limits(&self, mode: AgentMode) -> Limits {
        // It has no limit of turns; allowed tools become `permission` in its configuration.
        Limits::counted(mode, Keeper::None, Keeper::Cli)
    }

    fn choices(&self) -> Option<&'static [Choice]> {
        Some(&[APPROVAL, choices::STATE])
    }

    /// Stops the turn (asks once more), then quits.
    fn quit_keys(&self) -> &'static [&'static [u8]] {
        &[b"\x1b", b"\x1b", b"\x03"]
    }

    fn prepare(&self, message: &str) -> Result<String, String> {
        typed::trimmed(message, "OpenCode")
    }

    fn command(&self, context: &LaunchContext<'_>) -> Result<Command, CliError> {
        let mut env = launch::environment(context, &ENVIRONMENT);
        env.insert(CONTENT.into(), content(context)?);
        if let Some(state) = context.private_state(STATE)? {
            for (name, folder) in STATE_VARIABLES {
                let at = state.join(folder);
                env.insert(name.into(), launch::utf8(&at)?.to_owned());
            }
        }
        Ok((argv(context)?, env))
    }

    fn hook(&self, payload: Value) -> Result<Hook, CliError> {
        hooks::translate(payload, "OpenCode")
    }

    fn transcript(&self, context: TranscriptContext) -> Option<Box<dyn Transcript>> {
        Some(match context.mode {
            AgentMode::Interactive => Box::new(ClaudeTranscript::new(context)),
            AgentMode::Headless => opencode_stream(context),
        })
    }
}

fn argv(context: &LaunchContext<'_>) -> Result<Vec<String>, CliError> {
    let headless = context.agent.mode() == AgentMode::Headless;
    let mut argv = Argv::new(context, "opencode");
    if headless {
        argv.push(&["run", "--format", "json"]);
    }
    if let Some(session) = context.resume {
        argv.push(&["--session", session]);
    }
    argv.model("--model");
    if context.choice(&APPROVAL)? == AUTO {
        argv.push(&["--auto"]);
    }
    argv.own();
    if headless {
        // A task that is a number would end OpenCode. It quotes whatever contains a space, and our
        // plugin removes the quotes.
        let space = if context.task.contains(' ') { "" } else { " " };
        argv.push(&["--", &format!("{}{space}", context.task)]);
    } else if context.resume.is_none() {
        argv.push(&[&format!("--prompt={}", launch::unstripped(context.task))]);
    }
    Ok(argv.end(&[]))
}

/// The configuration that the variable already has, our plugin, and what follows from the agent.
fn content(context: &LaunchContext<'_>) -> Result<String, CliError> {
    let before = launch::variable(context, CONTENT).unwrap_or_else(|| "{}".to_owned());
    let unusable = |why: &str| CliError::Config(format!("cannot extend {CONTENT}: {why}"));
    let mut content: Map<String, Value> =
        serde_json::from_str(&before).map_err(|error| unusable(&error.to_string()))?;
    let write =
        |name: &'static str, text: &str| hook_files::write(context.run_dir, name, text.as_bytes());
    write(PLUGIN.0, &plugin(context))?;
    let mut add = |key: &str, path: String| {
        let list = content.entry(key).or_insert_with(|| json!([]));
        let list = list.as_array_mut();
        list.map(|list| list.push(path.into()))
            .ok_or_else(|| unusable(&format!("{key} is not a list")))
    };
    let at = context.run_dir.join(PLUGIN.0);
    add("plugin", format!("file://{}", launch::utf8(&at)?))?;
    let told = context.agent.instructions.trim();
    if !told.is_empty() {
        write(INSTRUCTIONS, told)?;
        let at = context.run_dir.join(INSTRUCTIONS);
        add("instructions", launch::utf8(&at)?.to_owned())?;
    }
    if context.choice(&APPROVAL)? == TOOLS {
        let permission = permission(&context.agent.allowed_tools);
        content.insert("permission".into(), permission);
    }
    Ok(Value::Object(content).to_string())
}

/// The plugin, which submits the message to a resumed session.
fn plugin(context: &LaunchContext<'_>) -> String {
    let interactive = context.agent.mode() == AgentMode::Interactive;
    match context.resume.filter(|_| interactive) {
        Some(session) => {
            let told = format!("{RESUMED} = {}\n", Value::from(session));
            PLUGIN.1.replacen(&format!("{RESUMED} = null\n"), &told, 1)
        }
        None => PLUGIN.1.to_owned(),
    }
}

/// Edits are allowed, commands and the network as far as the allowed tools go.
fn permission(allowed: &str) -> Value {
    let mut commands = Map::new();
    commands.insert("*".into(), "ask".into());
    let mut fetch = "ask";
    for tool in choices::tools(allowed) {
        match choices::limited(tool) {
            ("Bash", None) => drop(commands.insert("*".into(), "allow".into())),
            ("Bash", Some(limits)) => commands.extend(limits.split(',').map(|limit| {
                let limit = limit.trim().replace(":*", " *");
                (limit, "allow".into())
            })),
            ("WebFetch", None) => fetch = "allow",
            _ => {}
        }
    }
    json!({"edit": "allow", "bash": commands, "webfetch": fetch})
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
