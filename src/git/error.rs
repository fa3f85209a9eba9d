//! What can go wrong with a repository, in words a user can act on.
//!
//! Messages name only paths that the user gave us; sources are kept for the log.

use super::head::UnderWay;
use git2::ErrorClass;
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Paths named in a message; the error holds them all.
const PATHS_SHOWN: usize = 20;

/// Why a job on a repository failed.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The folder is not the working folder of a repository we can use.
    #[error("{} is not a usable git repository: {reason}", path.display())]
    NotARepository {
        /// The folder, as it was given.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// A revision names no commit there.
    #[error("'{revision}' names no commit in {}{note}", repo.display())]
    UnknownRevision {
        /// The repository, as it was given.
        repo: PathBuf,
        /// What was asked for.
        revision: String,
        /// More about it, or empty.
        note: String,
    },
    /// The branch exists, or is checked out elsewhere.
    #[error("the branch '{branch}' already exists in {}", repo.display())]
    BranchTaken {
        /// The branch.
        branch: String,
        /// The repository, as it was given.
        repo: PathBuf,
    },
    /// A branch whose name makes the wanted one impossible: `a` forbids `a/b`, and the reverse.
    #[error("the branch '{branch}' in {} is in the way; rename it first", repo.display())]
    BranchInTheWay {
        /// The branch that is in the way.
        branch: String,
        /// The repository, as it was given.
        repo: PathBuf,
    },
    /// A name that git would not take, or that we refuse.
    #[error("'{name}' is not a valid {what}")]
    InvalidName {
        /// What it should have been: "branch name", "glob", …
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Something that is not ours stands where a worktree has to go.
    #[error("something else is in the place of the worktree of '{name}'; move it away")]
    FolderInTheWay {
        /// Name of the repo.
        name: String,
    },
    /// The worktree is gone, or its repository no longer knows it.
    #[error(
        "the worktree of '{name}' no longer exists; continue the run to recreate it from the last checkpoint"
    )]
    WorktreeGone {
        /// Name of the repo.
        name: String,
    },
    /// The repository's own hooks, or git, refused a commit.
    #[error("the commit was refused: {said}")]
    CommitRefused {
        /// First lines of what was said.
        said: String,
    },
    /// The worktree is not on a branch that the operation may use.
    #[error(
        "the worktree of '{name}' {state}; run `git switch {branch}` there to return to the run's branch, or `git switch -c NAME` to put the work on a new one"
    )]
    NotOnBranch {
        /// Name of the repo.
        name: String,
        /// The run's branch.
        branch: String,
        /// Where it is, as a predicate: "is on …".
        state: String,
    },
    /// An operation of git's waits in the worktree.
    #[error(
        "a {} is in progress in the worktree of '{name}'; finish it, end it with `git {} {}`, or revert the run", what.command(), what.command(), what.way_out()
    )]
    UnderWay {
        /// Name of the repo.
        name: String,
        /// Which.
        what: UnderWay,
    },
    /// A merge left conflicts that nobody resolved.
    #[error(
        "unresolved conflicts in {}; resolve them in the worktree and `git add` the files",
        listed(paths)
    )]
    Unresolved {
        /// The paths, sorted, relative to the repository.
        paths: Vec<String>,
    },
    /// Git refused something that it was asked for.
    #[error("git refused {what}: {said}")]
    Refused {
        /// What, as an infinitive.
        what: &'static str,
        /// What it said.
        said: String,
    },
    /// Another git is at work.
    #[error("another git command is running in '{name}' ({} exists); try again when it has ended", lock.display())]
    Locked {
        /// Name of the repo.
        name: String,
        /// Its lock.
        lock: PathBuf,
    },
    /// A file needs a filter that does not run.
    #[error(
        "'{path}' needs the filter '{filter}', which {why}; allow its current definition with PUT projects/{{id}} {{\"trusted_filters\": [\"{filter}\"]}}"
    )]
    FilterOff {
        /// The filter's name.
        filter: String,
        /// A file that needs it.
        path: String,
        /// Why it does not run.
        why: &'static str,
    },
    /// The repository has no remote to push to.
    #[error("'{name}' has no remote to push to")]
    NoRemote {
        /// Name of the repo.
        name: String,
    },
    /// The repository has several remotes, and none of them is the one for pushes.
    #[error(
        "'{name}' has several remotes ({}) and no default; choose one with `git config \
         remote.pushDefault NAME`", remotes.join(", ")
    )]
    NoDefaultRemote {
        /// Name of the repo.
        name: String,
        /// All of them.
        remotes: Vec<String>,
    },
    /// The configuration would push the branch into the remote's default branch.
    #[error(
        "push.default=upstream would push '{branch}' of '{name}' into '{into}', the default branch \
         of '{remote}'; run `git branch --unset-upstream {branch}` to push it under its own name"
    )]
    PushesElsewhere {
        /// Name of the repo.
        name: String,
        /// The branch.
        branch: String,
        /// The branch that it follows.
        into: String,
        /// The remote.
        remote: String,
    },
    /// Files changed between the checkpoint and what was to follow it.
    #[error("files of '{name}' changed in the meantime; try again")]
    ChangedMeanwhile {
        /// Name of the repo.
        name: String,
    },
    /// A merge or rebase that people have to do: both sides changed the same.
    #[error("conflicts in {}", listed(paths))]
    Conflict {
        /// The paths, sorted, relative to the repository.
        paths: Vec<String>,
    },
    /// The branch is checked out in a folder that must not be updated now.
    #[error("the branch '{branch}' is checked out in {}, and {reason}", checkout.display())]
    TargetDirty {
        /// The branch.
        branch: String,
        /// The folder.
        checkout: PathBuf,
        /// What hinders.
        reason: String,
    },
    /// Somebody else moved the branch while we worked.
    #[error("the branch '{branch}' moved in the meantime; try again")]
    BranchMoved {
        /// The branch.
        branch: String,
    },
    /// The branch is checked out somewhere.
    #[error("the branch '{branch}' is checked out in {}", checkout.display())]
    CheckedOut {
        /// The branch.
        branch: String,
        /// The folder.
        checkout: PathBuf,
    },
    /// The default branch is not deleted.
    #[error("'{branch}' is the default branch")]
    DefaultBranch {
        /// The branch.
        branch: String,
    },
    /// The branch has commits that the default branch has not.
    #[error("the branch '{branch}' is not merged into '{into}'")]
    NotMerged {
        /// The branch.
        branch: String,
        /// The default branch.
        into: String,
    },
    /// Two branches have no common commit.
    #[error("the branches '{branch}' and '{other}' have no common history")]
    Unrelated {
        /// The branch.
        branch: String,
        /// The other one.
        other: String,
    },
    /// More than we take on.
    #[error("too much: {what}")]
    TooMuch {
        /// What there was too much of, and the limit.
        what: String,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// `git` ended with an error.
    #[error("git {program} failed: {stderr}")]
    Failed {
        /// The subcommand, without arguments that could hold secrets.
        program: &'static str,
        /// First lines of what it said, credentials in URLs blanked.
        stderr: String,
    },
    /// The remote of a partial clone did not give what is left there.
    #[error(
        "this partial clone lacks objects that '{remote}' does not provide; make the remote reachable, or run `git fetch --refetch --no-filter {remote}` once it is: {said}"
    )]
    NotFetched {
        /// The remote's name.
        remote: String,
        /// What `git` said, with the id of an object.
        said: String,
    },
    /// `git` did not end in time, and was killed.
    #[error("git {program} took longer than {} s and was ended", limit.as_secs())]
    TimedOut {
        /// The subcommand.
        program: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The file system, or starting `git`, failed.
    #[error("{doing} failed: {source}")]
    Io {
        /// What we were doing.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// libgit2 failed.
    #[error("{doing} failed: {}", source.message())]
    Library {
        /// What we were doing.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: git2::Error,
    },
}

/// What an error means to the one who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// What was asked for makes no sense.
    Invalid,
    /// A revision or branch is not there.
    Unknown,
    /// The folder is no repository that can be used.
    Unusable,
    /// The present state of the repository forbids it.
    Conflict,
    /// It took too long.
    TimedOut,
    /// It should have worked.
    Fault,
}

