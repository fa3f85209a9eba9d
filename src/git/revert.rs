//! Reverts a run's work: branch, index and files become those of the base commit, HEAD is on the run's
//! branch, and no merge or rebase is in progress. Other branches do not move.
//!
//! It is all or nothing: everything that could fail is checked first, and until the last repository is
//! done, a [`Replaced`] can restore everything.
//!
//! # Crash
//! The checkpoint comes first. The branch moves before the files do; in between the worktree shows its
//! work as uncommitted, and a second revert completes it.

use super::{
    Context, GitError, checkouts, checkpoint,
    head::{self, Head, On, Operation},
    lock_files::{self, IndexLock},
    open_worktree::OpenWorktree,
    place::Place,
    repository,
    staging::Staging,
    temporary::{TemporaryFolder, copy_with_times},
};
use crate::{
    domain::run::event::{CheckpointAt, WorktreeAt},
    files,
};
use git2::{Oid, Repository};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Resets a worktree and the run's branch to `base_commit`. `kept` is the checkpoint taken
/// just now.
///
/// # Errors
/// `ChangedMeanwhile` when `kept` does not hold what is there now, or not its commits;
/// `UnknownRevision` when the base commit is gone, `CheckedOut` when the run's branch is checked
/// out elsewhere, `Locked`; `WorktreeGone`, and those of starting `git`. On error nothing is changed.
pub(crate) fn revert(
    at: &WorktreeAt,
    repo_path: &Path,
    base_commit: &str,
    kept: &CheckpointAt,
) -> Result<Replaced, GitError> {
    let job = Job::begin(at, repo_path, kept)?;
    let base = job.commit(base_commit)?;
    let elsewhere = checkouts::of_branch(&job.repository, &at.branch)?;
    let elsewhere = elsewhere
        .into_iter()
        .find(|checkout| checkout.git_dir != job.place.git_dir());
    if let Some(checkout) = elsewhere {
        return Err(GitError::CheckedOut {
            branch: checkout.branch,
            checkout: checkout.folder,
        });
    }
    let replaced = job.save()?;
    let done = job
        .move_head(base)
        .and_then(|()| replaced.end_operations())
        .and_then(|()| checkpoint::restore(at, repo_path, base_commit));
    replaced.or_undo(done)
}

/// Gives a worktree the contents of a checkpoint. A merge, cherry-pick or revert that was under
/// way is over then: its commit would be one of other files. HEAD stays where it is.
///
/// # Errors
/// `UnderWay` in the middle of a rebase and the like; those of [`revert`]. All is as it was then.
pub(crate) fn restore_in_place(
    at: &WorktreeAt,
    repo_path: &Path,
    commit: &str,
    kept: &CheckpointAt,
) -> Result<Replaced, GitError> {
    let job = Job::begin(at, repo_path, kept)?;
    job.head.admit(Operation::Restore, at)?;
    job.commit(commit)?;
    let replaced = job.save()?;
    let done = replaced
        .end_operations()
        .and_then(|()| checkpoint::restore(at, repo_path, commit));
    replaced.or_undo(done)
}

/// One worktree whose files are about to be replaced.
struct Job<'a> {
    at: &'a WorktreeAt,
    repo_path: &'a Path,
    kept: &'a CheckpointAt,
    repository: Repository,
    place: Place,
    head: Head,
    /// Held to the end.
    _lock: IndexLock,
}

impl<'a> Job<'a> {
    /// Locks the worktree, and checks that the checkpoint has all of it.
    fn begin(
        at: &'a WorktreeAt,
        repo_path: &'a Path,
        kept: &'a CheckpointAt,
    ) -> Result<Self, GitError> {
        let open = OpenWorktree::open(at, repo_path)?;
        let admin = &open.record.admin;
        lock_files::clear(at, repo_path, &open.common_dir, admin, &at.branch)?;
        let lock = IndexLock::take(admin, &at.name)?;
        let staging = Staging::open(at, repo_path)?;
        staging.stage()?;
        let head = Head::of(&open, &at.branch)?;
        if staging.write_tree()? != kept.tree || !holds(&open.repository, kept, &head) {
            return Err(GitError::ChangedMeanwhile {
                name: at.name.clone(),
            });
        }
        Ok(Self {
            at,
            repo_path,
            kept,
            place: open.place(at)?,
            repository: open.repository,
            head,
            _lock: lock,
        })
    }

    fn commit(&self, commit: &str) -> Result<Oid, GitError> {
        let found = repository::find_commit(&self.repository, self.repo_path, commit)?;
        Ok(found.id())
    }

    /// Saves what is needed to restore everything.
    fn save(&self) -> Result<Replaced, GitError> {
        let admin = self.place.git_dir();
        let saved = TemporaryFolder::create(admin, "saved")?;
        match copy_with_times(&admin.join("index"), &saved.0.join("index")) {
            Err(error) if !files::is_absent(&error) => {
                return Err(error).context("saving the state of a worktree");
            }
            Ok(()) | Err(_) => {}
        }
        Ok(Replaced {
            at: self.at.clone(),
            repo_path: self.repo_path.to_owned(),
            kept: self.kept.commit.clone(),
            admin: admin.to_owned(),
            head: self.head.clone(),
            saved,
        })
    }

