//! The Codex CLI: the adapter `codex`.
//!
//! It runs with the user's own login and configuration, or with a state folder of the run's own.
//! What is ours goes in by command line: hooks, which Codex runs beside the user's own, and
//! developer instructions. Nothing is written into the user's folder by us.
//!
//! Known limit: the flag that lets our hooks run unreviewed lets all hooks of that launch do so,
//! also those that a trusted repository brings along.

use super::{
    Adapter, CliError, Command, Keeper, LaunchContext, Limits, Transcript, TranscriptContext,
    answers,
    argv::Argv,
    choices::{self, Choice},
    hook_files, hook_program, hooks, launch,
    transcript::{CodexRollout, codex_stream},
    typed,
};
use crate::domain::{
    AgentMode,
    run::{command::Hook, view::ApprovalView},
};
use serde_json::{Map, Value};

/// The adapter.
pub(crate) struct Codex;

/// All hooks of Codex, with the seconds that it waits for each. The hook program takes one at most;
/// the rest is for a machine under load. Codex allows no more than three for the last two.
const HOOKS: [(&str, u32); 12] = [
    ("SessionStart", 5),
    ("UserPromptSubmit", 5),
    ("PreToolUse", 5),
    ("PostToolUse", 5),
    ("PermissionRequest", 5),
    ("PreCompact", 5),
    ("PostCompact", 5),
    ("SubagentStart", 5),
    ("SubagentStop", 5),
    ("Stop", 5),
    ("SessionEnd", 3),
    ("Interrupt", 3),
];

/// The last word also disables approvals.
const SANDBOX: Choice = Choice {
    key: "sandbox",
    words: &["workspace-write", "read-only", "danger-full-access", BYPASS],
};
const BYPASS: &str = "bypass";
const APPROVAL: Choice = Choice {
    key: "approval",
    words: &["on-request", "never"],
};

/// Name of the private state folder in the run folder.
const STATE: &str = "codex";

/// Models for which the interface would offer a successor at its start, and that successor. An
/// agent with a model has already chosen.
const SUCCESSORS: [(&str, &str); 4] = [
    ("gpt-5.5", "gpt-6-sol"),
    ("gpt-5.6-luna", "gpt-6-luna"),
    ("gpt-5.6-sol", "gpt-6-sol"),
    ("gpt-5.6-terra", "gpt-6-sol"),
];

/// The model that its interface announces at its first starts.
const ANNOUNCED: &str = "gpt-6.1-sol";

/// Told to an agent whose sandbox keeps `.git` read-only.
const NO_COMMITS: &str = "Your sandbox keeps .git read-only: git commands that write to it, such \
    as add, commit, stash or branch, fail. Leave your changes in the working tree; they are \
    committed for you.";

/// A longer paste is shown as a placeholder; expanded, it is trimmed before Codex looks for a
/// command.
const PASTE_CHARS_SHOWN: usize = 1000;

impl Adapter for Codex {
    fn name(&self) -> &'static str {
        "codex"
    }

    fn install_hint(&self) -> &'static str {
        "install it with `npm install -g @openai/codex` and sign in once with `codex login`"
    }

    fn limits(&self, mode: AgentMode) -> Limits {
        // It has a sandbox and approvals instead of allowed tools, and no limit of turns.
        Limits::counted(mode, Keeper::None, Keeper::None)
    }

    fn choices(&self) -> Option<&'static [Choice]> {
        Some(&[SANDBOX, APPROVAL, choices::STATE])
    }

    fn validate_config(&self, config: &Map<String, Value>) -> Option<String> {
        if let Err(fault) = choices::check(config, self.name(), self.choices()?) {
            return Some(fault);
        }
        let bypass = config.get(SANDBOX.key).is_some_and(|it| it == BYPASS);
        let approval = config.get(APPROVAL.key).is_some_and(|it| !it.is_null());
        (bypass && approval).then(|| {
            format!("provider_config.approval has no effect with sandbox \"{BYPASS}\"; remove it")
        })
    }

    /// Stops the turn, clears the input line, quits: ended by a signal, Codex sends no hook.
    fn quit_keys(&self) -> &'static [&'static [u8]] {
        &[b"\x1b", b"\x03", b"\x03"]
    }

    fn prepare(&self, message: &str) -> Result<String, String> {
        let text = typed::plain(message)?;
        let long = text.chars().count() > PASTE_CHARS_SHOWN;
        let begins = if long { text.trim_start() } else { &text };
        typed::no_command(begins, "Codex")?;
        Ok(typed::closed(&text))
    }

    fn command(&self, context: &LaunchContext<'_>) -> Result<Command, CliError> {
        let state = context.private_state(STATE)?;
        let mut adapter_env = Vec::new();
        if let Some(state) = &state {
            adapter_env.push(("CODEX_HOME", launch::utf8(state)?));
        }
        let env = launch::environment(context, &adapter_env);
        Ok((argv(context, state.is_some())?, env))
    }

    fn hook(&self, payload: Value) -> Result<Hook, CliError> {
        hooks::translate(payload, "Codex")
    }

    fn takes_answers(&self) -> bool {
        true
    }

    fn answer(&self, approval: &ApprovalView) -> Value {
        answers::codex(approval)
    }

    fn transcript(&self, context: TranscriptContext) -> Option<Box<dyn Transcript>> {
        Some(match context.mode {
            AgentMode::Interactive => Box::new(CodexRollout::new(context)),
            AgentMode::Headless => codex_stream(context),
        })
    }
}

