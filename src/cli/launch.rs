//! Shared by all launches: the environment, the search for the program, and the system's limits.

use super::{CliError, LaunchContext, LaunchPlan};
use crate::{domain::environment, files};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Longest argument or `NAME=value` that Linux passes on: 32 pages, the final NUL included.
pub(super) const ARGUMENT_BYTES_MAX: usize = 32 * 4096 - 1;

/// Where programs are searched without a PATH.
const PATH_DEFAULT: &str = "/usr/local/bin:/usr/bin:/bin";

/// Environment of a CLI: what the server's children inherit, then the terminal's, `adapter_env`, the
/// agent's, and ours. Later ones win.
pub(super) fn environment(
    context: &LaunchContext<'_>,
    adapter_env: &[(&str, &str)],
) -> BTreeMap<String, String> {
    let mut env: BTreeMap<String, String> = context.server_env.iter().cloned().collect();
    environment::for_terminal(&mut env);
    let mut set = |name: &str, value: &str| {
        env.insert(name.to_owned(), value.to_owned());
    };
    set("PWD", &context.cwd.to_string_lossy());
    for (name, value) in adapter_env {
        set(name, value);
    }
    for (name, value) in context.agent.env() {
        set(&name, &value);
    }
    set("ABBADO_RUN_ID", &context.run_id.to_string());
    set("ABBADO_URL", context.base_url);
    set(
        "ABBADO_HOOK",
        &context.run_dir.join("hook").to_string_lossy(),
    );
    set("ABBADO_TASK", context.task);
    if let Some(file) = context.task_file {
        set("ABBADO_TASK_FILE", &file.to_string_lossy());
    }
    set("ABBADO_RUN_DIR", &context.run_dir.to_string_lossy());
    if let Some(session) = context.resume {
        set("ABBADO_SESSION_ID", session);
    }
    env
}

/// Finds the program and checks that the system will accept the plan.
pub(super) fn finish(
    context: &LaunchContext<'_>,
    mut argv: Vec<String>,
    env: BTreeMap<String, String>,
    hint: &str,
) -> Result<LaunchPlan, CliError> {
    let Some(program) = argv.first_mut().filter(|program| !program.is_empty()) else {
        return Err(CliError::NoProgram);
    };
    let path = env.get("PATH").map_or(PATH_DEFAULT, String::as_str);
    let found =
        find(program, path, context.cwd).and_then(|found| found.to_str().map(str::to_owned));
    *program = found.ok_or_else(|| not_found(program, path, context.cwd, hint))?;
    for (at, argument) in argv.iter().enumerate() {
        let what = if argument == context.task {
            "the task".to_owned()
        } else {
            format!("argument {at}")
        };
        passable(what, argument, 0)?;
    }
    for (name, value) in &env {
        passable(format!("variable {name}"), value, name.len() + 1)?;
    }
    Ok(LaunchPlan {
        argv,
        env: env.into_iter().collect(),
        cwd: context.cwd.to_owned(),
    })
}

fn passable(what: String, text: &str, more: usize) -> Result<(), CliError> {
    if text.contains('\0') {
        return Err(CliError::Nul { what });
    }
    let bytes = text.len() + more;
    if bytes > ARGUMENT_BYTES_MAX {
        Err(CliError::TooLong { what, bytes })
    } else {
        Ok(())
    }
}

/// The program's absolute path. Relative entries of PATH are skipped: they would run programs from
/// the repository.
pub(super) fn find(program: &str, path: &str, cwd: &Path) -> Option<PathBuf> {
    if program.contains('/') {
        let at = cwd.join(program);
        return executable(&at).then_some(at);
    }
    candidates(program, path).find(|candidate| executable(candidate))
}

/// Paths where a program without a slash may be.
fn candidates(program: &str, path: &str) -> impl Iterator<Item = PathBuf> {
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(move |folder| folder.join(program))
}

fn executable(path: &Path) -> bool {
    files::not_executable(path).is_none()
}

/// Why [`find`] found nothing: the file cannot be executed, or does not exist.
fn not_found(program: &str, path: &str, cwd: &Path, hint: &str) -> CliError {
    let why = |at: &Path| files::not_executable(at).filter(|why| *why != files::NO_SUCH_FILE);
    if program.contains('/') {
        if let Some(why) = why(&cwd.join(program)) {
            let program = program.to_owned();
            return CliError::NotExecutable { program, why };
        }
    } else if let Some(at) = candidates(program, path).find(|at| at.is_file())
        && let Some(why) = why(&at)
    {
        let program = at.display().to_string();
        return CliError::NotExecutable { program, why };
    }
    let (program, hint) = (program.to_owned(), hint.to_owned());
    CliError::NotFound { program, hint }
}

/// The path as text.
///
/// # Errors
/// When it is not UTF-8.
pub(super) fn utf8(path: &Path) -> Result<&str, CliError> {
    path.to_str().ok_or(CliError::PathNotUtf8)
}

/// The text quoted as one shell word, for CLIs that run a hook's command by a shell.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Protects a text from option parsers that strip quotes: a space after the last quote keeps them,
/// and CLIs trim it.
pub(super) fn unstripped(text: &str) -> String {
    let quotes = ['"', '\''];
    let ends = |quote| text.starts_with(quote) && text.ends_with(quote);
    let space = if quotes.into_iter().any(ends) {
        " "
    } else {
        ""
    };
    format!("{text}{space}")
}

