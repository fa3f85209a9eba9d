//! A commit that a person requested: the whole worktree, with the repository's hooks.
//!
//! It is made on the branch that HEAD names when that is the run's, or one made during the run; else
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
    identity, large, lock_files,
    place::Place,
    repository::{self, EMPTY_TREE},
    staging::Staging,
    stored,
    text::{line, with_note},
};
use crate::domain::run::event::{LeftOut, WorktreeAt};
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

/// Stages everything except ignored files, and commits it; `None` when there is nothing to commit.
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
    let head = Head::read(&staging.repository, place.git_dir(), &at.branch)?;
    let branch = head.admit(Operation::Commit, at)?.to_owned();
    lock_files::clear(at, repo_path, &common_dir, place.git_dir(), &branch)?;
    conflicts::check(place)?;
    let unread = staging.answer_fifos()?;
    if !unread.is_empty() {
        return Err(too_large(&unread));
    }
    filters::check_commit(&staging)?;
    stored::fill_in(&staging)?;
    let add = as_the_user_checks(place, place.git("add --all --sparse"));
    add.limit(HEAVY).run().map_err(refused)?;
    let tree = place.git("write-tree").run_line()?;
    let nothing = match head.commit {
        Some(head) => {
            let commit = staging.repository.find_commit(head);
            commit.is_ok_and(|commit| commit.tree_id().to_string() == tree)
        }
        None => tree == EMPTY_TREE,
    };
    if nothing && head.under_way.is_none() {
        return Ok(None);
    }
    let program = place.git_with_hooks("commit --quiet --no-edit --file=-");
    let program = identity::completed(place, program).input(message.as_bytes().to_vec());
    let made = program.limit(limit).run().map_err(refused);
    made.map_err(|error| unsigned(place, error))?;
    // A hook may have switched branches since.
    let made = place.git("rev-parse --verify");
    let commit = made.arg(format!("refs/heads/{branch}")).run_line()?;
    Ok(Some(Committed { commit, branch }))
}

/// Applies the user's `core.safecrlf`, by which `git add` may refuse line endings that a checkout would
/// not restore.
fn as_the_user_checks<'a>(place: &Place, program: Command<'a>) -> Command<'a> {
    let asked = place.file_value(b"core.safecrlf").map(line);
    match asked.filter(|asked| !asked.eq_ignore_ascii_case("warn")) {
        Some(asked) => program.config(format!("core.safecrlf={asked}")),
        None => program,
    }
}

/// Explains a failed signature when the program for it is named by the repository only.
fn unsigned(place: &Place, error: GitError) -> GitError {
    let GitError::CommitRefused { said } = error else {
        return error;
    };
    let signing = said.contains("gpg") || said.contains("sign");
    let note = place.note_on(&["gpg."]).filter(|_| signing);
    let said = with_note(said, note.as_deref());
    GitError::CommitRefused { said }
}

/// The refusal of files that are too large to be staged.
fn too_large(unread: &[LeftOut]) -> GitError {
    let paths: Vec<_> = unread.iter().map(|left| left.path.as_str()).collect();
    let said = format!(
        "files larger than {} are not committed: {}; have git ignore them, or commit them in the worktree yourself",
        large::bound(),
        paths.join(", ")
    );
    GitError::CommitRefused { said }
}

/// What git refuses is for the user to fix.
fn refused(error: GitError) -> GitError {
    if let GitError::Failed { stderr, .. } = error {
        return GitError::CommitRefused { said: stderr };
    }
    error
}
