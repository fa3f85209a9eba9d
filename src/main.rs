//! Command line: arguments, configuration, log, subcommand.

use abbado::{
    app, cli,
    config::{Config, Flags},
    demo, doctor, pty, runtime, store,
};
use lexopt::ValueExt;
use std::{io::Write, process::ExitCode};

const USAGE: &str =
    "usage: abbado [serve] [--bind ADDR:PORT] [--data-dir DIR]   run the server (default)
       abbado demo                                          a scratch run from start to end
       abbado rebuild [--data-dir DIR]                      rebuild the read model from the log
       abbado doctor [--data-dir DIR]                       check for problems; changes nothing
       abbado version
       abbado hook | holder | demo-agent                    for internal use
";

fn main() -> ExitCode {
    // The run folder's `hook` is a link to this program.
    if std::env::args_os()
        .next()
        .is_some_and(|name| cli::hook_program::called_as_hook(&name))
    {
        return code(cli::hook_program::run());
    }
    let mut args = lexopt::Parser::from_env();
    match parse(&mut args) {
        Ok((Subcommand::Hook, _)) => code(cli::hook_program::run()),
        Ok((Subcommand::Holder, _)) => code(pty::holder::run()),
        Ok((Subcommand::DemoAgent, _)) => code(cli::demo::run()),
        Ok((Subcommand::Version, _)) => {
            say(&format!("abbado {}", env!("CARGO_PKG_VERSION")));
            ExitCode::SUCCESS
        }
        Ok((Subcommand::Help, _)) => {
            say(USAGE.trim_end());
            ExitCode::SUCCESS
        }
        Ok((subcommand, flags)) => match with_config(subcommand, flags) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => complain(&why),
        },
        Err(why) => complain(&format!("{why}\n{}", USAGE.trim_end())),
    }
}

#[derive(Clone, Copy)]
enum Subcommand {
    Serve,
    Demo,
    Rebuild,
    Doctor,
    Version,
    Help,
    Hook,
    Holder,
    DemoAgent,
}

fn parse(args: &mut lexopt::Parser) -> Result<(Subcommand, Flags), lexopt::Error> {
    let mut subcommand = None;
    let mut flags = Flags::default();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("bind") => flags.bind = Some(args.value()?.string()?),
            lexopt::Arg::Long("data-dir") => flags.data_dir = Some(args.value()?.into()),
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => {
                return Ok((Subcommand::Help, flags));
            }
            lexopt::Arg::Short('V') | lexopt::Arg::Long("version") => {
                return Ok((Subcommand::Version, flags));
            }
            lexopt::Arg::Value(word) if subcommand.is_none() => {
                let known = match word.to_str() {
                    Some("serve") => Subcommand::Serve,
                    Some("demo") => Subcommand::Demo,
                    Some("rebuild") => Subcommand::Rebuild,
                    Some("doctor") => Subcommand::Doctor,
                    Some("version") => Subcommand::Version,
                    Some("hook") => return Ok((Subcommand::Hook, flags)),
                    Some("holder") => return Ok((Subcommand::Holder, flags)),
                    // It parses its own arguments.
                    Some("demo-agent") => return Ok((Subcommand::DemoAgent, flags)),
                    _ => return Err(lexopt::Arg::Value(word).unexpected()),
                };
                subcommand = Some(known);
            }
            other @ (lexopt::Arg::Short(_) | lexopt::Arg::Long(_) | lexopt::Arg::Value(_)) => {
                return Err(other.unexpected());
            }
        }
    }
    Ok((subcommand.unwrap_or(Subcommand::Serve), flags))
}

fn with_config(subcommand: Subcommand, flags: Flags) -> Result<(), String> {
    let quiet = if matches!(subcommand, Subcommand::Demo) {
        "warn"
    } else {
        "info"
    };
    let env = env_logger::Env::new()
        .filter_or("ABBADO_LOG", quiet)
        .write_style("ABBADO_LOG_STYLE");
    env_logger::Builder::from_env(env)
        .format_timestamp_millis()
        .init();
    match subcommand {
        Subcommand::Demo => demo::run(),
        Subcommand::Rebuild => rebuild(&Config::read(flags)?),
        Subcommand::Doctor => doctor::run(&Config::look(flags)?),
        Subcommand::Serve
        | Subcommand::Version
        | Subcommand::Help
        | Subcommand::Hook
        | Subcommand::Holder
        | Subcommand::DemoAgent => {
            let config = Config::read(flags)?;
            let listening = |address| say(&format!("listening on http://{address}"));
            let served = app::serve(config, listening, std::future::pending());
            let outcome = actix::System::new().block_on(served);
            runtime::threads::finish();
            outcome
        }
    }
}

fn rebuild(config: &Config) -> Result<(), String> {
    let _lock = app::FolderLock::take(&config.data_dir)?;
    let location = store::Location::of(&config.data_dir);
    let count = store::rebuild(&location).map_err(|error| error.to_string())?;
    say(&format!("rebuilt {count} runs from the log"));
    Ok(())
}

/// Prints a line; a closed stdout is not an error.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

fn complain(why: &str) -> ExitCode {
    drop(writeln!(std::io::stderr().lock(), "abbado: {why}"));
    ExitCode::FAILURE
}

fn code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
