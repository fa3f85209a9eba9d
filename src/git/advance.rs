//! Moves a branch to another commit, with the files where it is checked out.
//!
//! What must stay true: the branch moves only from the commit that the caller saw; a checkout is
//! touched only when it is clean, and no untracked or ignored file in it is overwritten.
//!
//! # Order
//! Files and index first, the ref last: then a crash in between shows the new contents as staged
//! changes. The other way round they would show as a staged reversal, and the next commit would
//! undo the merge. If anything fails, the files are restored.
//!
//! Not handled: a `git checkout` by the user that starts after we last read HEAD.

use super::{
    GitError,
    checkouts::{self, Checkout},
    command::HEAVY,
    place::Place,
    put_back::{Change, Saved},
    records, repository,
    text::{items, os_string},
};
use crate::files;
use git2::{Delta, Oid, Repository, Signature};
use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

/// One move of a branch.
pub(super) struct Step<'a> {
    /// The branch; not a symbolic ref.
    pub branch: &'a str,
    /// Where it points, as far as we know.
    pub from: Oid,
    /// Where it has to point.
    pub to: Oid,
    /// For the reflog.
    pub why: &'a str,
    /// Who moves it.
    pub user: &'a Signature<'a>,
}

impl Step<'_> {
    /// Moves the branch, and updates the checkout that has it.
    ///
    /// # Errors
    /// `BranchMoved` when it does not point at `from`; `TargetDirty` when its checkout has
    /// changes, or files in the way; those of starting `git`. Nothing is changed then.
    pub(super) fn take(&self, repository: &Repository) -> Result<(), GitError> {
        if repository::branch_tip(repository, self.branch)? != Some(self.from) {
            return Err(self.moved());
        }
        match checkouts::of_branch(repository, self.branch)?.as_slice() {
            [] => {
                let place = Place::of_repository(repository, repository.path())?;
                self.move_ref(repository, &place)
            }
            [checkout] => self.in_checkout(repository, checkout),
            [checkout, ..] => Err(self.dirty(checkout, "it is checked out in two folders")),
        }
    }

    fn in_checkout(&self, repository: &Repository, checkout: &Checkout) -> Result<(), GitError> {
        // An agent could replace its worktree by a link.
        if !files::is_folder(&checkout.folder) {
            return Err(self.dirty(checkout, "its folder does not exist"));
        }
        if checkout.busy {
            return Err(self.dirty(checkout, "a merge, rebase or similar is in progress"));
        }
        let place = Place::open(&checkout.git_dir, &checkout.folder)?;
        let changes = changes(repository, self.from, self.to)?;
        if let Some(why) = obstacle(&place, &changes)? {
            return Err(self.dirty(checkout, &why));
        }
        // Updates the index for files of which only the times changed.
        refresh(&place)?;
        match self.read_tree(&place, &["-n"], self.from, self.to) {
            Err(GitError::Failed { stderr, .. }) => return Err(self.dirty(checkout, &stderr)),
            other => other?,
        }
        let saved = Saved::new(&place, &changes)?;
        // A second link changes a time that git compares.
        refresh(&place)?;
        let updated = self.read_tree(&place, &[], self.from, self.to);
        if updated.is_err() {
            saved.put_back(repository, &place, &changes);
            refresh(&place)?;
            return updated;
        }
        drop(saved);
        let moved = self.move_checked_out(repository, &place);
        if moved.is_err() {
            self.read_tree(&place, &[], self.to, self.from)?;
        }
        moved
    }

    fn move_checked_out(&self, repository: &Repository, place: &Place) -> Result<(), GitError> {
        let head = records::branch_of_head(&place.git_dir().join("HEAD"));
        if head.as_deref() != Some(self.branch) {
            return Err(self.moved());
        }
        self.move_ref(repository, place)
    }

    /// Updates the index and the files from the contents of `from` to those of `to`.
    fn read_tree(&self, place: &Place, flags: &[&str], from: Oid, to: Oid) -> Result<(), GitError> {
        place
            .git("read-tree -m -u --no-recurse-submodules")
            .config("checkout.workers=0")
            .args(flags)
            .args([from.to_string(), to.to_string()])
            .limit(HEAVY)
            .run()
            .map(drop)
    }

    fn move_ref(&self, repository: &Repository, place: &Place) -> Result<(), GitError> {
        #[cfg(test)]
        super::tests::before_ref();
        let update = place
            .git("update-ref --no-deref -m")
            .args([self.why, "--"])
            .arg(format!("refs/heads/{}", self.branch))
            .args([self.to.to_string(), self.from.to_string()])
            .env("GIT_COMMITTER_NAME", os_string(self.user.name_bytes()))
            .env("GIT_COMMITTER_EMAIL", os_string(self.user.email_bytes()));
        update.run().map(drop).map_err(|error| {
            let tip = repository::branch_tip(repository, self.branch);
            let is_there = matches!(tip, Ok(Some(tip)) if tip == self.from);
            if is_there { error } else { self.moved() }
        })
    }

    fn moved(&self) -> GitError {
        GitError::BranchMoved {
            branch: self.branch.to_owned(),
        }
    }

    fn dirty(&self, checkout: &Checkout, why: &str) -> GitError {
        GitError::TargetDirty {
            branch: self.branch.to_owned(),
            checkout: checkout.folder.clone(),
            reason: why.to_owned(),
        }
    }
}

