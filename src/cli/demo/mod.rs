//! The demo agent: the adapter `demo`, and the program that it starts, `abbado demo-agent`.
//!
//! For people without an account, and for tests: a scripted agent that does what a real CLI does
//! on its terminal, through hooks and in a transcript, with real edits in the worktree. It calls
//! no network.

mod script;
mod session;
mod terminal;

use super::{
    Adapter, CliError, Command, Keeper, LaunchContext, Limits, Transcript, TranscriptContext,
    answers, argv::Argv, hooks, launch, transcript::ClaudeTranscript,
};
use crate::domain::{
    AgentMode,
    run::{command::Hook, view::ApprovalView},
};
use serde_json::Value;
use session::Session;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;
use terminal::{Ending, Terminal};

/// Subcommand of this binary that is the agent.
pub const SUBCOMMAND: &str = "demo-agent";

/// Time between two steps: about thirty make three seconds.
const PACE_DEFAULT: Duration = Duration::from_millis(100);

/// The adapter.
pub struct Demo;

impl Adapter for Demo {
    fn name(&self) -> &'static str {
        "demo"
    }

    fn install_hint(&self) -> &'static str {
        "it is part of abbado itself; start the server from where it is installed"
    }

    fn limits(&self, mode: AgentMode) -> Limits {
        Limits::counted(mode, Keeper::None, Keeper::None)
    }

    fn command(&self, context: &LaunchContext<'_>) -> Result<Command, CliError> {
        let mut argv = Argv::new(context, launch::utf8(context.abbado)?);
        argv.push(&[SUBCOMMAND]);
        argv.session();
        if context.agent.asks_remotely() {
            let seconds = answers::wait_seconds(context.agent);
            argv.push(&["--wait", &seconds.to_string()]);
        }
        argv.own();
        let argv = argv.end(&["--", context.task]);
        Ok((argv, launch::environment(context, &[])))
    }

    fn hook(&self, payload: Value) -> Result<Hook, CliError> {
        hooks::translate(payload, "The demo agent")
    }

    fn takes_answers(&self) -> bool {
        true
    }

    fn answer(&self, approval: &ApprovalView) -> Value {
        answers::claude(approval)
    }

    fn transcript(&self, context: TranscriptContext) -> Option<Box<dyn Transcript>> {
        Some(Box::new(ClaudeTranscript::new(context)))
    }
}

/// Arguments of the agent.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    session_id: String,
    resumed: bool,
    /// End after the first turn, instead of waiting for more.
    exit: bool,
    /// Wait for a person to answer a permission request, instead of granting it.
    ask: bool,
    /// The same, and an answer from elsewhere counts: the seconds that the hook waits for one.
    wait: Option<u64>,
    pace: Duration,
    /// The first message stops after its first words until this file exists.
    hold: Option<PathBuf>,
    task: String,
}

/// Runs the agent on the terminal and returns its exit code. Arguments: `--session-id ID` or
/// `--resume ID`, `--exit`, `--ask`, `--wait SECONDS`, `--pace MILLISECONDS`, `--hold FILE`, then the task.
#[must_use]
pub fn run() -> i32 {
    let options = match options(std::env::args_os().skip(2)) {
        Ok(options) => options,
        Err(error) => {
            let _nobody_reads = writeln!(std::io::stderr(), "abbado {SUBCOMMAND}: {error}");
            return 2;
        }
    };
    match play(&options) {
        Ok(ending) => ending.exit_code(),
        Err(error) => {
            let _nobody_reads = writeln!(std::io::stderr(), "abbado {SUBCOMMAND}: {error}");
            1
        }
    }
}

fn options(args: impl Iterator<Item = OsString>) -> Result<Options, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options {
        session_id: String::new(),
        resumed: false,
        exit: false,
        ask: false,
        wait: None,
        pace: PACE_DEFAULT,
        hold: None,
        task: String::new(),
    };
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("session-id") => options.session_id = parser.value()?.string()?,
            Long("resume") => {
                options.session_id = parser.value()?.string()?;
                options.resumed = true;
            }
            Long("exit") => options.exit = true,
            Long("ask") => options.ask = true,
            Long("wait") => options.wait = Some(parser.value()?.parse()?),
            Long("pace") => options.pace = Duration::from_millis(parser.value()?.parse()?),
            Long("hold") => options.hold = Some(parser.value()?.into()),
            Value(task) => options.task = task.string()?,
            Long(_) | Short(_) => return Err(argument.unexpected()),
        }
    }
    if options.session_id.is_empty() {
        options.session_id = session::fresh();
    }
    Ok(options)
}

/// Plays turns until the session ends.
fn play(options: &Options) -> std::io::Result<Ending> {
    let mut terminal = Terminal::open(options.pace)?;
    let mut session = Session::open(options)?;
    let ending = turns(options, &mut terminal, &mut session);
    let reason = match &ending {
        Ok(Ending::Left) => "prompt_input_exit",
        Ok(Ending::Done | Ending::Signal(_)) | Err(_) => "other",
    };
    session.end(reason);
    terminal.close();
    ending
}

fn turns(
    options: &Options,
    terminal: &mut Terminal,
    session: &mut Session,
) -> std::io::Result<Ending> {
    session.start(options.resumed);
    terminal.banner(&options.session_id)?;
    let mut prompt = options.task.clone();
    loop {
        if !prompt.trim().is_empty() {
            match script::turn(terminal, session, &prompt, options) {
                Ok(()) => {}
                Err(script::Stop::Interrupted) => session.interrupted()?,
                Err(script::Stop::Signal(signal)) => return Ok(Ending::Signal(signal)),
                Err(script::Stop::Failed(error)) => return Err(error),
            }
        }
        if options.exit {
            return Ok(Ending::Done);
        }
        match terminal.prompt()? {
            Ok(line) if line.trim() == "/exit" => return Ok(Ending::Left),
            Ok(line) => prompt = line,
            Err(ending) => return Ok(ending),
        }
    }
}

#[cfg(test)]
mod tests;
