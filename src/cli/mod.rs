//! The coding CLIs: how each is started, what its hooks mean, and how its transcript is read.
//!
//! The runtime asks [`adapter`] for the adapter of a run's agent; nobody else knows a CLI by name.
//! Two of the programs that run inside a CLI's tree live here as well: the hook program
//! ([`hook_program`]) and the scripted agent of the demo ([`demo`]).
//!
//! Holds: the user's own configuration of a CLI is never written; all files that a launch needs
//! lie in the run folder. A launch goes through no shell.

mod answers;
mod argv;
mod choices;
pub(crate) mod claude_code;
pub(crate) mod codex;
pub(crate) mod command;
pub mod demo;
pub(crate) mod gemini;
pub mod hook_files;
pub mod hook_program;
pub(crate) mod hooks;
mod launch;
mod long_task;
pub(crate) mod opencode;
pub(crate) mod payload;
mod programs;
pub(crate) mod qwen;
pub(crate) mod transcript;
pub(crate) mod typed;

#[cfg(test)]
mod testing;

use choices::Choice;
pub use long_task::LongTask;
pub(crate) use programs::{ephemeral_argv, find_program};

use crate::domain::{
    Agent, AgentMode, RunId,
    run::{
        command::{Hook, Observation, Usage},
        event::WorktreeAt,
        view::ApprovalView,
    },
    settings::ModelSettings,
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};
use uuid::Uuid;

/// Why a CLI cannot be started or understood.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The program exists and cannot be executed.
    #[error("program '{program}' cannot be executed: {why}")]
    NotExecutable {
        /// Its name as requested, or its path.
        program: String,
        /// The end of a sentence.
        why: &'static str,
    },
    /// The program does not exist.
    #[error("program '{program}' was not found; {hint}")]
    NotFound {
        /// Its name as requested.
        program: String,
        /// One sentence that says what to do.
        hint: String,
    },
    /// The agent names no program.
    #[error("provider_config.command is missing its program")]
    NoProgram,
    /// An argument or variable that is too long for the system.
    #[error(
        "{what} has {bytes} bytes; a program can be given at most {}",
        launch::ARGUMENT_BYTES_MAX
    )]
    TooLong {
        /// Which one.
        what: String,
        /// Its length.
        bytes: usize,
    },
    /// An argument or variable with a NUL character.
    #[error("{what} contains a NUL character, which no program can receive")]
    Nul {
        /// Which one.
        what: String,
    },
    /// The path of the run folder cannot be written into the CLI's settings.
    #[error("the path of the run folder is not UTF-8")]
    PathNotUtf8,
    /// A value of `provider_config` that the adapter cannot use.
    #[error("{0}")]
    Config(String),
    /// A hook payload without a name.
    #[error("the payload has no hook_event_name, event_name or hookEventName")]
    NoEventName,
    /// A file of the run folder could not be written or read.
    #[error("could not write {name} in the run folder")]
    File {
        /// Which file.
        name: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// All that an adapter may use to plan a launch.
#[derive(Debug, Clone, Copy)]
pub struct LaunchContext<'a> {
    /// The configuration of the run.
    pub agent: &'a Agent,
    /// The run.
    pub run_id: RunId,
    /// Its folder, `<data folder>/runs/<run id>`, absolute.
    pub run_dir: &'a Path,
    /// Working folder of the CLI: the worktree, or the folder that holds them all.
    pub cwd: &'a Path,
    /// The worktrees.
    pub worktrees: &'a [WorktreeAt],
    /// The task; on continue, the message.
    pub task: &'a str,
    /// The file with the whole task, when `task` only refers to it.
    pub task_file: Option<&'a Path>,
    /// The session to resume.
    pub resume: Option<&'a str>,
    /// Id of a new session, for CLIs that accept one; used when `resume` is none.
    pub new_session_id: Uuid,
    /// Base URL of the server, `http://ADDR`.
    pub base_url: &'a str,
    /// Absolute path of this binary.
    pub abbado: &'a Path,
    /// Environment of the server.
    pub server_env: &'a [(String, String)],
}

/// How to start a CLI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchPlan {
    /// Program, as an absolute path, and its arguments.
    pub argv: Vec<String>,
    /// The whole environment; nothing else is inherited.
    pub env: Vec<(String, String)>,
    /// Working folder.
    pub cwd: PathBuf,
}

/// Arguments with the program first, and the environment.
type Command = (Vec<String>, BTreeMap<String, String>);