fn argv(context: &LaunchContext<'_>, private: bool) -> Result<Vec<String>, CliError> {
    let sandbox = context.choice(&SANDBOX)?;
    let headless = context.agent.mode() == AgentMode::Headless;
    let mut argv = Argv::new(context, "codex");
    if headless {
        // A run of several repos works in the folder above them, which is not a repository.
        argv.push(&["exec", "--json", "--skip-git-repo-check"]);
    } else {
        if context.resume.is_some() {
            argv.push(&["resume"]);
        }
        // The shared background server would outlive the run.
        argv.push(&["--no-daemon"]);
    }
    argv.push(&["--dangerously-bypass-hook-trust"]);
    if sandbox == BYPASS {
        argv.push(&["--dangerously-bypass-approvals-and-sandbox"]);
    } else {
        argv.push(&["-s", sandbox]);
        if !headless {
            argv.push(&["-a", context.choice(&APPROVAL)?]);
        }
    }
    argv.model("-m");
    for setting in settings(context, sandbox, private)? {
        argv.push(&["-c", &setting]);
    }
    argv.own();
    if headless && context.resume.is_some() {
        argv.push(&["resume"]);
    }
    argv.push(&["--"]);
    argv.push(context.resume.as_slice());
    Ok(argv.end(&[context.task]))
}

/// Configuration of this launch, each as `key=value` with a TOML value.
fn settings(
    context: &LaunchContext<'_>,
    sandbox: &str,
    private: bool,
) -> Result<Vec<String>, CliError> {
    // Codex gives the command to a shell.
    let command = toml_string(&hook_files::shell_command(context.run_dir)?);
    let waiting = if context.agent.asks_remotely() {
        let seconds = answers::wait_seconds(context.agent);
        let hook = hook_files::shell_command(context.run_dir)?;
        let command = toml_string(&format!("{hook} {} {seconds}", hook_program::WAIT));
        Some((command, seconds))
    } else {
        None
    };
    let hooks = HOOKS.iter().map(|(event, timeout)| {
        let waits = waiting.as_ref().filter(|_| *event == "PermissionRequest");
        let (command, waited) = waits.map_or((&command, 0), |(command, it)| (command, *it));
        let timeout = u64::from(*timeout) + waited;
        format!(
            "hooks.{event}=[{{hooks=[{{type=\"command\",command={command},timeout={timeout}}}]}}]"
        )
    });
    let mut settings: Vec<String> = hooks.collect();
    // Without it there is no plan. The binary of a running agent must not be updated.
    settings.push("tools.update_plan.enabled=true".into());
    settings.push("check_for_update_on_startup=false".into());
    if context.agent.mode() == AgentMode::Interactive {
        // Otherwise its interface counts announcements in the user's configuration.
        settings.push(format!("tui.model_availability_nux={{\"{ANNOUNCED}\"=9}}"));
    }
    let model = context.agent.model.as_deref();
    if let Some((model, successor)) = SUCCESSORS.iter().find(|(it, _)| model == Some(*it)) {
        settings.push(format!(
            "notice.model_migrations={{\"{model}\"=\"{successor}\"}}"
        ));
    }
    // A new state folder, or our folder above several worktrees, is not trusted yet: Codex would
    // ask at every run.
    if private || context.worktrees.len() > 1 {
        let folder = toml_string(launch::utf8(context.cwd)?);
        settings.push(format!("projects={{{folder}={{trust_level=\"trusted\"}}}}"));
    }
    let commits = ["danger-full-access", BYPASS].contains(&sandbox);
    let own = Some(context.agent.instructions.trim()).filter(|own| !own.is_empty());
    let told: Vec<&str> = own
        .into_iter()
        .chain((!commits).then_some(NO_COMMITS))
        .collect();
    if !told.is_empty() {
        let told = toml_string(&told.join("\n\n"));
        settings.push(format!("developer_instructions={told}"));
    }
    Ok(settings)
}

/// A TOML string: JSON's escapes are TOML's, which has one more forbidden character.
fn toml_string(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
#[path = "codex_tests.rs"]
mod tests;