impl GitError {
    pub(super) fn not_a_repository(path: &Path, reason: &str) -> Self {
        Self::NotARepository {
            path: path.to_owned(),
            reason: reason.to_owned(),
        }
    }

    pub(super) fn invalid_name(what: &'static str, name: &str) -> Self {
        let name = name.to_owned();
        Self::InvalidName { what, name }
    }

    /// The worktree of a repo with this name is gone.
    pub(super) fn worktree_gone(name: &str) -> Self {
        let name = name.to_owned();
        Self::WorktreeGone { name }
    }

    /// What was asked for is not in a repository; `note` says more about it.
    pub(super) fn unknown(repo: &Path, revision: &str, note: &str) -> Self {
        Self::UnknownRevision {
            repo: repo.to_owned(),
            revision: revision.to_owned(),
            note: note.to_owned(),
        }
    }

    /// What it means to the one who asked.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::InvalidName { .. } => ErrorKind::Invalid,
            Self::UnknownRevision { .. } => ErrorKind::Unknown,
            Self::NotARepository { .. } => ErrorKind::Unusable,
            // What is in a repository is its owner's to change, also what git itself stumbled over.
            Self::BranchTaken { .. }
            | Self::BranchInTheWay { .. }
            | Self::Conflict { .. }
            | Self::TargetDirty { .. }
            | Self::BranchMoved { .. }
            | Self::CheckedOut { .. }
            | Self::DefaultBranch { .. }
            | Self::NotMerged { .. }
            | Self::Unrelated { .. }
            | Self::CommitRefused { .. }
            | Self::FilterOff { .. }
            | Self::NotOnBranch { .. }
            | Self::UnderWay { .. }
            | Self::Unresolved { .. }
            | Self::Locked { .. }
            | Self::Refused { .. }
            | Self::NoRemote { .. }
            | Self::NoDefaultRemote { .. }
            | Self::PushesElsewhere { .. }
            | Self::ChangedMeanwhile { .. }
            | Self::WorktreeGone { .. }
            | Self::NotFetched { .. }
            | Self::TooMuch { .. }
            | Self::FolderInTheWay { .. }
            | Self::Failed { .. } => ErrorKind::Conflict,
            Self::Io { source, .. } if of_files(source) => ErrorKind::Conflict,
            Self::Library { source, .. } if of_repository(source) => ErrorKind::Conflict,
            Self::TimedOut { .. } => ErrorKind::TimedOut,
            Self::Cancelled | Self::Io { .. } | Self::Library { .. } => ErrorKind::Fault,
        }
    }
}

