//! The HEAD of a worktree, and what it means for each operation.
//!
//! An agent may leave its worktree on another branch, on none, or in the middle of a rebase. Every
//! operation checks that first, and either works on the branch that is checked out or refuses before it
//! changes anything. `docs/compatibility.md` has the table.
//!
//! A branch counts as made by the run when its reflog starts no earlier than that of the run's branch,
//! or says that the run's branch was renamed to it. Any other branch is the user's, and never moved.

use super::{GitError, conflicts, open_worktree::OpenWorktree, records, repository};
use crate::domain::run::event::WorktreeAt;
use git2::{Oid, Repository};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// HEAD of a worktree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub on: On,
    /// None on a branch without a commit.
    pub commit: Option<Oid>,
    pub under_way: Option<UnderWay>,
    /// The commit of the run's branch; none when there is no such branch.
    pub tip: Option<Oid>,
    /// Commits that nothing but the state of this worktree may name: the run's branch when HEAD is
    /// elsewhere, the other side of a merge, what a rebase stashed.
    pub others: Vec<Oid>,
}

/// What HEAD names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum On {
    /// The run's branch.
    Run,
    /// A branch that was made during the run, or has no commit yet.
    Made(String),
    /// A branch of the user's.
    Foreign(String),
    /// A commit.
    Detached,
}

/// An operation of git that is in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnderWay {
    /// `git merge`
    Merge,
    /// `git cherry-pick`
    CherryPick,
    /// `git revert`
    Revert,
    /// `git rebase`
    Rebase,
    /// `git am`
    Am,
    /// `git bisect`
    Bisect,
}

impl UnderWay {
    /// Its subcommand.
    #[must_use]
    pub const fn command(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::CherryPick => "cherry-pick",
            Self::Revert => "revert",
            Self::Rebase => "rebase",
            Self::Am => "am",
            Self::Bisect => "bisect",
        }
    }

    /// The option that ends and undoes it.
    pub(super) const fn way_out(self) -> &'static str {
        match self {
            Self::Bisect => "reset",
            Self::Merge | Self::CherryPick | Self::Revert | Self::Rebase | Self::Am => "--abort",
        }
    }

    /// Whether the next commit concludes it.
    const fn ends_with_a_commit(self) -> bool {
        matches!(self, Self::Merge | Self::CherryPick | Self::Revert)
    }
}

/// An operation on a worktree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Commit all of it.
    Commit,
    /// Push its branch.
    Push,
    /// Replace its files by those of a checkpoint.
    Restore,
    /// Rename the run's branch.
    Rename,
}

/// Refuses an operation that the state of a worktree does not allow; else returns the branch that it
/// works on.
///
/// # Errors
/// `UnderWay`, `NotOnBranch` and `Unresolved`; `WorktreeGone`, `NotARepository`, and those of
/// starting `git`.
pub(crate) fn check(
    operation: Operation,
    at: &WorktreeAt,
    repo_path: &Path,
) -> Result<String, GitError> {
    let open = OpenWorktree::open(at, repo_path)?;
    let head = Head::of(&open, &at.branch)?;
    let branch = head.admit(operation, at)?.to_owned();
    if operation == Operation::Commit {
        conflicts::check(&open.place(at)?)?;
    }
    Ok(branch)
}

/// Whether a repository has a commit, in hex.
#[must_use]
pub(crate) fn has_commit(repo_path: &Path, commit: &str) -> bool {
    let Ok(repository) = repository::open(repo_path) else {
        return false;
    };
    let id = Oid::from_str(commit);
    id.is_ok_and(|id| repository.find_commit(id).is_ok())
}

/// The commit that a branch points at, in hex.
#[must_use]
pub(crate) fn tip_of(repo_path: &Path, branch: &str) -> Option<String> {
    let repository = repository::open(repo_path).ok()?;
    let tip = repository::commit_at(&repository, &format!("refs/heads/{branch}"));
    tip.map(|tip| tip.to_string())
}

