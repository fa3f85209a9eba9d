//! Git and the CLIs: whether they are installed, and their versions.

use super::Report;
use crate::{cli, config::Config, domain::settings::ModelSettings, output::output_within};
use std::{path::Path, process::Command, time::Duration};

/// The oldest git whose `worktree` commands do what we ask of them.
const GIT_MIN: (u32, u32) = (2, 30);
/// How long a program may take to say its version; some are slow to start.
const VERSION_WAIT: Duration = Duration::from_secs(10);

pub(super) fn look(config: &Config, report: &mut Report) {
    let env = &config.server_env;
    let git = cli::find_program("git", env).and_then(|path| version(&path, env));
    let install = format!("install version {}.{} or newer", GIT_MIN.0, GIT_MIN.1);
    match git {
        Some(said) if number(&said).is_some_and(|found| found >= GIT_MIN) => report.fine(said),
        Some(said) => report.fix(format!("{said} is too old"), install),
        None => report.fix("git does not run", install),
    }
    // Any program of the user's, and the one that is a part of us, have no version to look at.
    let mut providers = ModelSettings::defaults().providers;
    providers.retain(|provider| !["command", "demo"].contains(&provider.id.as_str()));
    for provider in providers {
        let label = &provider.label;
        // A CLI that is not installed is a choice, not trouble.
        let Some(path) = cli::find_program(&provider.bin, env) else {
            let hint = cli::adapter(&provider.id).map_or("", |adapter| adapter.install_hint());
            report.fine(format!("{label}: not installed ({hint})"));
            continue;
        };
        match version(&path, env) {
            Some(said) => report.fine(format!("{label}: {said} ({})", path.display())),
            None => report.fix(
                format!("{label}: {} prints no version", path.display()),
                format!("try `{} --version`, and reinstall it", super::quoted(&path)),
            ),
        }
    }
}

/// The first line of what the program says to `--version`; nothing when it fails or takes too long.
fn version(program: &Path, env: &[(String, String)]) -> Option<String> {
    let mut command = Command::new(program);
    command
        .arg("--version")
        .env_clear()
        .envs(env.iter().map(|(key, value)| (key, value)));
    let (status, said) = output_within(&mut command, VERSION_WAIT)?;
    let said = String::from_utf8(said).ok()?;
    let line = said.lines().next()?.trim().to_owned();
    (status.success() && !line.is_empty()).then_some(line)
}

/// Major and minor of `git version 2.47.3`.
fn number(said: &str) -> Option<(u32, u32)> {
    let word = said.split_whitespace().find(|word| {
        let first = word.chars().next();
        first.is_some_and(|c| c.is_ascii_digit())
    })?;
    let mut parts = word.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_git_are_read() {
        assert_eq!(number("git version 2.47.3"), Some((2, 47)));
        assert_eq!(number("git version 2.39.5 (Apple Git-154)"), Some((2, 39)));
        assert!(number("git version 2.9.0").unwrap() < GIT_MIN);
        assert_eq!(number("git"), None);
    }
}