/// What differs between the trees of two commits.
fn changes(repository: &Repository, from: Oid, to: Oid) -> Result<Vec<Change>, GitError> {
    let diff = repository::diff(repository, from, to)?;
    let change = |delta: git2::DiffDelta<'_>| {
        let blob = matches!(
            delta.new_file().mode(),
            git2::FileMode::Blob | git2::FileMode::BlobExecutable | git2::FileMode::Link
        );
        // Both sides have the name of a file that is on one side only.
        let path = delta.new_file().path_bytes().unwrap_or_default();
        Change {
            path: PathBuf::from(os_string(path)),
            before: delta.status() != Delta::Added,
            after: blob.then(|| delta.new_file().id()),
        }
    };
    Ok(diff.deltas().map(change).collect())
}

/// Why a checkout must not be updated, if there is a reason.
fn obstacle(place: &Place, changes: &[Change]) -> Result<Option<String>, GitError> {
    let status = place
        .git("status --porcelain -z --no-renames --untracked-files=no --ignore-submodules=dirty")
        .limit(HEAVY);
    if !status.run()?.is_empty() {
        return Ok(Some("it has uncommitted changes".into()));
    }
    if let Some(path) = hidden(place, changes)? {
        let why = format!(
            "git ignores changes to '{}' (assume-unchanged or skip-worktree)",
            path.display()
        );
        return Ok(Some(why));
    }
    let in_the_way = in_the_way(place.work_tree(), changes);
    Ok(in_the_way.map(|path| format!("the untracked '{}' is in the way", path.display())))
}

/// A changed path that exists and is marked (`--assume-unchanged`, `--skip-worktree`): git would not
/// notice that it was edited.
fn hidden(place: &Place, changes: &[Change]) -> Result<Option<PathBuf>, GitError> {
    let changed: HashSet<&Path> = changes.iter().map(|change| change.path.as_path()).collect();
    let listed = place.git("ls-files -v -z");
    for entry in items(&listed.run()?) {
        let [tag, b' ', path @ ..] = entry else {
            continue;
        };
        let path = PathBuf::from(os_string(path));
        if (tag.is_ascii_lowercase() || *tag == b'S')
            && changed.contains(path.as_path())
            && fs::symlink_metadata(place.work_tree().join(&path)).is_ok()
        {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// An untracked file where a file would be written. git itself would overwrite ignored ones.
fn in_the_way(root: &Path, changes: &[Change]) -> Option<PathBuf> {
    let before: HashSet<&Path> = changes
        .iter()
        .filter(|change| change.before)
        .map(|change| change.path.as_path())
        .collect();
    for change in changes.iter().filter(|change| !change.before) {
        for above in change.path.ancestors().skip(1) {
            let is_file = fs::symlink_metadata(root.join(above)).is_ok_and(|found| !found.is_dir());
            if is_file && !before.contains(above) {
                return Some(above.to_owned());
            }
        }
        if let Some(found) = foreign(root, &change.path, &before) {
            return Some(found);
        }
    }
    None
}

/// The first file at or below a path that is not among those known.
fn foreign(root: &Path, path: &Path, known: &HashSet<&Path>) -> Option<PathBuf> {
    let found = fs::symlink_metadata(root.join(path)).ok()?;
    if !found.is_dir() {
        return (!known.contains(path)).then(|| path.to_owned());
    }
    let items = fs::read_dir(root.join(path)).ok()?;
    items
        .filter_map(Result::ok)
        .find_map(|item| foreign(root, &path.join(item.file_name()), known))
}

/// Brings what the index knows about the times of files up to date; differences are no failure.
fn refresh(place: &Place) -> Result<(), GitError> {
    place.git("update-index").limit(HEAVY).refresh()
}
