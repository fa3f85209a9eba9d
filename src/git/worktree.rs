//! Makes a run's worktrees: in all repositories, or in none.
//!
//! Called by the runtime under the repositories' locks ([`super::RepoLocks`]), once a run and
//! again when a run goes on after its worktrees went. The branch is made with the worktree, and
//! the files are checked out in a second step: only then does the worktree's own configuration
//! (conditions on its branch or folder) show, and can be disarmed.
//!
//! # Crash
//! Any step may have been the last. The next attempt removes what the record in the repository
//! proves to be ours and begins again; a branch with commits of its own is never moved.

use super::{
    GitError,
    entries::{self, Entry},
    place::Place,
    program::HEAVY,
    removal, repository,
};
use crate::domain::{RepoId, run::event::WorktreeAt};
use git2::{Oid, Repository};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A worktree that a run wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorktreeSpec {
    /// The repo.
    pub repo_id: RepoId,
    /// Its name.
    pub name: String,
    /// The user's checkout.
    pub repo_path: PathBuf,
    /// Branch to make, or to go on with.
    pub branch: String,
    /// Commit the branch starts from, in hex.
    pub base_commit: String,
    /// Folder to make: absolute, inside the data folder, of this run alone.
    pub path: PathBuf,
}

/// Makes all these worktrees, or none: on any failure what was made is removed, branches that
/// were made included.
///
/// A worktree of an earlier attempt at the same path is removed first, with all it holds: call
/// this only when no worktree of the run is in use. A branch that exists and still points at the
/// base commit is such a leftover; one that points elsewhere is checked out as it is.
///
/// # Errors
/// `Cancelled` when `cancelled` said so, `BranchTaken` when the branch is checked out elsewhere,
/// `FolderInTheWay`, `UnknownRevision` when a base commit is gone, and those of starting `git`.
pub fn add_all(
    specs: &[WorktreeSpec],
    cancelled: &dyn Fn() -> bool,
) -> Result<Vec<WorktreeAt>, GitError> {
    let mut made = Vec::with_capacity(specs.len());
    for spec in specs {
        let added = Attempt::begin(spec).and_then(|attempt| {
            let outcome = attempt.add(cancelled);
            made.push(attempt);
            outcome
        });
        if let Err(error) = added {
            made.iter().rev().for_each(Attempt::undo);
            return Err(error);
        }
    }
    Ok(specs.iter().map(at).collect())
}

fn at(spec: &WorktreeSpec) -> WorktreeAt {
    WorktreeAt {
        repo_id: spec.repo_id,
        name: spec.name.clone(),
        worktree: spec.path.clone(),
        branch: spec.branch.clone(),
    }
}

/// One worktree being made.
struct Attempt<'a> {
    spec: &'a WorktreeSpec,
    repository: Repository,
    common_dir: PathBuf,
    base: Oid,
    /// The branch has commits of an earlier process of the run: it is not ours to remove.
    goes_on: bool,
}

impl<'a> Attempt<'a> {
    /// Looks, changes nothing.
    fn begin(spec: &'a WorktreeSpec) -> Result<Self, GitError> {
        repository::check_branch_name(&spec.branch)?;
        let repository = repository::open(&spec.repo_path)?;
        let common_dir = repository::common_dir(&repository)?;
        let unknown = || GitError::UnknownRevision {
            repo: spec.repo_path.clone(),
            revision: spec.base_commit.clone(),
            note: " any more".into(),
        };
        let base = Oid::from_str(&spec.base_commit).map_err(|_| unknown())?;
        repository.find_commit(base).map_err(|_| unknown())?;
        let tip = repository::branch_tip(&repository, &spec.branch)?;
        if tip.is_none() {
            repository::check_nothing_in_the_way(&repository, &spec.repo_path, &spec.branch)?;
        }
        let goes_on = tip.is_some_and(|tip| tip != base);
        Ok(Self {
            spec,
            repository,
            common_dir,
            base,
            goes_on,
        })
    }

