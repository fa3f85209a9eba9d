//! The present contents of a worktree, staged in an index of our own.
//!
//! A copy of the worktree's index is brought up to date, so that only changed files are read. The
//! copy keeps the original's time: git takes a file for changed when it is not older than the
//! index, and would miss an edit of the last moment under a newer time. The real index is never
//! written, nor is its lock looked at.
//!
//! What is to be kept goes to the repository's own objects. What is only looked at goes to a
//! folder that goes with the staging: else each look would leave a copy of every changed file.
//!
//! # Crash
//! The index and the objects stay beside the worktree's record; the next staging removes them.

use super::{
    GitError, entries,
    place::Place,
    program::{HEAVY, Program, line, os_string},
    repository,
};
use crate::domain::run::event::WorktreeAt;
use crate::files;
use git2::Repository;
use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, File, FileTimes},
    io,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

/// A worktree of ours, ready to be read or written.
pub(super) struct Staging {
    pub place: Place,
    pub repository: Repository,
    index: TemporaryIndex,
    /// Where new objects go, when not to the repository.
    objects: Option<TemporaryObjects>,
    /// The commit checked out; none on a branch without commits.
    pub head: Option<git2::Oid>,
}

impl Staging {
    /// Finds the worktree through its repository and copies its index.
    ///
    /// # Errors
    /// `WorktreeGone`, `NotARepository`, and those of starting `git`.
    pub(super) fn open(at: &WorktreeAt, repo_path: &Path) -> Result<Self, GitError> {
        let worktree = &at.worktree;
        let repository = repository::open(repo_path)?;
        let common_dir = repository::common_dir(&repository)?;
        let entry = entries::of_worktree(&common_dir, at)?;
        let is_folder = fs::symlink_metadata(worktree).is_ok_and(|found| found.is_dir());
        if !is_folder {
            return Err(GitError::WorktreeGone {
                name: at.name.clone(),
            });
        }
        let head = head_of(&repository, &entry)?;
        let place = Place::open(&entry.admin, worktree)?;
        remove_leftovers(&entry.admin);
        let index = TemporaryIndex::copy_of(&entry.admin)?;
        Ok(Self {
            place,
            repository,
            index,
            objects: None,
            head,
        })
    }