/// Where a reader of a transcript continues.
#[derive(Debug, Clone)]
pub struct TranscriptContext {
    /// How the CLI runs: in headless mode the output stream is read, else the transcript file.
    pub mode: AgentMode,
    /// Bytes already read: of the transcript file; of the output of the present process when
    /// headless (0 after each launch).
    pub offset: u64,
    /// Totals of the run up to there.
    pub baseline: Usage,
    /// Prices for estimates.
    pub prices: Arc<ModelSettings>,
}

impl TranscriptContext {
    /// Continues where `baseline` ends, with the default prices.
    #[must_use]
    pub fn new(mode: AgentMode, baseline: Usage) -> Self {
        let offset = baseline.transcript_offset;
        Self {
            mode,
            offset,
            baseline,
            prices: Arc::new(ModelSettings::defaults()),
        }
    }

    /// The same with other prices.
    #[must_use]
    pub fn priced(self, prices: Arc<ModelSettings>) -> Self {
        Self { prices, ..self }
    }
}

/// Who enforces a limit of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = KeeperView)]
pub enum Keeper {
    /// The CLI, which is given the limit at its start.
    Cli,
    /// The server, which counts turns and pauses the run after the last one.
    Counted,
    /// Nobody: the limit has no effect.
    None,
}

/// Who enforces the limits of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ModeLimitsView)]
pub struct Limits {
    /// Of `max_turns`.
    pub max_turns: Keeper,
    /// Of `allowed_tools`.
    pub allowed_tools: Keeper,
}

impl Limits {
    /// Limits of an interactive CLI, whose turns are counted; `headless` enforces those of a
    /// headless process.
    const fn counted(mode: AgentMode, headless: Keeper, allowed_tools: Keeper) -> Self {
        let max_turns = match mode {
            AgentMode::Interactive => Keeper::Counted,
            AgentMode::Headless => headless,
        };
        Self {
            max_turns,
            allowed_tools,
        }
    }
}

/// Reads a CLI's record of its session piece by piece, with its own position.
pub trait Transcript: Send {
    /// Reads on in the transcript file up to its present end; whole lines only. The path is what the
    /// last hook told; another path than before begins another session. Readers of an output
    /// stream find nothing here.
    ///
    /// # Errors
    /// When the file is there but cannot be read. What was read before the error is returned by the
    /// next call.
    fn read(&mut self, _path: Option<&Path>) -> std::io::Result<Vec<Observation>> {
        Ok(Vec::new())
    }

    /// Bytes of the current process's output that a new reader does not need; it is fed from there.
    fn output_read(&self) -> u64 {
        0
    }

    /// Skips bytes of the output that are no longer stored.
    fn passed_over(&mut self, _bytes: u64) {}

    /// Reads the next bytes of the output stream. Readers of a file ignore them.
    fn feed(&mut self, _output: &[u8]) -> Vec<Observation> {
        Vec::new()
    }

    /// Sets the run's model, for streams that do not name it.
    fn model_is(&mut self, _model: &str) {}
}

/// One CLI. Adapters have no state: what changes is in the contexts.
pub trait Adapter: Sync {
    /// Its name in `cli_name`.
    fn name(&self) -> &'static str;

    /// One sentence: how to install the CLI.
    fn install_hint(&self) -> &'static str;

    /// Who enforces what in this mode; the answer of GET settings/models.
    fn limits(&self, mode: AgentMode) -> Limits;

    /// The adapter's own keys of `provider_config`; none for an adapter that takes any key.
    fn choices(&self) -> Option<&'static [Choice]> {
        None
    }

    /// Returns what is wrong with the agent's `provider_config`, if anything.
    fn validate_config(&self, config: &Map<String, Value>) -> Option<String> {
        choices::check(config, self.name(), self.choices()?).err()
    }

    /// Keys that quit the CLI's interface; empty for a CLI that sends its last hooks when a signal
    /// ends it.
    fn quit_keys(&self) -> &'static [&'static [u8]] {
        &[]
    }

    /// Converts a message to the form that the CLI accepts completely, at its prompt and as an
    /// argument. Its prompt hook reports the result, apart from white space at the ends.
    ///
    /// # Errors
    /// A sentence about a message that the CLI would not accept as a prompt.
    fn prepare(&self, message: &str) -> Result<String, String> {
        typed::plain(message)
    }

    /// Writes the run's hook files into the run folder and plans the launch. Touches nothing
    /// outside the run folder.
    ///
    /// # Errors
    /// When the program is not found, an argument cannot be passed, or a file cannot be written.
    fn plan(&self, context: &LaunchContext<'_>) -> Result<LaunchPlan, CliError> {
        if let Some(fault) = self.validate_config(&context.agent.provider_config) {
            return Err(CliError::Config(fault));
        }
        hook_files::ensure(context.run_dir, context.abbado)?;
        let (argv, env) = self.command(context)?;
        launch::finish(context, argv, env, self.install_hint())
    }

    /// The program with its arguments, and the environment. Writes the CLI's own files.
    ///
    /// # Errors
    /// When a value cannot be passed, or a file cannot be written.
    fn command(&self, context: &LaunchContext<'_>) -> Result<Command, CliError>;

    /// Translates a hook payload, which is passed on unchanged.
    ///
    /// # Errors
    /// When it has no event name.
    fn hook(&self, payload: Value) -> Result<Hook, CliError>;

    /// True when a hook of the CLI that asks can bring a person's decision.
    fn takes_answers(&self) -> bool {
        false
    }

    /// What the hook that waits for an approval prints once it is closed. `{}` leaves the question
    /// to the CLI's own dialog.
    fn answer(&self, _approval: &ApprovalView) -> Value {
        json!({})
    }

    /// A reader of the session's transcript or stream, if there is one.
    fn transcript(&self, context: TranscriptContext) -> Option<Box<dyn Transcript>>;
}

