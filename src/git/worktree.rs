//! Creates a run's worktrees: in all repositories, or in none.
//!
//! Called by the runtime once for each run, and again when a run continues after its worktrees were
//! removed. The branch is created with the worktree, under the repository's lock ([`super::RepoLocks`]);
//! the files are checked out in a second step, because the worktree's own configuration (conditions on
//! its branch or folder) is known, and can be disarmed, only then. That takes long and needs no lock,
//! since the record and the branch are ours by then. With a spare worktree ([`super::spare`]) most files
//! are there already.
//!
//! # Crash
//! The next attempt removes what the record in the repository proves to be ours, and starts over; a
//! branch with commits of its own is never moved.

use super::{
    Context, GitError, RepoLocks, check_out, lfs,
    place::Place,
    records::{self, Records, WorktreeRecord},
    removal, repository,
    spare::Spare,
    trusted,
};
use crate::domain::{RUN_ID_VARIABLE, RepoId, RunId, run::event::WorktreeAt};
use git2::{Oid, Repository};
use nix::sys::{stat::futimens, time::TimeSpec};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A worktree that a run wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorktreeSpec {
    /// The run; what makes the worktree has it in its environment, by which it is found should it
    /// outlive a server that was killed.
    pub run_id: RunId,
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
    /// A worktree to start from, when one was kept ready. It is used up, even when it turns out
    /// not to fit.
    pub spare: Option<Arc<Spare>>,
}

/// A worktree that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Added {
    /// Where.
    pub at: WorktreeAt,
    /// The repository's record of it.
    record: PathBuf,
    /// A sentence on what its checkout could not bring.
    pub note: Option<String>,
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
pub(crate) fn add_worktrees(
    specs: &[WorktreeSpec],
    locks: &RepoLocks,
    cancelled: &dyn Fn() -> bool,
) -> Result<Vec<Added>, GitError> {
    let mut made = Vec::with_capacity(specs.len());
    let mut all = Vec::with_capacity(specs.len());
    for spec in specs {
        let added = Attempt::begin(spec, locks).and_then(|attempt| {
            let outcome = attempt.add(cancelled);
            made.push(attempt);
            outcome
        });
        match added {
            Ok(added) => all.push(added),
            Err(error) => {
                made.iter().rev().for_each(Attempt::undo);
                return Err(error);
            }
        }
    }
    Ok(all)
}

/// As [`add_worktrees`], where nobody else is at work.
#[cfg(test)]
pub(super) fn add_all(
    specs: &[WorktreeSpec],
    cancelled: &dyn Fn() -> bool,
) -> Result<Vec<WorktreeAt>, GitError> {
    let added = add_worktrees(specs, &RepoLocks::default(), cancelled)?;
    Ok(added.into_iter().map(|added| added.at).collect())
}

/// One worktree being made.
struct Attempt<'a> {
    spec: &'a WorktreeSpec,
    locks: &'a RepoLocks,
    repository: Repository,
    common_dir: PathBuf,
    base: Oid,
    /// The branch has commits of an earlier process of the run: it is not ours to remove.
    goes_on: bool,
}

impl<'a> Attempt<'a> {
    /// Checks everything, and changes nothing.
    fn begin(spec: &'a WorktreeSpec, locks: &'a RepoLocks) -> Result<Self, GitError> {
        repository::check_branch_name(&spec.branch)?;
        let repository = repository::open(&spec.repo_path)?;
        let common_dir = repository::common_dir(&repository)?;
        let base = repository::find_commit(&repository, &spec.repo_path, &spec.base_commit)?.id();
        let tip = repository::branch_tip(&repository, &spec.branch)?;
        if tip.is_none() {
            repository::check_nothing_in_the_way(&repository, &spec.repo_path, &spec.branch)?;
        }
        let goes_on = tip.is_some_and(|tip| tip != base);
        Ok(Self {
            spec,
            locks,
            repository,
            common_dir,
            base,
            goes_on,
        })
    }

    /// Adds it.
    fn add(&self, cancelled: &dyn Fn() -> bool) -> Result<Added, GitError> {
        let spec = self.spec;
        if let Some(spare) = &spec.spare {
            match self.adopt(spare, cancelled) {
                // It would not have been made if files needed a filter.
                Ok(Some(entry)) => return Ok(self.added(entry, None)),
                Ok(None) => log::info!(run_id:% = spec.run_id; "A spare worktree did not match."),
                Err(GitError::Cancelled) => return Err(GitError::Cancelled),
                Err(error) => {
                    log::warn!(run_id:% = spec.run_id, error:% = error; "A spare worktree was not used.");
                }
            }
        }
        let own = Place::of_repository(&self.repository, &spec.repo_path)?;
        self.locked(|| {
            self.make_room(cancelled)?;
            self.register(&own)
        })?;
        crate::fault::point("set_up.worktree_registered");
        let entry = self.entry()?;
        let entry = entry.ok_or_else(|| GitError::worktree_gone(&spec.name))?;
        // The record is in the repository, and the folder is new: what is in it now is ours.
        trusted::link_keys(&self.common_dir, &entry.admin);
        let place = own.of_worktree(&entry.admin, &spec.path)?;
        self.check_out(&place, cancelled)?;
        Ok(self.added(entry, lfs::note(&place)?))
    }

    fn added(&self, entry: WorktreeRecord, note: Option<String>) -> Added {
        let at = WorktreeAt {
            repo_id: self.spec.repo_id,
            name: self.spec.name.clone(),
            worktree: self.spec.path.clone(),
            branch: self.spec.branch.clone(),
        };
        let record = entry.admin;
        Added { at, record, note }
    }