    /// As [`Self::open`], for one who only looks: objects made by it go when it goes, and are
    /// never flushed to disk. [`Self::repository`] can read them.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub(super) fn open_apart(at: &WorktreeAt, repo_path: &Path) -> Result<Self, GitError> {
        let mut staging = Self::open(at, repo_path)?;
        let common_dir = repository::common_dir(&staging.repository)?;
        let objects = TemporaryObjects::beside(staging.place.git_dir(), &common_dir)?;
        objects.show_to(&staging.repository)?;
        staging.objects = Some(objects);
        Ok(staging)
    }

    /// Prepares a start of `git` on our index.
    pub(super) fn git<'a>(&self, name: &'static str) -> Program<'a> {
        let git = self
            .place
            .git(name)
            .env("GIT_INDEX_FILE", &self.index.path)
            .limit(HEAVY);
        match &self.objects {
            None => git,
            Some(objects) => git
                .env("GIT_OBJECT_DIRECTORY", &objects.path)
                .args(["-c", "core.fsync=none"]),
        }
    }

    /// The copy of the worktree's index; none when it has no index.
    pub(super) fn index_path(&self) -> Option<&Path> {
        self.index.copied.then_some(self.index.path.as_path())
    }

    /// Takes in all that git tracks or would track, ignored files aside.
    ///
    /// # Errors
    /// Those of `git`.
    pub(super) fn stage(&self) -> Result<(), GitError> {
        let submodules = match self.survey() {
            Ok(submodules) if self.index.copied => submodules,
            _ => {
                // Without an index, or with a broken one, files that are both tracked and ignored
                // would be missed: begin with those of HEAD.
                self.reset_index()?;
                self.survey()?
            }
        };
        self.stage_submodules(&submodules)?;
        let Err(error) = self.add(&submodules).run() else {
            return Ok(());
        };
        if !matches!(error, GitError::Failed { .. }) {
            return Err(error);
        }
        // A nested repository without a commit, or a file without the right to read it, stops
        // git at once. All the rest must be kept all the same.
        log::warn!(error:% = error; "A worktree could be staged in part only.");
        match self.add(&submodules).arg("--ignore-errors").run() {
            Err(GitError::Failed { .. }) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Prepares to take in all but the submodules: `git add` would look for changes inside of
    /// them, by the rules and with the filters of their own configuration.
    fn add<'a>(&self, submodules: &BTreeSet<Vec<u8>>) -> Program<'a> {
        let mut add = self.git("git add");
        if self.objects.is_some() {
            // All into one pack: a file and often a folder for each would take far longer.
            add = add.args(["-c", "core.bigFileThreshold=0"]);
        }
        let add = add.args(["add", "--all", "--sparse"]);
        if submodules.is_empty() {
            return add;
        }
        let mut paths = b".\0".to_vec();
        for path in submodules {
            paths.extend_from_slice(b":(top,exclude,literal)");
            paths.extend_from_slice(path);
            paths.push(0);
        }
        add.args(["--pathspec-from-file=-", "--pathspec-file-nul"])
            .input(paths)
    }

    /// Takes in which commit is checked out in each submodule.
    fn stage_submodules(&self, submodules: &BTreeSet<Vec<u8>>) -> Result<(), GitError> {
        if submodules.is_empty() {
            return Ok(());
        }
        let mut paths = Vec::new();
        for path in submodules {
            paths.extend_from_slice(path);
            paths.push(0);
        }
        let update = self.git("git update-index").arg("update-index");
        let update = update.args(["--add", "--remove", "--replace", "-z", "--stdin"]);
        match update.input(paths).run() {
            Err(error @ GitError::Failed { .. }) => {
                log::warn!(error:% = error; "A submodule of a worktree could not be staged.");
                Ok(())
            }
            outcome => outcome.map(drop),
        }
    }

    /// Writes our index down as a tree, in hex.
    ///
    /// # Errors
    /// Those of `git`.
    pub(super) fn write_tree(&self) -> Result<String, GitError> {
        Ok(line(&self.git("git write-tree").arg("write-tree").run()?))
    }

    /// Makes our index that of HEAD, keeping what it knows about unchanged files.
    ///
    /// # Errors
    /// Those of `git`.
    pub(super) fn reset_index(&self) -> Result<(), GitError> {
        let read = self.git("git read-tree").arg("read-tree");
        let read = match self.head {
            Some(head) => read.arg("--reset").arg(head.to_string()),
            None => read.arg("--empty"),
        };
        if read.run().is_ok() {
            return Ok(());
        }
        // It could not be read: begin with none.
        self.index.discard();
        let read = self.git("git read-tree").arg("read-tree");
        match self.head {
            Some(head) => read.arg(head.to_string()).run().map(drop),
            None => read.arg("--empty").run().map(drop),
        }
    }

    /// Puts our index in the place of the worktree's own, in one step.
    ///
    /// # Errors
    /// `Io` when the file system refuses.
    pub(super) fn install_index(&self) -> Result<(), GitError> {
        let own = self.place.git_dir().join("index");
        fs::rename(&self.index.path, own).map_err(GitError::io("replacing a worktree's index"))
    }

    /// Clears the marks that make git look away from a file (`--assume-unchanged`,
    /// `--skip-worktree`), of files that are there: their changes are work too. Answers the paths
    /// of submodules.
    fn survey(&self) -> Result<BTreeSet<Vec<u8>>, GitError> {
        let listed = self
            .git("git ls-files")
            .args(["ls-files", "-v", "--stage", "-z"])
            .run()?;
        let (mut assumed, mut skipped) = (Vec::new(), Vec::new());
        let mut submodules = BTreeSet::new();
        for entry in listed.split(|byte| *byte == 0) {
            // `<tag> <mode> <id> <stage>\t<path>`
            let [tag, b' ', entry @ ..] = entry else {
                continue;
            };
            let Some(tab) = entry.iter().position(|byte| *byte == b'\t') else {
                continue;
            };
            let path = entry.get(tab + 1..).unwrap_or_default();
            if entry.starts_with(b"160000 ") {
                submodules.insert(path.to_vec());
            }
            if tag.is_ascii_lowercase() {
                assumed.extend_from_slice(path);
                assumed.push(0);
            }
            let is_there = || {
                let path = PathBuf::from(os_string(path));
                fs::symlink_metadata(self.place.work_tree().join(path)).is_ok()
            };
            if tag.eq_ignore_ascii_case(&b's') && is_there() {
                skipped.extend_from_slice(path);
                skipped.push(0);
            }
        }
        for (flag, paths) in [
            ("--no-assume-unchanged", assumed),
            ("--no-skip-worktree", skipped),
        ] {
            if !paths.is_empty() {
                let update = self.git("git update-index").arg("update-index");
                update.args([flag, "-z", "--stdin"]).input(paths).run()?;
            }
        }
        Ok(submodules)
    }
}

/// The commit that a worktree's HEAD names.
fn head_of(repository: &Repository, entry: &entries::Entry) -> Result<Option<git2::Oid>, GitError> {
    if let Some(branch) = entry.branch() {
        return repository::branch_tip(repository, &branch);
    }
    let head = files::read_text(&entry.admin.join("HEAD"), files::SMALL);
    let head = head.map_err(GitError::io("reading a worktree's HEAD"))?;
    git2::Oid::from_str(head.trim())
        .map(Some)
        .map_err(GitError::library("reading HEAD"))
}

/// An index file that goes with its owner.
pub(super) struct TemporaryIndex {
    pub path: PathBuf,
    /// It began as a copy of the worktree's own.
    copied: bool,
}

impl TemporaryIndex {
    /// A name for an index that has nothing in it yet.
    pub(super) fn empty(admin: &Path) -> Self {
        Self {
            path: temporary(admin, "index"),
            copied: false,
        }
    }

    /// Copies a worktree's index, beside it: there it may refer to a shared part of itself.
    fn copy_of(admin: &Path) -> Result<Self, GitError> {
        let path = temporary(admin, "index");
        let copied = match copy_with_times(&admin.join("index"), &path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(GitError::io("copying a worktree's index")(error)),
        };
        Ok(Self { path, copied })
    }

    /// Removes the file and a lock that a killed `git` left on it.
    fn discard(&self) {
        let mut lock = OsString::from(&self.path);
        lock.push(".lock");
        drop(fs::remove_file(lock));
        drop(fs::remove_file(&self.path));
    }
}

impl Drop for TemporaryIndex {
    fn drop(&mut self) {
        self.discard();
    }
}

/// A folder of objects, on top of the repository's, that goes with its owner.
struct TemporaryObjects {
    path: PathBuf,
}

impl TemporaryObjects {
    fn beside(admin: &Path, common_dir: &Path) -> Result<Self, GitError> {
        let made = Self {
            path: temporary(admin, "objects"),
        };
        let failed = || GitError::io("making a folder for objects");
        write_alternates(&made.path, common_dir).map_err(failed())?;
        // Without it now, libgit2 would never look for packs.
        fs::create_dir_all(made.path.join("pack")).map_err(failed())?;
        Ok(made)
    }

    fn show_to(&self, repository: &Repository) -> Result<(), GitError> {
        // Not handled: a path that is not UTF-8, which libgit2 would not take.
        let path = self.path.to_string_lossy();
        let odb = repository.odb();
        odb.and_then(|odb| odb.add_disk_alternate(&path))
            .map_err(GitError::library("reading objects"))
    }
}

impl Drop for TemporaryObjects {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            log::warn!(error:% = error; "A folder of temporary objects could not be removed.");
        }
    }
}