/// The value that the CLI would see without ours: the agent's, else the server's.
pub(super) fn variable(context: &LaunchContext<'_>, name: &str) -> Option<String> {
    let agent = context.agent.env().into_iter();
    let server = context.server_env.iter().cloned();
    let found = agent.chain(server).find(|(key, _)| key == name);
    found.map(|(_, value)| value).filter(|it| !it.is_empty())
}

/// Replaces `{name}` in one pass: inserted values are not expanded again, so a task that contains
/// `{model}` stays unchanged.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        let known = values.iter().find_map(|(name, value)| {
            let after = rest[1..].strip_prefix(name)?.strip_prefix('}')?;
            Some((*value, after))
        });
        match known {
            Some((value, after)) => {
                filled.push_str(value);
                rest = after;
            }
            None => {
                filled.push('{');
                rest = &rest[1..];
            }
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Launch, names};
    use super::*;
    use std::fs;

    #[test]
    fn values_are_filled_in_once_whole_or_in_part() {
        let values = [
            ("task", "use {model} {task}"),
            ("model", "m"),
            ("session_id", ""),
        ];
        for (template, filled) in [
            ("{task}", "use {model} {task}"),
            ("--model={model}!", "--model=m!"),
            ("{{model}}", "{m}"),
            ("{session_id}", ""),
            ("{unknown} {", "{unknown} {"),
            ("{model", "{model"),
            ("é{model}é", "émé"),
        ] {
            assert_eq!(fill(template, &values), filled, "{template}");
        }
    }

    #[test]
    fn the_servers_own_variables_never_reach_a_cli() {
        let mut launch = Launch::new("command");
        launch.server_env("ABBADO_TOKEN", "secret");
        launch.server_env("ABBADO_URL", "http://evil");
        launch.server_env("HOME", "/home/someone");
        launch.config(r#"{"command": ["sh"], "env": {"ABBADO_TOKEN": "x", "HOME": "/other", "TERM": "dumb"}}"#);
        let env = environment(&launch.context(), &[("HOME", "/adapter"), ("ONE", "1")]);
        assert!(!env.contains_key("ABBADO_TOKEN"));
        assert_eq!(env["HOME"], "/other");
        assert_eq!(env["TERM"], "dumb");
        assert_eq!(env["COLORTERM"], "truecolor");
        assert_eq!(env["ONE"], "1");
        assert_eq!(env["ABBADO_URL"], "http://127.0.0.1:3000");
        assert_eq!(env["ABBADO_TASK"], "do it");
        assert_eq!(
            env["ABBADO_HOOK"],
            format!("{}/hook", launch.run_dir().display())
        );
        assert!(!env.contains_key("ABBADO_SESSION_ID"));
        launch.resume("s-1");
        let resumed = environment(&launch.context(), &[]);
        assert_eq!(resumed["ABBADO_SESSION_ID"], "s-1");
        assert_eq!(names(&resumed, "ABBADO_").len(), 6);
    }

    #[test]
    fn programs_are_found_in_absolute_folders_of_the_final_path_only() {
        let mut launch = Launch::new("command");
        let bin = launch.root().join("bin");
        fs::create_dir(&bin).unwrap();
        launch.program(&bin.join("tool"));
        launch.program(&launch.cwd().join("local"));
        fs::write(bin.join("data"), "").unwrap();
        launch.config(&format!(
            r#"{{"command": ["x"], "env": {{"PATH": ".:/nowhere:{}"}}}}"#,
            bin.display()
        ));
        let plan = |program: &str| {
            let context = launch.context();
            finish(
                &context,
                vec![program.to_owned()],
                environment(&context, &[]),
                "install it",
            )
        };
        assert_eq!(
            plan("tool").unwrap().argv,
            [bin.join("tool").to_str().unwrap()]
        );
        assert_eq!(
            plan("./local").unwrap().argv,
            [launch.cwd().join("./local").to_str().unwrap()]
        );
        let data = bin.join("data").display().to_string();
        let long = format!("/{}", "x".repeat(300));
        for (program, named, why) in [
            ("data", data.as_str(), "it is not executable"),
            (data.as_str(), &data, "it is not executable"),
            ("/bin", "/bin", "it is a directory"),
            (
                "/bin/sh/x",
                "/bin/sh/x",
                "a part of its path is a file, not a folder",
            ),
            (&long, &long, "its path is too long"),
        ] {
            let said = plan(program).unwrap_err().to_string();
            assert_eq!(said, format!("program '{named}' cannot be executed: {why}"));
        }
        for absent in ["local", "sh", "/nowhere/tool"] {
            let error = plan(absent).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("program '{absent}' was not found; install it")
            );
        }
        assert!(matches!(plan(""), Err(CliError::NoProgram)));
    }

    #[test]
    fn what_the_system_would_refuse_is_refused_with_its_name() {
        let launch = Launch::new("command");
        let plan = |argument: String| {
            let context = launch.context();
            finish(
                &context,
                vec!["/bin/sh".into(), argument],
                environment(&context, &[]),
                "",
            )
        };
        assert!(plan("x".repeat(ARGUMENT_BYTES_MAX)).is_ok());
        let error = plan("x".repeat(ARGUMENT_BYTES_MAX + 1))
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "argument 1 has 131072 bytes; a program can be given at most 131071"
        );
        assert!(matches!(plan("a\0b".into()), Err(CliError::Nul { .. })));
    }
}
