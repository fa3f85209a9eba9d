//! A push that somebody asked for, with the user's own git: their credential helpers, their ssh
//! agent, their hooks. It never prompts and never forces.

use super::{
    GitError,
    place::Place,
    program::{inherits, without_userinfo},
    repository,
};
use git2::Repository;
use std::{path::Path, time::Duration};

/// Longest time for a push.
const PUSH: Duration = Duration::from_secs(300);

/// What came of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Where to, without user and password.
    pub remote_url: String,
    /// Why it did not go through; nothing when it did.
    pub error: Option<String>,
}

/// A remote of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteOf {
    /// Its name.
    pub name: String,
    /// Where it is fetched from, which names its forge. May hold a password.
    pub url: String,
    /// Where it is pushed to. May hold a password.
    pub push_url: String,
}

/// Where a branch is pushed to: its own remote, or else `origin`, or else the only one there is.
///
/// # Errors
/// `NotARepository`, or `NoRemote` named by `name`.
pub fn remote_of(repo_path: &Path, name: &str, branch: &str) -> Result<RemoteOf, GitError> {
    let repository = repository::open(repo_path)?;
    let no_remote = || GitError::NoRemote {
        name: name.to_owned(),
    };
    let chosen = remote_name(&repository, branch).ok_or_else(no_remote)?;
    let remote = repository.find_remote(&chosen).map_err(|_| no_remote())?;
    let push_url = remote.pushurl_bytes().unwrap_or_else(|| remote.url_bytes());
    Ok(RemoteOf {
        url: String::from_utf8_lossy(remote.url_bytes()).into_owned(),
        push_url: String::from_utf8_lossy(push_url).into_owned(),
        name: chosen,
    })
}

fn remote_name(repository: &Repository, branch: &str) -> Option<String> {
    let names = repository.remotes().ok()?;
    let names: Vec<&str> = names.iter().flatten().flatten().collect();
    let config = repository.config().ok()?;
    let own = config.get_string(&format!("branch.{branch}.remote")).ok();
    let own = own.filter(|own| names.contains(&own.as_str()));
    let origin = names.contains(&"origin").then(|| "origin".to_owned());
    let only = || (names.len() == 1).then(|| names[0].to_owned());
    own.or(origin).or_else(only)
}

/// Pushes a branch and makes it follow the remote's. A refusal is an outcome, not an error.
///
/// # Errors
/// `NotARepository`, `NoRemote` named by `name`, and those of starting `git`.
pub fn push(repo_path: &Path, name: &str, branch: &str) -> Result<Pushed, GitError> {
    push_within(repo_path, name, branch, PUSH)
}

pub(super) fn push_within(
    repo_path: &Path,
    name: &str,
    branch: &str,
    limit: Duration,
) -> Result<Pushed, GitError> {
    let remote = remote_of(repo_path, name, branch)?;
    let repository = repository::open(repo_path)?;
    let work_tree = repository.workdir().unwrap_or(repo_path);
    let place = Place::open(repository.path(), work_tree)?;
    let mut program = place.git_with_hooks("git push");
    let by_user = ["GIT_SSH_COMMAND", "GIT_SSH"];
    let by_user = by_user.into_iter().any(inherits);
    if !by_user && !place.is_configured("core.sshCommand") {
        // ssh would ask on the terminal that the server was started from.
        program = program.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
    }
    let reference = format!("refs/heads/{branch}:refs/heads/{branch}");
    let outcome = program
        .args([
            "push",
            "--porcelain",
            "--set-upstream",
            "--no-progress",
            "--",
            &remote.name,
        ])
        .arg(reference)
        .limit(limit)
        .run();
    let error = match outcome {
        Ok(_) => None,
        Err(GitError::Failed { stderr, .. }) => Some(without_userinfo(&stderr)),
        Err(error @ GitError::TimedOut { .. }) => Some(error.to_string()),
        Err(error) => return Err(error),
    };
    Ok(Pushed {
        remote_url: without_userinfo(&remote.push_url),
        error,
    })
}