/// Has a folder of objects borrow those of a repository. A file says so, because the variable for
/// it splits at colons.
pub(super) fn write_alternates(objects: &Path, git_dir: &Path) -> io::Result<()> {
    let info = objects.join("info");
    fs::create_dir_all(&info)?;
    let mut below = git_dir.join("objects").into_os_string();
    below.push("\n");
    fs::write(info.join("alternates"), below.as_encoded_bytes())
}

/// A path in a worktree's record that nobody else uses.
fn temporary(admin: &Path, what: &str) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    admin.join(format!("abbado-{what}-{}-{number}", process::id()))
}

/// Removes what a server that was killed left in a worktree's record.
fn remove_leftovers(admin: &Path) {
    let Ok(items) = fs::read_dir(admin) else {
        return;
    };
    let ours = process::id().to_string();
    for item in items.flatten() {
        let name = item.file_name();
        let parts: Vec<_> = name.to_str().unwrap_or_default().split('-').collect();
        if let ["abbado", "index" | "objects" | "saved", process, _] = parts[..]
            && process != ours
        {
            let path = item.path();
            drop(fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path)));
        }
    }
}

fn copy_with_times(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = files::open(from)?;
    let mut target = File::create(to)?;
    io::copy(&mut source, &mut target)?;
    target.set_times(FileTimes::new().set_modified(source.metadata()?.modified()?))
}
