//! The present contents of a worktree, staged in an index of our own; [`super::stage`] takes them in.
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
    GitError,
    command::{Command, HEAVY},
    fifos::Fifos,
    mend::OpenWorktree,
    on_disk::set_times,
    place::Place,
    records::{self, temporary},
    repository,
    text::line,
    trusted,
};
use crate::domain::run::event::WorktreeAt;
use crate::files;
use git2::Repository;
use nix::errno::Errno;
use std::{
    ffi::OsString,
    fs::{self, File, FileTimes},
    io,
    path::{Path, PathBuf},
    process,
};

/// A worktree of ours, ready to be read or written.
pub(super) struct Staging {
    pub place: Place,
    pub repository: Repository,
    index: TemporaryIndex,
    /// Where new objects go, when not to the repository.
    objects: Option<TemporaryObjects>,
    /// Answered for as long as this lives.
    pub(super) fifos: Fifos,
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
        let open = OpenWorktree::open(at, repo_path)?;
        let admin = &open.record.admin;
        if !files::is_folder(worktree) {
            return Err(GitError::WorktreeGone {
                name: at.name.clone(),
            });
        }
        trusted::link_keys(&open.common_dir, admin);
        let place = open.place(at)?;
        let head = head_of(&open.repository, &open.record, &place)?;
        remove_leftovers(admin);
        let index = TemporaryIndex::copy_of(admin)?;
        Ok(Self::with(place, open.repository, index, head))
    }

    fn with(
        place: Place,
        repository: Repository,
        index: TemporaryIndex,
        head: Option<git2::Oid>,
    ) -> Self {
        Self {
            place,
            repository,
            index,
            objects: None,
            fifos: Fifos::default(),
            head,
        }
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

    /// A repository inside of a worktree, to be staged into the objects of the outer one: `head` is
    /// there already.
    pub(super) fn of_nested(place: Place, repository: Repository, head: Option<git2::Oid>) -> Self {
        let index = TemporaryIndex::empty(place.git_dir());
        Self::with(place, repository, index, head)
    }

    /// Prepares a start of `git` on our index.
    pub(super) fn git<'a>(&self, name: &'static str) -> Command<'a> {
        self.on_index(self.any_names(name))
    }

    /// Prepares a start of `git` that only edits our index, and reads no file through a filter.
    pub(super) fn edit_index<'a>(&self, name: &'static str) -> Command<'a> {
        self.on_index(any_names(self.place.git_without_filters(name)))
    }

    fn on_index<'a>(&self, git: Command<'a>) -> Command<'a> {
        let git = git.env("GIT_INDEX_FILE", &self.index.path).limit(HEAVY);
        match &self.objects {
            None => git,
            Some(objects) => git
                .env("GIT_OBJECT_DIRECTORY", &objects.path)
                .args(["-c", "core.fsync=none"]),
        }
    }

    /// Prepares a start of `git` that takes names which would be dangerous on other systems: what is kept
    /// here is for this one.
    pub(super) fn any_names<'a>(&self, name: &'static str) -> Command<'a> {
        any_names(self.place.git(name))
    }

    /// Has git go by what our index knows of the times of files, also of those that are as young as the
    /// index: git would read them once more, through filters that may fail. Only for an index whose
    /// young files were all compared or staged anew.
    ///
    /// # Errors
    /// `Io` when the file system refuses.
    pub(super) fn trust_times(&self) -> Result<(), GitError> {
        // Git compares whole seconds with the time of the index. The largest that 32 bits hold.
        match set_times(&self.index.path, u32::MAX) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(GitError::io("setting the time of a copy of an index")(
                errno.into(),
            )),
        }
    }

    /// Whether it began with an index of the worktree.
    pub(super) const fn is_copied(&self) -> bool {
        self.index.copied
    }

    /// Whether its objects go with it.
    pub(super) const fn is_apart(&self) -> bool {
        self.objects.is_some()
    }

    /// An unused path beside the index, for what goes before the staging goes.
    pub(super) fn temporary(&self, what: &str) -> PathBuf {
        temporary(self.place.git_dir(), what)
    }

    /// The copy of the worktree's index; none when it has no index.
    pub(super) fn index_path(&self) -> Option<&Path> {
        self.index.copied.then_some(self.index.path.as_path())
    }

    /// Writes our index down as a tree, in hex.
    pub(super) fn write_tree(&self) -> Result<String, GitError> {
        Ok(line(
            &self.edit_index("git write-tree").arg("write-tree").run()?,
        ))
    }

    /// Makes our index that of HEAD, keeping what it knows about unchanged files.
    pub(super) fn reset_index(&self) -> Result<(), GitError> {
        let read = self.edit_index("git read-tree").arg("read-tree");
        let read = match self.head {
            Some(head) => read.arg("--reset").arg(head.to_string()),
            None => read.arg("--empty"),
        };
        if read.run().is_ok() {
            return Ok(());
        }
        // It could not be read: begin with none.
        self.index.discard();
        let read = self.edit_index("git read-tree").arg("read-tree");
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
        files::rename(&self.index.path, &own).map_err(GitError::io("replacing a worktree's index"))
    }
}

