//! The present contents of a worktree, staged in an index of our own; [`super::stage`] adds them.
//!
//! A copy of the worktree's index is updated, so that only changed files are read. The copy keeps the
//! original's time: git assumes that a file may have changed when it is not older than the index, and
//! with a newer time would miss an edit of the last moment. The real index is never written, and its
//! lock is not checked.
//!
//! Objects that are to be kept go to the repository. For a mere comparison they go to a temporary
//! folder: else each one would leave a copy of every changed file.
//!
//! # Crash
//! The index and the objects stay beside the worktree's record; the next staging removes them.

use super::{
    Context, GitError,
    command::{Command, HEAVY},
    fifos::Fifos,
    on_disk::set_times,
    open_worktree::OpenWorktree,
    place::Place,
    records::WorktreeRecord,
    repository,
    temporary::{TemporaryFolder, TemporaryIndex, remove_leftovers},
    text::{line, quoted},
    trusted,
};
use crate::domain::run::event::WorktreeAt;
use crate::files;
use git2::{Oid, Repository};
use nix::errno::Errno;
use std::{fs, io, path::Path};

/// A worktree of ours, ready to be read or written.
pub(super) struct Staging {
    pub place: Place,
    pub repository: Repository,
    index: TemporaryIndex,
    /// Where new objects go, when not to the repository.
    pub objects: Option<TemporaryFolder>,
    /// Unblocked until this is dropped.
    pub fifos: Fifos,
    /// The commit checked out; none on a branch without commits.
    pub head: Option<Oid>,
}

impl Staging {
    /// Finds the worktree through its repository and copies its index.
    ///
    /// # Errors
    /// `WorktreeGone`, `NotARepository`, and those of starting `git`.
    pub(super) fn open(at: &WorktreeAt, repo_path: &Path) -> Result<Self, GitError> {
        let open = OpenWorktree::open(at, repo_path)?;
        let admin = &open.record.admin;
        if !files::is_folder(&at.worktree) {
            return Err(GitError::worktree_gone(&at.name));
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
        head: Option<Oid>,
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

    /// As [`Self::open`], for comparisons: its objects are removed with it, and
    /// never flushed to disk. [`Self::repository`] can read them.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub(super) fn open_apart(at: &WorktreeAt, repo_path: &Path) -> Result<Self, GitError> {
        let mut staging = Self::open(at, repo_path)?;
        let common_dir = repository::common_dir(&staging.repository)?;
        let objects = TemporaryFolder::create(staging.place.git_dir(), "objects")?;
        let doing = "creating a folder for objects";
        write_alternates(&objects.0, &common_dir).context(doing)?;
        // libgit2 looks for packs only if this folder exists now.
        fs::create_dir(objects.0.join("pack")).context(doing)?;
        // Not handled: a path that is not UTF-8, which libgit2 would not take.
        let (odb, path) = (staging.repository.odb(), objects.0.to_string_lossy());
        odb.and_then(|odb| odb.add_disk_alternate(&path))
            .context("reading objects")?;
        staging.objects = Some(objects);
        Ok(staging)
    }

    /// A repository inside of a worktree, to be staged into the objects of the outer one: `head` is
    /// in them already.
    pub(super) fn of_nested(place: Place, repository: Repository, head: Option<Oid>) -> Self {
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
                .env("GIT_OBJECT_DIRECTORY", &objects.0)
                .config("core.fsync=none"),
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
            Err(errno) => Err(errno).context("setting the time of a copy of an index"),
        }
    }

    /// The copy of the worktree's index; none when it has no index.
    pub(super) fn index_path(&self) -> Option<&Path> {
        self.index.copied.then_some(self.index.path.as_path())
    }

    /// Writes our index down as a tree, in hex.
    pub(super) fn write_tree(&self) -> Result<String, GitError> {
        self.edit_index("write-tree").run_line()
    }

    /// Makes our index that of HEAD, keeping what it knows about unchanged files.
    pub(super) fn reset_index(&self) -> Result<(), GitError> {
        let read = self.edit_index("read-tree");
        let read = match self.head {
            Some(head) => read.arg("--reset").arg(head.to_string()),
            None => read.arg("--empty"),
        };
        if read.run().is_ok() {
            return Ok(());
        }
        // It could not be read: begin with none.
        self.index.discard();
        let read = self.edit_index("read-tree");
        let head = self.head.map(|head| head.to_string());
        read.arg(head.as_deref().unwrap_or("--empty"))
            .run()
            .map(drop)
    }

    /// Puts our index in the place of the worktree's own, in one step.
    ///
    /// # Errors
    /// `Io` when the file system refuses.
    pub(super) fn install_index(&self) -> Result<(), GitError> {
        let own = self.place.git_dir().join("index");
        files::rename(&self.index.path, &own).context("replacing a worktree's index")
    }
}

fn any_names(git: Command<'_>) -> Command<'_> {
    git.config("core.protectNTFS=false")
        .config("core.protectHFS=false")
}

/// The commit that a worktree's HEAD names.
fn head_of(
    repository: &Repository,
    entry: &WorktreeRecord,
    place: &Place,
) -> Result<Option<Oid>, GitError> {
    if let Some(branch) = entry.branch() {
        return repository::branch_tip(repository, &branch);
    }
    let head = files::read(&entry.admin.join("HEAD"), files::SMALL);
    let head = head.context("reading a worktree's HEAD")?;
    let id = match head.starts_with(b"ref: ") {
        false => line(&head),
        // A branch whose name is no UTF-8, or a ref that is no branch.
        true => {
            let parse = place.git("rev-parse --quiet --verify HEAD");
            parse.also_fine(1).run_line()?
        }
    };
    if id.is_empty() {
        return Ok(None);
    }
    Oid::from_str(&id).map(Some).context("reading HEAD")
}

/// Has a folder of objects borrow those of a repository. A file says so, because the variable for
/// it splits at colons.
pub(super) fn write_alternates(objects: &Path, git_dir: &Path) -> io::Result<()> {
    let info = objects.join("info");
    fs::create_dir_all(&info)?;
    let below = git_dir.join("objects").into_os_string();
    let below = below.as_encoded_bytes();
    let line = match below.contains(&b'\n') {
        true => quoted(below),
        false => [below, b"\n"].concat(),
    };
    fs::write(info.join("alternates"), line)
}