impl Head {
    /// Reads the HEAD of a worktree; `branch` is the run's.
    ///
    /// # Errors
    /// When a record cannot be read.
    pub(super) fn of(open: &OpenWorktree, branch: &str) -> Result<Self, GitError> {
        Self::read(&open.repository, &open.record.admin, branch)
    }

    /// Reads the HEAD of the worktree with this record; `branch` is the run's.
    ///
    /// # Errors
    /// When a record cannot be read.
    pub(super) fn read(
        repository: &Repository,
        admin: &Path,
        branch: &str,
    ) -> Result<Self, GitError> {
        let (on, commit) = match records::branch_of_head(&admin.join("HEAD")) {
            Some(name) => {
                let commit = repository::branch_tip(repository, &name)?;
                let made = || commit.is_none() || is_made(repository, &name, branch);
                let on = match name == branch {
                    true => On::Run,
                    false if made() => On::Made(name),
                    false => On::Foreign(name),
                };
                (on, commit)
            }
            None => (On::Detached, first_id(&admin.join("HEAD"))),
        };
        let tip = match on {
            On::Run => commit,
            On::Made(_) | On::Foreign(_) | On::Detached => {
                repository::branch_tip(repository, branch)?
            }
        };
        let mut others: Vec<Oid> = tip.into_iter().chain(named_by(admin)).collect();
        others.sort_unstable();
        others.dedup();
        others.retain(|other| Some(*other) != commit && repository.find_commit(*other).is_ok());
        Ok(Self {
            on,
            commit,
            under_way: under_way(admin),
            tip,
            others,
        })
    }

    /// The branch that an operation works on.
    ///
    /// # Errors
    /// `UnderWay` and `NotOnBranch` when it has to be refused.
    pub(super) fn admit<'a>(
        &'a self,
        operation: Operation,
        at: &'a WorktreeAt,
    ) -> Result<&'a str, GitError> {
        let (name, run) = (at.name.clone(), &at.branch);
        let waits_for = self.under_way.filter(|it| !it.ends_with_a_commit());
        if let Some(what) = waits_for
            && operation != Operation::Push
        {
            return Err(GitError::UnderWay { name, what });
        }
        let not_on_branch = |state: String| GitError::NotOnBranch {
            name: at.name.clone(),
            branch: run.clone(),
            state,
        };
        match (&self.on, operation) {
            // The agent gave the run's branch another name.
            (On::Made(branch), Operation::Rename) if self.tip.is_none() => Ok(branch),
            (On::Run, _) | (_, Operation::Restore | Operation::Rename) => Ok(run),
            (On::Made(_), Operation::Push) if self.commit.is_none() => {
                Err(not_on_branch("is on a branch without a commit".into()))
            }
            (On::Made(branch), Operation::Commit | Operation::Push) => Ok(branch),
            (On::Foreign(branch), Operation::Commit | Operation::Push) => Err(not_on_branch(
                format!("is on '{branch}', which is not the run's to move"),
            )),
            (On::Detached, Operation::Commit | Operation::Push) => {
                Err(not_on_branch(match self.under_way {
                    Some(what) => format!("is on no branch, in the middle of a {}", what.command()),
                    None => "is on no branch (detached HEAD)".into(),
                }))
            }
        }
    }
}

/// Files in a worktree's record by which an operation in progress is recognised. A rebase may be
/// cherry-picking or merging, so it comes first.
const SIGNS: [(&str, UnderWay); 8] = [
    ("rebase-merge", UnderWay::Rebase),
    ("rebase-apply/applying", UnderWay::Am),
    ("rebase-apply", UnderWay::Rebase),
    ("BISECT_START", UnderWay::Bisect),
    ("MERGE_HEAD", UnderWay::Merge),
    ("REVERT_HEAD", UnderWay::Revert),
    ("CHERRY_PICK_HEAD", UnderWay::CherryPick),
    ("sequencer", UnderWay::CherryPick),
];

