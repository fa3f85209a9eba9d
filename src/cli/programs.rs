//! Programs of this machine, outside of runs: what is installed, and what an ephemeral terminal
//! starts.

use super::launch;
use std::path::{Path, PathBuf};

/// Finds a program in the absolute folders of the environment's PATH.
#[must_use]
pub(crate) fn find_program(program: &str, env: &[(String, String)]) -> Option<PathBuf> {
    let path = env
        .iter()
        .find(|(key, _)| key == "PATH")
        .map_or("", |(_, path)| path);
    launch::find(program, path, Path::new("/"))
}

/// Arguments of an ephemeral terminal: a known CLI, in its print mode when there is a task, or
/// the user's shell.
///
/// # Errors
/// Says what is wrong with the name, or that the program is not installed.
pub(crate) fn ephemeral_argv(
    name: &str,
    task: Option<&str>,
    env: &[(String, String)],
) -> Result<Vec<String>, String> {
    let task = task.filter(|task| !task.trim().is_empty());
    let mut argv = match (name, task) {
        ("shell", None) => {
            let shell = env
                .iter()
                .find(|(key, _)| key == "SHELL")
                .map(|(_, shell)| shell);
            vec![shell.cloned().unwrap_or_else(|| "/bin/sh".to_owned())]
        }
        ("shell", Some(_)) => return Err("'shell' does not accept a task".to_owned()),
        ("claude" | "codex", None) => vec![name.to_owned()],
        ("claude", Some(task)) => ["claude", "-p", "--", task].map(str::to_owned).to_vec(),
        ("codex", Some(task)) => ["codex", "exec", "--", task].map(str::to_owned).to_vec(),
        _ => {
            return Err(format!(
                "'{name}' is not supported; use claude, codex or shell"
            ));
        }
    };
    let program =
        find_program(&argv[0], env).ok_or_else(|| format!("'{}' is not installed", argv[0]))?;
    argv[0] = program
        .to_str()
        .ok_or("the program's path is not UTF-8")?
        .to_owned();
    Ok(argv)
}