    /// Checks the files out. Git writes the branch too when it is done, and leaves its lock when it is
    /// ended just then; nobody else writes a run's branch.
    fn check_out(&self, place: &Place, cancelled: &dyn Fn() -> bool) -> Result<(), GitError> {
        let spec = self.spec;
        let done = check_out::check_out(place, &spec.run_id.to_string(), cancelled);
        if matches!(done, Err(GitError::Cancelled | GitError::TimedOut { .. }))
            && let Err(error) =
                self.locked(|| removal::remove_branch_lock(&self.common_dir, &spec.branch))
        {
            log::warn!(repo_id:% = spec.repo_id, error:% = error;
                "Could not remove the lock of a run's branch.");
        }
        done
    }

    /// Brings a spare worktree here, and returns its record. `None` when it does not fit; what it
    /// left is cleared by [`Self::make_room`].
    fn adopt(
        &self,
        spare: &Spare,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<WorktreeRecord>, GitError> {
        let spec = self.spec;
        let Some(record) = spare.fitting(&self.repository, self.base)? else {
            return Ok(None);
        };
        let moved = self.locked(|| {
            self.make_room(cancelled)?;
            if repository::branch_tip(&self.repository, &spec.branch)?.is_some() {
                return Ok(false);
            }
            spare.move_to(&record, &spec.path, &spec.branch, self.base)
        })?;
        let entry = if moved { self.entry()? } else { None };
        let Some(entry) = entry else {
            return Ok(None);
        };
        let place = Place::open(&entry.admin, &spec.path)?;
        if !spare.is_configured_as(&place) {
            return Ok(None);
        }
        if !spare.is_at(self.base) {
            self.check_out(&place, cancelled)?;
        }
        Ok(Some(entry))
    }

    /// Under the repository's lock.
    fn locked<T>(&self, work: impl FnOnce() -> T) -> T {
        self.locks.with([&self.common_dir], work)
    }

    /// Clears the path, and checks that the branch is free.
    fn make_room(&self, cancelled: &dyn Fn() -> bool) -> Result<(), GitError> {
        let spec = self.spec;
        let mut others = Records::read(&self.common_dir)?;
        self.clear_leftovers(others.take(&spec.path).as_ref())?;
        if others.have_checked_out(&spec.branch) {
            let (branch, repo) = (spec.branch.clone(), spec.repo_path.clone());
            return Err(GitError::BranchTaken { branch, repo });
        }
        if cancelled() {
            return Err(GitError::Cancelled);
        }
        let parent = spec.path.parent().map_or(Ok(()), fs::create_dir_all);
        parent.context("creating the run's folder")
    }

    /// Makes the branch, the record and an empty worktree. It takes milliseconds and is not ended in
    /// the middle: git would leave the lock of the branch, or a record that says of nothing whose it is.
    fn register(&self, own: &Place) -> Result<(), GitError> {
        let mut add = own
            .git("worktree add --quiet --no-checkout --no-guess-remote")
            .shown_as("worktree add")
            .env(RUN_ID_VARIABLE, self.spec.run_id.to_string());
        let (branch, path) = (self.spec.branch.as_str(), &self.spec.path);
        add = match repository::branch_tip(&self.repository, branch)? {
            Some(_) => add.arg("--").arg(path).arg(branch),
            None => add
                .args(["-b", branch, "--"])
                .arg(path)
                .arg(self.base.to_string()),
        };
        add.run().map(drop)
    }

    /// Removes what an earlier attempt left at our path: the folder, and this record of it.
    fn clear_leftovers(&self, entry: Option<&WorktreeRecord>) -> Result<(), GitError> {
        let in_the_way = || GitError::FolderInTheWay {
            name: self.spec.name.clone(),
        };
        let Some(entry) = entry else {
            // Git accepts an empty folder.
            let vacant = is_vacant(&self.spec.path);
            return vacant.then_some(()).ok_or_else(in_the_way);
        };
        if is_link(&self.spec.path) {
            return Err(in_the_way());
        }
        removal::remove_folder(&self.spec.path)?;
        removal::remove_record(&self.common_dir, entry)
    }

    fn entry(&self) -> Result<Option<WorktreeRecord>, GitError> {
        records::find(&self.common_dir, &self.spec.path)
    }

    /// Removes what was created. A failure here is logged and not returned: the caller gets what
    /// failed first, and the next attempt finds the leftovers.
    fn undo(&self) {
        let undone = self.locked(|| {
            self.clear_leftovers(self.entry()?.as_ref())?;
            self.undo_branch()
        });
        if let Err(error) = undone {
            log::warn!(repo_id:% = self.spec.repo_id, error:% = error;
                "Could not remove an incomplete worktree.");
        }
    }

    fn undo_branch(&self) -> Result<(), GitError> {
        let tip = repository::branch_tip(&self.repository, &self.spec.branch)?;
        if self.goes_on || tip != Some(self.base) {
            return Ok(());
        }
        // It stays when it is checked out elsewhere.
        removal::delete_branch(&self.spec.repo_path, &self.spec.branch).map(drop)
    }
}

/// Lets the index of a worktree that was just made say that it is newer than its files. Git and we
/// look into files that are not older than the index, in case they were changed within the same tick of
/// the clock; of a fresh worktree these are many, and nobody was at work on them.
///
/// # Errors
/// `Io`.
pub(crate) fn date_index(added: &Added) -> Result<(), GitError> {
    let index = added.record.join("index");
    let index = fs::File::options().append(true).open(index);
    index
        .and_then(|index| {
            Ok(futimens(
                &index,
                &TimeSpec::UTIME_OMIT,
                &TimeSpec::UTIME_NOW,
            )?)
        })
        .context("setting the time of an index")
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
