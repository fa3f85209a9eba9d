//! A push that a person requested, as the user's own git does it: their remote and refspec, their
//! credential helpers, their ssh agent, and their hooks, which see the run's worktree. It never
//! prompts, and forces only what abbado rebased over what it was rebased from.

use super::{
    GitError,
    command::without_userinfo,
    place::CONNECTION,
    remotes::{Settings, place_of},
    repository,
    text::with_note,
};
use crate::domain::run::event::WorktreeAt;
use git2::Repository;
use std::{path::Path, time::Duration};

/// Longest time for a push.
const PUSH: Duration = Duration::from_secs(300);

/// What came of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// Where to, without user and password.
    pub remote_url: String,
    /// The remote's name; its URL, without user and password, when it has none.
    pub remote: String,
    /// The branch there, or the full name of a ref that is not a branch.
    pub remote_branch: String,
    /// Why it did not go through; nothing when it did.
    pub error: Option<String>,
}

/// Pushes a branch, in its worktree when there is one, and makes it follow the remote's unless it
/// follows another. A refusal is an outcome, not an error.
///
/// # Errors
/// `NotARepository`; `NoRemote`, `NoDefaultRemote` and `PushesElsewhere` named by `name`; those of
/// starting `git`.
pub(crate) fn push(
    repo_path: &Path,
    at: Option<&WorktreeAt>,
    name: &str,
    branch: &str,
) -> Result<Pushed, GitError> {
    push_within(repo_path, at, name, branch, PUSH)
}

pub(super) fn push_within(
    repo_path: &Path,
    at: Option<&WorktreeAt>,
    name: &str,
    branch: &str,
    limit: Duration,
) -> Result<Pushed, GitError> {
    let repository = repository::open(repo_path)?;
    let place = place_of(&repository, repo_path, at)?;
    let to = Settings::of(&place).destination(name, branch)?;
    let there = to.reference.strip_prefix("refs/heads/");
    let is_default = |branch: &str| {
        let default = repository::default_branch_at(&repository, &to.remote);
        default.as_deref() == Some(branch)
    };
    if there.is_some_and(|there| there != branch && is_default(there)) {
        return Err(GitError::PushesElsewhere {
            name: name.to_owned(),
            branch: branch.to_owned(),
            into: there.unwrap_or_default().to_owned(),
            remote: to.remote,
        });
    }
    let program = place.git_with_hooks("push --porcelain --no-progress");
    let mut program = place.connecting(program);
    if let Some(tip) = there.and_then(|there| rebased_away(&repository, &to.remote, there, branch))
    {
        program = program.arg(format!("--force-with-lease={}:{tip}", to.reference));
    }
    if to.follows_nothing && there.is_some() {
        program = program.arg("--set-upstream");
    }
    let outcome = program
        .args(["--", &to.remote])
        .arg(format!("refs/heads/{branch}:{}", to.reference))
        .limit(limit)
        .run();
    let error = match outcome {
        Ok(_) => None,
        Err(GitError::Failed { stderr, .. }) => {
            // The remote was reached when it refused something.
            let reached = stderr.contains("! [");
            let note = place.note_on(CONNECTION).filter(|_| !reached);
            Some(with_note(stderr, note.as_deref()))
        }
        Err(error @ GitError::TimedOut { .. }) => Some(error.to_string()),
        Err(error) => return Err(error),
    };
    Ok(Pushed {
        remote_url: without_userinfo(&to.url),
        remote: without_userinfo(&to.remote),
        remote_branch: there.unwrap_or(&to.reference).to_owned(),
        error,
    })
}

/// Where the remote's branch was last seen, when a rebase by abbado is why it cannot be moved
/// forward: all of it was on the branch before, and is saved. Then it may be replaced, as long as
/// nobody has pushed there since.
fn rebased_away(
    repository: &Repository,
    remote: &str,
    there: &str,
    branch: &str,
) -> Option<git2::Oid> {
    let is_before = |one, other| repository::is_before(repository, one, other).unwrap_or(false);
    let seen = repository::commit_at(repository, &format!("refs/remotes/{remote}/{there}"))?;
    let tip = repository::commit_at(repository, &format!("refs/heads/{branch}"))?;
    if is_before(seen, tip) {
        return None;
    }
    let kept = repository.references_glob(&format!("refs/abbado/rebased/{branch}/*"));
    let mut kept = kept.ok()?.filter_map(|kept| kept.ok()?.target());
    kept.any(|former| is_before(seen, former)).then_some(seen)
}