    /// Points the run's branch at a commit, and HEAD at the run's branch.
    fn move_head(&self, to: Oid) -> Result<(), GitError> {
        set_branch(&self.place, &self.at.branch, Some(to), self.head.tip)?;
        match self.head.on {
            On::Run => Ok(()),
            On::Made(_) | On::Foreign(_) | On::Detached => set_head(&self.place, &self.at.branch),
        }
    }
}

/// Whether the commits of a worktree are before the checkpoint.
fn holds(repository: &Repository, kept: &CheckpointAt, head: &Head) -> bool {
    let commit = Oid::from_str(&kept.commit).and_then(|id| repository.find_commit(id));
    commit.is_ok_and(|commit| {
        let mut all = head.commit.iter().chain(&head.others);
        all.all(|wanted| commit.parent_ids().any(|parent| parent == *wanted))
    })
}

/// Moves a branch from where it was seen; `None` stands for no branch.
fn set_branch(
    place: &Place,
    branch: &str,
    to: Option<Oid>,
    from: Option<Oid>,
) -> Result<(), GitError> {
    let update = place.git("update-ref --no-deref -m").arg("abbado: revert");
    let reference = format!("refs/heads/{branch}");
    let from = from.unwrap_or(Oid::ZERO_SHA1).to_string();
    let update = match to {
        Some(to) => update.args(["--", &reference, &to.to_string(), &from]),
        None => update.args(["-d", "--", &reference, &from]),
    };
    update.run().map(drop)
}

/// Attaches HEAD to a branch.
fn set_head(place: &Place, branch: &str) -> Result<(), GitError> {
    let attach = place.git("symbolic-ref -m").arg("abbado: revert");
    attach
        .args(["HEAD", &format!("refs/heads/{branch}")])
        .run()
        .map(drop)
}

/// A worktree whose files were replaced, and what is needed to restore them: for as long as
/// other repositories of the run may still refuse.
#[derive(Debug)]
#[must_use = "it can be undone"]
pub(crate) struct Replaced {
    at: WorktreeAt,
    repo_path: PathBuf,
    kept: String,
    admin: PathBuf,
    head: Head,
    /// The former index, and the files of operations in progress.
    saved: TemporaryFolder,
}

impl Replaced {
    /// Moves the files of operations in progress out of the worktree's record.
    fn end_operations(&self) -> Result<(), GitError> {
        for name in head::state_of_operations(&self.admin) {
            carry(&self.admin, &self.saved.0, &name).context("ending a merge or rebase")?;
        }
        Ok(())
    }

    /// Itself on success; else everything is restored.
    fn or_undo(self, done: Result<(), GitError>) -> Result<Self, GitError> {
        match done {
            Ok(()) => Ok(self),
            Err(error) => {
                let name = self.at.name.clone();
                if let Err(again) = self.undo() {
                    log::error!(
                        "The worktree of {name} is partly changed, and undoing failed: {again}."
                    );
                }
                Err(error)
            }
        }
    }

    /// Restores branch, HEAD, operations in progress, files and index.
    ///
    /// # Errors
    /// `WorktreeGone`, `Io`, and those of starting `git`: the first of all that failed.
    pub(crate) fn undo(self) -> Result<(), GitError> {
        let head = self.head_back();
        let contents = checkpoint::restore(&self.at, &self.repo_path, &self.kept);
        let doing = "restoring a worktree's index";
        let index = fs::rename(self.saved.0.join("index"), self.admin.join("index"));
        let index = files::if_there(index).map(drop).context(doing);
        head.and(contents).and(index)
    }

    fn head_back(&self) -> Result<(), GitError> {
        let place = Place::open(&self.admin, &self.at.worktree)?;
        let repository = repository::open(&self.repo_path)?;
        match &self.head.on {
            On::Run => {}
            On::Made(branch) | On::Foreign(branch) => set_head(&place, branch)?,
            On::Detached => {
                let commit = self.head.commit.unwrap_or(Oid::ZERO_SHA1).to_string();
                let detach = place.git("update-ref --no-deref -m");
                detach.args(["abbado: undone", "HEAD", &commit]).run()?;
            }
        }
        let now = repository::branch_tip(&repository, &self.at.branch)?;
        if now != self.head.tip {
            set_branch(&place, &self.at.branch, self.head.tip, now)?;
        }
        let doing = "restoring a merge or rebase";
        for name in head::state_of_operations(&self.saved.0) {
            carry(&self.saved.0, &self.admin, &name).context(doing)?;
        }
        Ok(())
    }
}

fn carry(from: &Path, to: &Path, name: &Path) -> io::Result<()> {
    let target = to.join(name);
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::rename(from.join(name), target)
}
