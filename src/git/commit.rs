//! A commit that somebody asked for: all of the worktree, with the repository's hooks.
//!
//! It goes to the branch that HEAD names when that is the run's, or one made during the run; else
//! it is refused ([`super::head`]). A merge, cherry-pick or revert that was resolved is concluded.
//!
//! The filter drivers of the user's configuration run, as in a commit by hand. Those that only the
//! repository's own configuration names stay off unless the user allowed them ([`super::filters`]): a file
//! that needs one is not committed.

use super::{
    GitError,
    command::{Command, HEAVY},
    conflicts, filters,
    head::{Head, Operation},
    identity, large,
    lock_files::LockFiles,
    place::Place,
    repository,
    staging::Staging,
    stored,
    text::line,
};
use crate::domain::run::event::{LeftOut, WorktreeAt};
use git2::{ObjectType, Oid};
use std::{path::Path, time::Duration};

/// Longest time for a commit, its hooks included.
const COMMIT: Duration = Duration::from_secs(300);

/// A commit that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    /// The commit, in hex.
    pub commit: String,
    /// The branch that has it.
    pub branch: String,
}

/// Stages everything (ignored files aside) and commits it; nothing when there was nothing to
/// commit.
///
/// Author and committer are who git takes them for; what is not configured is abbado's.
///
/// # Errors
/// `NotOnBranch`, `UnderWay` and `Unresolved` when the state of the worktree forbids it, `Locked`; `FilterOff`;
/// `CommitRefused` by a hook or by git; `WorktreeGone`, and those of starting `git`.
pub(crate) fn commit(
    at: &WorktreeAt,
    repo_path: &Path,
    message: &str,
) -> Result<Option<Committed>, GitError> {
    commit_within(at, repo_path, message, COMMIT)
}

pub(super) fn commit_within(
    at: &WorktreeAt,
    repo_path: &Path,
    message: &str,
    limit: Duration,
) -> Result<Option<Committed>, GitError> {
    let staging = Staging::open(at, repo_path)?;
    let place = &staging.place;
    let common_dir = repository::common_dir(&staging.repository)?;
    let head = Head::read(
        &staging.repository,
        &common_dir,
        place.git_dir(),
        &at.branch,
    )?;
    let branch = head.admit(Operation::Commit, at)?.to_owned();
    let locks = LockFiles {
        admin: place.git_dir(),
        common_dir: &common_dir,
        worktree: &at.worktree,
        repo_path,
        branch: &branch,
        name: &at.name,
    };
    locks.clear()?;
    let paths = conflicts::unresolved(place)?;
    if !paths.is_empty() {
        return Err(GitError::Unresolved { paths });
    }
    let unread = staging.answer_fifos()?;
    if !unread.is_empty() {
        return Err(too_large(&unread));
    }
    filters::check_commit(&staging)?;
    stored::fill_in(&staging)?;
    let add = as_the_user_checks(place, place.git("git add"));
    let add = add.args(["add", "--all", "--sparse"]);
    add.limit(HEAVY).run().map_err(refused)?;
    let tree = line(&place.git("git write-tree").arg("write-tree").run()?);
    let before = match head.commit {
        Some(head) => {
            let commit = staging.repository.find_commit(head);
            commit.ok().map(|commit| commit.tree_id())
        }
        None => Oid::hash_object(ObjectType::Tree, b"").ok(),
    };
    let nothing = before.is_some_and(|before| before.to_string() == tree);
    if nothing && head.under_way.is_none() {
        return Ok(None);
    }
    let program = git_commit(place).input(message.as_bytes().to_vec());
    let made = program.limit(limit).run().map_err(refused);
    made.map_err(|error| unsigned(place, error))?;
    // A hook may have gone elsewhere since.
    let made = place.git("git rev-parse").args(["rev-parse", "--verify"]);
    let commit = line(&made.arg(format!("refs/heads/{branch}")).run()?);
    Ok(Some(Committed { commit, branch }))
}

/// Has `git add` refuse line endings that it could not give back, where the user asked for that.
fn as_the_user_checks<'a>(place: &Place, program: Command<'a>) -> Command<'a> {
    let asked = place.file_value(b"core.safecrlf").map(line);
    match asked.filter(|asked| !asked.eq_ignore_ascii_case("warn")) {
        Some(asked) => program.args(["-c", &format!("core.safecrlf={asked}")]),
        None => program,
    }
}

/// Prepares `git commit` with a message from its input.
fn git_commit<'a>(place: &Place) -> Command<'a> {
    let program = place.git_with_hooks("git commit");
    identity::completed(place, program).args(["commit", "--quiet", "--no-edit", "--file=-"])
}

/// A signature that failed for want of a program that only the repository names says so.
fn unsigned(place: &Place, error: GitError) -> GitError {
    let GitError::CommitRefused { said } = error else {
        return error;
    };
    let signing = said.contains("gpg") || said.contains("sign");
    let note = place.note_on(&["gpg."]).filter(|_| signing);
    let said = [Some(said), note].into_iter().flatten();
    GitError::CommitRefused {
        said: said.collect::<Vec<_>>().join("\n"),
    }
}

/// A commit without them would not be of all files.
fn too_large(unread: &[LeftOut]) -> GitError {
    let paths: Vec<_> = unread.iter().map(|left| left.path.as_str()).collect();
    let said = format!(
        "files larger than {} are not committed: {}; have git ignore them, or commit them in the worktree yourself",
        large::bound(),
        paths.join(", ")
    );
    GitError::CommitRefused { said }
}

/// What git says no to is the user's to mend.
fn refused(error: GitError) -> GitError {
    if let GitError::Failed { stderr, .. } = error {
        return GitError::CommitRefused { said: stderr };
    }
    error
}
