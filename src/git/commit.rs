//! A commit that somebody asked for: all of the worktree, with the repository's hooks.
//!
//! The filter drivers that the repository's own configuration names stay switched off, as
//! everywhere; those of the user's configuration run, as in a commit by hand.

use super::{
    GitError,
    program::{HEAVY, line},
    staging::Staging,
};
use crate::domain::run::event::WorktreeAt;
use std::{path::Path, time::Duration};

/// Longest time for a commit, its hooks included.
const COMMIT: Duration = Duration::from_secs(300);

/// Stages everything (ignored files aside) and commits it. Gives the commit, in hex; nothing when
/// there was nothing to commit.
///
/// The author is the repository's configured user; what is not configured is abbado's.
///
/// # Errors
/// `CommitRefused` by a hook or by git; `WorktreeGone`, and those of starting `git`.
pub fn commit(
    at: &WorktreeAt,
    repo_path: &Path,
    message: &str,
) -> Result<Option<String>, GitError> {
    commit_within(at, repo_path, message, COMMIT)
}

pub(super) fn commit_within(
    at: &WorktreeAt,
    repo_path: &Path,
    message: &str,
    limit: Duration,
) -> Result<Option<String>, GitError> {
    let staging = Staging::open(at, repo_path)?;
    let place = &staging.place;
    place
        .git("git add")
        .args(["add", "--all", "--sparse"])
        .limit(HEAVY)
        .run()?;
    let tree = line(&place.git("git write-tree").arg("write-tree").run()?);
    let before = staging
        .head
        .and_then(|head| staging.repository.find_commit(head).ok());
    if before.is_some_and(|commit| commit.tree_id().to_string() == tree) {
        return Ok(None);
    }
    let mut program =
        place
            .git_with_hooks("git commit")
            .args(["commit", "--quiet", "--no-edit", "--file=-"]);
    for (variables, key, ours) in [
        (
            ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"],
            "user.name",
            "abbado",
        ),
        (
            ["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"],
            "user.email",
            "abbado@localhost",
        ),
    ] {
        if !place.is_configured(key) {
            for variable in variables {
                program = program.env(variable, ours);
            }
        }
    }
    match program
        .input(message.as_bytes().to_vec())
        .limit(limit)
        .run()
    {
        Ok(_) => {}
        Err(GitError::Failed { stderr, .. }) => {
            return Err(GitError::CommitRefused { said: stderr });
        }
        Err(error) => return Err(error),
    }
    let made = place
        .git("git rev-parse")
        .args(["rev-parse", "--verify", "HEAD"]);
    Ok(Some(line(&made.run()?)))
}