/// Names of all adapters of this build.
pub const NAMES: [&str; 7] = [
    "claude-code",
    "codex",
    "gemini",
    "qwen",
    "opencode",
    "command",
    "demo",
];

/// Says that the CLI of an agent with remote approvals cannot have any.
pub(crate) fn remote_approvals_fault(agent: &Agent) -> Option<String> {
    let takes = adapter(&agent.cli_name)?.takes_answers();
    (agent.asks_remotely() && !takes).then(|| {
        format!(
            "provider_config.approvals \"remote\" is not supported by the adapter '{}', whose hooks \
             cannot bring a decision",
            agent.cli_name
        )
    })
}

/// The adapter with that name.
#[must_use]
pub fn adapter(cli_name: &str) -> Option<&'static dyn Adapter> {
    match cli_name {
        "claude-code" => Some(&claude_code::ClaudeCode),
        "codex" => Some(&codex::Codex),
        "gemini" => Some(&gemini::Gemini),
        "qwen" => Some(&qwen::Qwen),
        "opencode" => Some(&opencode::OpenCode),
        "command" => Some(&command::AnyCommand),
        "demo" => Some(&demo::Demo),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_adapter_and_no_other() {
        for name in NAMES {
            assert_eq!(adapter(name).map(Adapter::name), Some(name));
        }
        assert!(adapter("vim").is_none());
    }

    #[test]
    fn turns_are_said_to_be_counted_where_they_are() {
        for (name, mode) in NAMES.into_iter().flat_map(|name| {
            [
                ("interactive", AgentMode::Interactive),
                ("headless", AgentMode::Headless),
            ]
            .map(|mode| (name, mode))
        }) {
            let mut launch = testing::Launch::new(name);
            launch.config(&format!(r#"{{"mode": "{}"}}"#, mode.0));
            let limits = adapter(name).unwrap().limits(mode.1);
            let counted = limits.max_turns == Keeper::Counted;
            assert_eq!(counted, launch.agent.counts_turns(), "{name} {}", mode.0);
        }
    }

    #[test]
    fn a_limit_is_the_clis_own_where_its_launch_line_has_it() {
        for name in ["claude-code", "codex", "gemini", "qwen", "demo"] {
            for (word, mode) in [
                ("interactive", AgentMode::Interactive),
                ("headless", AgentMode::Headless),
            ] {
                let mut launch = testing::Launch::new(name);
                launch.config(&format!(r#"{{"mode": "{word}", "bin": "/bin/sh"}}"#));
                launch.agent.max_turns = 7531;
                launch.agent.allowed_tools = "Read,Telescope".into();
                let argv = launch.argv().join(" ");
                let limits = adapter(name).unwrap().limits(mode);
                let turns = limits.max_turns == Keeper::Cli;
                assert_eq!(argv.contains("7531"), turns, "{name} {word}: {argv}");
                let tools = limits.allowed_tools == Keeper::Cli;
                assert_eq!(argv.contains("Telescope"), tools, "{name} {word}: {argv}");
            }
        }
    }

    #[test]
    fn only_any_command_works_at_once() {
        let at_once: Vec<_> = NAMES
            .into_iter()
            .filter(|name| {
                let mut agent = testing::Launch::new(name).agent;
                agent.cli_name = (*name).to_owned();
                agent.works_at_once()
            })
            .collect();
        assert_eq!(at_once, ["command"]);
    }
}