    fn add(&self, cancelled: &dyn Fn() -> bool) -> Result<(), GitError> {
        let spec = self.spec;
        self.clear_leftovers()?;
        if entries::checked_out(&self.common_dir, &spec.branch)? {
            let (branch, repo) = (spec.branch.clone(), spec.repo_path.clone());
            return Err(GitError::BranchTaken { branch, repo });
        }
        if cancelled() {
            return Err(GitError::Cancelled);
        }
        if let Some(parent) = spec.path.parent() {
            fs::create_dir_all(parent).map_err(GitError::io("making the run's folder"))?;
        }
        self.register(cancelled)?;
        let entry = self.entry()?.ok_or_else(|| self.gone())?;
        // The record lies in the repository, the folder is new: what is in it now is ours.
        Place::open(&entry.admin, &spec.path)?
            .git("git reset")
            .args(["-c", "checkout.workers=0"])
            .args(["reset", "--hard", "--quiet", "--no-recurse-submodules"])
            .limit(HEAVY)
            .unless(cancelled)
            .run()
            .map(drop)
    }

    /// Makes the branch, the record and an empty worktree.
    fn register(&self, cancelled: &dyn Fn() -> bool) -> Result<(), GitError> {
        let work_tree = self.repository.workdir().ok_or_else(|| self.gone())?;
        let mut add = Place::open(self.repository.path(), work_tree)?
            .git("git worktree add")
            .args([
                "worktree",
                "add",
                "--quiet",
                "--no-checkout",
                "--no-guess-remote",
            ]);
        let exists = repository::branch_tip(&self.repository, &self.spec.branch)?.is_some();
        add = if exists {
            add.arg("--").arg(&self.spec.path).arg(&self.spec.branch)
        } else {
            add.arg("-b")
                .arg(&self.spec.branch)
                .arg("--")
                .arg(&self.spec.path)
                .arg(self.base.to_string())
        };
        add.unless(cancelled).run().map(drop)
    }

    /// Removes what an earlier attempt left at our path.
    fn clear_leftovers(&self) -> Result<(), GitError> {
        let in_the_way = || GitError::FolderInTheWay {
            name: self.spec.name.clone(),
        };
        let Some(entry) = self.entry()? else {
            // An empty folder is as good as none; git takes it.
            return is_vacant(&self.spec.path)
                .then_some(())
                .ok_or_else(in_the_way);
        };
        if is_link(&self.spec.path) {
            return Err(in_the_way());
        }
        removal::remove_folder(&self.spec.path)?;
        removal::remove_entry(&self.common_dir, &entry)
    }

    fn entry(&self) -> Result<Option<Entry>, GitError> {
        entries::find(&self.common_dir, &self.spec.path)
    }

    fn gone(&self) -> GitError {
        GitError::WorktreeGone {
            name: self.spec.name.clone(),
        }
    }

    /// Takes back what was made. A failure here is told to the log and not to the caller, who
    /// has to hear what failed first; the next attempt finds the leftovers.
    fn undo(&self) {
        let undone = self.clear_leftovers().and_then(|()| self.undo_branch());
        if let Err(error) = undone {
            log::warn!(repo_id:% = self.spec.repo_id, error:% = error;
                "A half-made worktree could not be removed.");
        }
    }

    fn undo_branch(&self) -> Result<(), GitError> {
        let tip = repository::branch_tip(&self.repository, &self.spec.branch)?;
        if self.goes_on || tip != Some(self.base) {
            return Ok(());
        }
        // In another's hands it stays, and is not ours.
        removal::delete_branch(&self.spec.repo_path, &self.spec.branch).map(drop)
    }
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

/// Whether there is nothing at a path, or an empty folder.
pub(super) fn is_vacant(path: &Path) -> bool {
    if is_link(path) {
        return false;
    }
    match fs::read_dir(path) {
        Ok(mut folder) => folder.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}
