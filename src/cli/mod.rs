//! The coding CLIs: how each is started, what its hooks mean, and how what it wrote down is read.
//!
//! The runtime asks [`adapter`] for the adapter of a run's agent; nobody else knows a CLI by name.
//! Two of the programs that run inside a CLI's tree live here as well: the hook program
//! ([`hook_program`]) and the scripted agent of the demo ([`demo`]).
//!
//! Holds: the user's own configuration of a CLI is never written; all files that a launch needs
//! lie in the run folder. A launch goes through no shell.

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

pub use long_task::LongTask;
pub(crate) use programs::{ephemeral_argv, find_program};

use crate::domain::{
    Agent, AgentMode, RunId,
    run::{
        command::{Hook, Observation, Usage},
        event::WorktreeAt,
    },
    settings::ModelSettings,
};
use serde::Serialize;
use serde_json::{Map, Value};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use uuid::Uuid;

/// Why a CLI cannot be started or understood.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The program is there, in some form, and cannot be executed.
    #[error("program '{program}' cannot be executed: {why}")]
    NotExecutable {
        /// As it was asked for, or where it was found.
        program: String,
        /// The end of a sentence.
        why: &'static str,
    },
    /// The program is not there.
    #[error("program '{program}' was not found; {hint}")]
    NotFound {
        /// As it was asked for.
        program: String,
        /// One sentence that helps.
        hint: String,
    },
    /// The agent names no program.
    #[error("provider_config.command names no program")]
    NoProgram,
    /// An argument or variable that the system would refuse.
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
    #[error("{what} contains a NUL character, which no program can be given")]
    Nul {
        /// Which one.
        what: String,
    },
    /// A path that is no UTF-8 cannot be written into the CLI's settings.
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
    /// The system gave no random bytes.
    #[error("no random bytes for the hook secret")]
    Random(#[source] getrandom::Error),
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
    /// The file that the task tells to read, when it was too long by itself.
    pub task_file: Option<&'a Path>,
    /// The session to go on with.
    pub resume: Option<&'a str>,
    /// Id of the session, for CLIs that let us choose it; used when `resume` is none.
    pub new_session_id: Uuid,
    /// Where the server answers, `http://ADDR`.
    pub base_url: &'a str,
    /// Our own binary, absolute.
    pub abbado: &'a Path,
    /// Environment of the server.
    pub server_env: &'a [(String, String)],
}

/// How to start a CLI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchPlan {
    /// Program, as an absolute path, and its arguments.
    pub argv: Vec<String>,
    /// The whole environment; nothing is inherited beside it.
    pub env: Vec<(String, String)>,
    /// Working folder.
    pub cwd: PathBuf,
}

/// Where reading goes on.
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
    /// Goes on where `baseline` ends, with the prices of a fresh installation.
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

/// Who keeps a run within a limit that its agent sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = KeeperView)]
pub enum Keeper {
    /// The CLI: it is told the limit when it is started.
    Cli,
    /// We: turns are counted from prompt to end, and the run is paused by the last one.
    Counted,
    /// Nobody: the limit has no effect.
    None,
}

/// What becomes of the limits that an agent sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ModeLimitsView)]
pub struct Limits {
    /// Of `max_turns`.
    pub max_turns: Keeper,
    /// Of `allowed_tools`.
    pub allowed_tools: Keeper,
}

impl Limits {
    /// Of a CLI with an interface: its turns are counted there; `headless` keeps those of a
    /// process that has none.
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

/// What a CLI wrote down about its session, read piece by piece. Holds its own cursor.
pub trait Transcript: Send {
    /// Reads on in the transcript file up to its present end; whole lines only. The path is what the
    /// last hook told; another path than before begins another session. Readers of an output
    /// stream find nothing here.
    ///
    /// # Errors
    /// When the file is there but cannot be read. What was read before the error is not lost: it
    /// comes with the next call.
    fn read(&mut self, _path: Option<&Path>) -> std::io::Result<Vec<Observation>> {
        Ok(Vec::new())
    }

    /// Bytes of the present process's output that a new reader has no need of: from there on it is
    /// fed.
    fn output_read(&self) -> u64 {
        0
    }

    /// So many bytes of the output are no longer kept and will not be fed.
    fn passed_over(&mut self, _bytes: u64) {}

    /// Takes the next bytes of the output stream. Readers of a file ignore them.
    fn feed(&mut self, _output: &[u8]) -> Vec<Observation> {
        Vec::new()
    }

    /// Tells the model that the run is known to work with, to streams that do not name it.
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

    /// Says what is wrong with the adapter's own keys of `provider_config`, or nothing.
    fn validate_config(&self, _config: &Map<String, Value>) -> Option<String> {
        None
    }

    /// What a person would type to leave the CLI's interface, key by key; empty for a CLI that
    /// says good-bye when it is ended by a signal.
    fn quit_keys(&self) -> &'static [&'static [u8]] {
        &[]
    }

    /// Puts a person's message into the form in which the CLI takes it whole, at its prompt and as
    /// an argument. What comes out is what its prompt hook tells, white space at the ends aside.
    ///
    /// # Errors
    /// A sentence about the message, for one that the CLI would not take as a prompt.
    fn prepare(&self, message: &str) -> Result<String, String> {
        typed::plain(message)
    }

    /// Writes the run's hook files into the run folder and says how to start the CLI. Touches
    /// nothing outside the run folder.
    ///
    /// # Errors
    /// When the program is not found, an argument cannot be passed, or a file cannot be written.
    fn plan(&self, context: &LaunchContext<'_>) -> Result<LaunchPlan, CliError>;

    /// Says what a hook payload means. The payload rides along whole.
    ///
    /// # Errors
    /// When it has no event name.
    fn hook(&self, payload: Value) -> Result<Hook, CliError>;

    /// A reader of what the session writes down, or none.
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

/// The adapter of that name.
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