/// Adds to an error of the file system or of libgit2 what was being done: "reading a branch".
pub(super) trait Context<T> {
    fn context(self, doing: &'static str) -> Result<T, GitError>;
}

impl<T> Context<T> for Result<T, io::Error> {
    fn context(self, doing: &'static str) -> Result<T, GitError> {
        self.map_err(|source| GitError::Io { doing, source })
    }
}

impl<T> Context<T> for nix::Result<T> {
    fn context(self, doing: &'static str) -> Result<T, GitError> {
        self.map_err(io::Error::from).context(doing)
    }
}

impl<T> Context<T> for Result<T, git2::Error> {
    fn context(self, doing: &'static str) -> Result<T, GitError> {
        self.map_err(|source| GitError::Library { doing, source })
    }
}

/// Whether the state of files and folders is the cause, which people can change.
fn of_files(error: &io::Error) -> bool {
    use io::ErrorKind::{
        AlreadyExists, DirectoryNotEmpty, FileTooLarge, InvalidFilename, IsADirectory,
        NotADirectory, NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    matches!(
        error.kind(),
        AlreadyExists
            | DirectoryNotEmpty
            | FileTooLarge
            | InvalidFilename
            | IsADirectory
            | NotADirectory
            | NotFound
            | PermissionDenied
            | QuotaExceeded
            | ReadOnlyFilesystem
            | StorageFull
    )
}

/// Whether libgit2 failed at what is in the repository, and not at the machine.
fn of_repository(error: &git2::Error) -> bool {
    !matches!(
        error.class(),
        ErrorClass::NoMemory | ErrorClass::Thread | ErrorClass::Callback | ErrorClass::None
    )
}

fn listed(paths: &[String]) -> String {
    let shown: Vec<&str> = paths.iter().take(PATHS_SHOWN).map(String::as_str).collect();
    let more = paths.len() - shown.len();
    match more {
        0 => shown.join(", "),
        _ => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_repository_is_no_fault_of_ours() {
        let failed = GitError::Failed {
            program: "add",
            stderr: "fatal: unknown encoding".into(),
        };
        let library = |class| GitError::Library {
            doing: "reading",
            source: git2::Error::new(git2::ErrorCode::GenericError, class, "no such object"),
        };
        let io = |kind: io::ErrorKind| GitError::Io {
            doing: "reading",
            source: kind.into(),
        };
        for (error, kind, said) in [
            (
                failed,
                ErrorKind::Conflict,
                "git add failed: fatal: unknown encoding",
            ),
            (
                library(ErrorClass::Odb),
                ErrorKind::Conflict,
                "reading failed: no such object",
            ),
            (
                library(ErrorClass::NoMemory),
                ErrorKind::Fault,
                "reading failed: no such object",
            ),
            (
                io(io::ErrorKind::PermissionDenied),
                ErrorKind::Conflict,
                "reading failed: permission denied",
            ),
            (
                io(io::ErrorKind::StorageFull),
                ErrorKind::Conflict,
                "reading failed: no storage space",
            ),
            (
                io(io::ErrorKind::BrokenPipe),
                ErrorKind::Fault,
                "reading failed: broken pipe",
            ),
            (GitError::Cancelled, ErrorKind::Fault, "cancelled"),
        ] {
            assert_eq!((error.kind(), error.to_string().as_str()), (kind, said));
        }
    }
}
