//! A git of the agent's or the user's, which may refuse.

use crate::support::GIT_CONFIG;
use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Output},
};

pub fn try_git(folder: &Path, args: &[impl AsRef<OsStr>], index: Option<&Path>) -> Output {
    let mut git = Command::new("git");
    git.current_dir(folder).args(args).envs(environment());
    git.envs(index.map(|index| ("GIT_INDEX_FILE", index)));
    git.output().unwrap()
}

fn environment() -> [(&'static str, &'static str); 7] {
    [
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_SYSTEM", GIT_CONFIG),
        ("GIT_AUTHOR_NAME", "a"),
        ("GIT_AUTHOR_EMAIL", "a@localhost"),
        ("GIT_COMMITTER_NAME", "a"),
        ("GIT_COMMITTER_EMAIL", "a@localhost"),
        ("GIT_EDITOR", "true"),
    ]
}

pub fn git(folder: &Path, args: &[&str]) -> String {
    let output = try_git(folder, args, None);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {args:?}: {error}");
    let said = String::from_utf8_lossy(&output.stdout);
    said.trim().to_owned()
}

/// A revision's commit, if there is one.
pub fn commit_at(folder: &Path, revision: &str) -> Option<String> {
    commit_of(&try_git(
        folder,
        &["rev-parse", "-q", "--verify", revision],
        None,
    ))
}

/// The one line that git said when it did not refuse.
pub fn commit_of(output: &Output) -> Option<String> {
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(said)
}

pub fn shell(folder: &Path, script: &str) {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).current_dir(folder);
    shell.envs(environment()).output().unwrap();
}