/// The operation in progress in the checkout with this git folder.
pub(super) fn under_way(git_dir: &Path) -> Option<UnderWay> {
    let there = |name: &str| fs::symlink_metadata(git_dir.join(name)).is_ok();
    let sign = SIGNS.iter().find(|(name, _)| there(name));
    sign.map(|(_, what)| *what)
}

/// All files of operations in progress, in a worktree's record.
const STATE: [&str; 24] = [
    "AUTO_MERGE",
    "BISECT_ANCESTORS_OK",
    "BISECT_EXPECTED_REV",
    "BISECT_FIRST_PARENT",
    "BISECT_HEAD",
    "BISECT_LOG",
    "BISECT_NAMES",
    "BISECT_RUN",
    "BISECT_START",
    "BISECT_TERMS",
    "CHERRY_PICK_HEAD",
    "MERGE_AUTOSTASH",
    "MERGE_HEAD",
    "MERGE_MODE",
    "MERGE_MSG",
    "MERGE_RR",
    "REBASE_HEAD",
    "REVERT_HEAD",
    "SQUASH_MSG",
    "rebase-apply",
    "rebase-merge",
    "refs/bisect",
    "refs/rewritten",
    "sequencer",
];

/// The files of operations in progress that exist in a worktree's record, relative to it.
pub(super) fn state_of_operations(admin: &Path) -> Vec<PathBuf> {
    let there = |name: &PathBuf| fs::symlink_metadata(admin.join(name)).is_ok();
    STATE.iter().map(PathBuf::from).filter(there).collect()
}

/// Commits that the files of an operation in progress name.
fn named_by(admin: &Path) -> Vec<Oid> {
    let files = [
        "MERGE_HEAD",
        "MERGE_AUTOSTASH",
        "CHERRY_PICK_HEAD",
        "REVERT_HEAD",
        "rebase-merge/autostash",
        "rebase-merge/orig-head",
        "rebase-apply/autostash",
        "rebase-apply/orig-head",
    ];
    let mut found = Vec::new();
    for file in files {
        let text = records::read_small(&admin.join(file)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        found.extend(text.lines().filter_map(|id| Oid::from_str(id.trim()).ok()));
    }
    found
}

fn first_id(path: &Path) -> Option<Oid> {
    let text = records::read_small(path)?;
    Oid::from_str(String::from_utf8(text).ok()?.trim()).ok()
}

/// Whether a branch was made during the run that `of_run` is the branch of.
fn is_made(repository: &Repository, branch: &str, of_run: &str) -> bool {
    let log = |branch: &str| repository.reflog(&format!("refs/heads/{branch}")).ok();
    let Some(own) = log(branch) else { return false };
    let renamed = format!("Branch: renamed refs/heads/{of_run} to ");
    let is_renamed = |entry: git2::ReflogEntry<'_>| {
        let message = entry.message_bytes().unwrap_or_default();
        message.starts_with(renamed.as_bytes())
    };
    if own.iter().any(is_renamed) {
        return true;
    }
    // The second in which a branch was created; an old log may have lost its first entries.
    let made = |log: &git2::Reflog| {
        let first = log.get(log.len().checked_sub(1)?)?;
        let seconds = first.committer().when().seconds();
        first.id_old().is_zero().then_some(seconds)
    };
    let (Some(own), Some(run)) = (made(&own), log(of_run).as_ref().and_then(made)) else {
        return false;
    };
    let born = |branch: &str| {
        let logs = repository.commondir().join("logs/refs/heads");
        fs::symlink_metadata(logs.join(branch)).and_then(|found| found.created())
    };
    let born_later = || matches!((born(branch), born(of_run)), (Ok(own), Ok(run)) if own > run);
    own > run || own == run && born_later()
}