fn any_names(git: Command<'_>) -> Command<'_> {
    git.args([
        "-c",
        "core.protectNTFS=false",
        "-c",
        "core.protectHFS=false",
    ])
}

/// The commit that a worktree's HEAD names.
fn head_of(
    repository: &Repository,
    entry: &records::WorktreeRecord,
    place: &Place,
) -> Result<Option<git2::Oid>, GitError> {
    if let Some(branch) = entry.branch() {
        return repository::branch_tip(repository, &branch);
    }
    let head = files::read(&entry.admin.join("HEAD"), files::SMALL);
    let head = head.map_err(GitError::io("reading a worktree's HEAD"))?;
    let id = match head.starts_with(b"ref: ") {
        false => line(&head),
        // A branch whose name is no UTF-8, or a ref that is no branch.
        true => {
            let parse = place.git("git rev-parse");
            let parse = parse.args(["rev-parse", "--quiet", "--verify", "HEAD"]);
            line(&parse.also_fine(1).run()?)
        }
    };
    if id.is_empty() {
        return Ok(None);
    }
    git2::Oid::from_str(&id)
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
            // What is no file has nothing in it.
            Err(error) if files::is_absent(&error) => false,
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
        let failed = || GitError::io("creating a folder for objects");
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
            log::warn!(error:% = error; "Could not remove a folder of temporary objects.");
        }
    }
}

/// Has a folder of objects borrow those of a repository. A file says so, because the variable for
/// it splits at colons.
pub(super) fn write_alternates(objects: &Path, git_dir: &Path) -> io::Result<()> {
    let info = objects.join("info");
    fs::create_dir_all(&info)?;
    let below = git_dir.join("objects").into_os_string();
    fs::write(info.join("alternates"), alternate(below.as_encoded_bytes()))
}

/// A line of that file: a path that would be two lines is quoted as in C.
fn alternate(path: &[u8]) -> Vec<u8> {
    let mut line = path.to_owned();
    if path.contains(&b'\n') {
        line = vec![b'"'];
        for byte in path {
            match byte {
                b'\n' => line.extend_from_slice(b"\\n"),
                b'"' | b'\\' => line.extend_from_slice(&[b'\\', *byte]),
                _ => line.push(*byte),
            }
        }
        line.push(b'"');
    }
    line.push(b'\n');
    line
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
        if let [
            "abbado",
            "index" | "objects" | "saved" | "files",
            process,
            _,
        ] = parts[..]
            && process != ours
        {
            let path = item.path();
            drop(fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path)));
        }
    }
}

pub(super) fn copy_with_times(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = files::open(from)?;
    let mut target = File::create(to)?;
    io::copy(&mut source, &mut target)?;
    target.set_times(FileTimes::new().set_modified(source.metadata()?.modified()?))
}
