//! The records that a repository keeps of its worktrees: `<git folder>/worktrees/<id>/`.
//!
//! They are read from the repository's side, because an agent can write a worktree's `.git` file, and
//! must not be able to redirect us to another repository. What that file says is only a hint: the name
//! of a record of this repository, which has to confirm it.

use super::{Context, GitError, repository, text::os_string};
use crate::files;
use nix::fcntl::OFlag;
use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Component, Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

/// Longest line of a record or a HEAD: a path has at most 4 KiB (`PATH_MAX`), and a word before it.
const LINE_LEN_MAX: usize = 8 * 1024;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WorktreeRecord {
    /// The record's folder, inside the common git folder.
    pub admin: PathBuf,
    /// The `.git` file of its worktree.
    pub dot_git: PathBuf,
}

impl WorktreeRecord {
    /// The branch that is checked out there.
    pub(super) fn branch(&self) -> Option<String> {
        branch_of_head(&self.admin.join("HEAD"))
    }
}

/// All records of a repository that can be read, as they were at one moment.
#[derive(Debug)]
pub(super) struct Records {
    common_dir: PathBuf,
    entries: Vec<WorktreeRecord>,
}

impl Records {
    /// Reads them.
    ///
    /// # Errors
    /// When the folder of records cannot be read.
    pub(super) fn read(common_dir: &Path) -> Result<Self, GitError> {
        Ok(Self {
            common_dir: common_dir.to_owned(),
            entries: all(common_dir)?,
        })
    }

    /// Removes the record of the worktree at `worktree` from the list, and returns it.
    pub(super) fn take(&mut self, worktree: &Path) -> Option<WorktreeRecord> {
        let dot_git = resolved(worktree).join(".git");
        let entries = &mut self.entries;
        // As git writes them. To resolve a path the system is asked for each folder of it.
        let mut at = entries.iter().position(|entry| entry.dot_git == dot_git);
        if at.is_none() && worktree.parent().is_some_and(Path::exists) {
            at = entries
                .iter()
                .position(|entry| resolved_parent(&entry.dot_git) == dot_git);
        }
        at.map(|at| entries.swap_remove(at))
    }

    /// Whether a branch is checked out, in the repository's own folder or in a worktree.
    pub(super) fn have_checked_out(&self, branch: &str) -> bool {
        let own = branch_of_head(&self.common_dir.join("HEAD"));
        let mut elsewhere = self.entries.iter().map(WorktreeRecord::branch);
        own.as_deref() == Some(branch) || elsewhere.any(|other| other.as_deref() == Some(branch))
    }
}

/// All records of a repository that can be read.
///
/// # Errors
/// When the folder of records cannot be read.
pub(super) fn all(common_dir: &Path) -> Result<Vec<WorktreeRecord>, GitError> {
    let folder = files::if_there(fs::read_dir(folder_of(common_dir)));
    let folder = folder.context("reading the list of worktrees")?;
    let mut found = Vec::new();
    for item in folder.into_iter().flatten() {
        let item = item.context("reading the list of worktrees")?;
        // Links are skipped: a record is a folder that git made.
        if item.file_type().is_ok_and(|kind| kind.is_dir()) {
            let admin = item.path();
            // A record without a readable path is half-made, or another program's.
            if let Some(dot_git) = recorded_path(&admin) {
                found.push(WorktreeRecord { admin, dot_git });
            }
        }
    }
    Ok(found)
}

/// The folder of all records.
pub(super) fn folder_of(common_dir: &Path) -> PathBuf {
    common_dir.join("worktrees")
}

/// The record of the worktree at `worktree`, if the repository has one.
///
/// # Errors
/// Those of [`all`].
pub(super) fn find(common_dir: &Path, worktree: &Path) -> Result<Option<WorktreeRecord>, GitError> {
    match named_by(common_dir, worktree) {
        Some(entry) => Ok(Some(entry)),
        None => Ok(Records::read(common_dir)?.take(worktree)),
    }
}

/// The record that a worktree's `.git` file names. Only its name is used: the record has to be in this
/// repository, and to name this worktree. A search through all records finds the same one, but there
/// may be thousands.
fn named_by(common_dir: &Path, worktree: &Path) -> Option<WorktreeRecord> {
    let dot_git = resolved(worktree).join(".git");
    let named = git_dir_in(&dot_git)?;
    let admin = folder_of(common_dir).join(named.file_name()?);
    let is_folder = files::is_folder(&admin);
    let said = recorded_path(&admin).filter(|said| is_folder && *said == dot_git);
    said.map(|dot_git| WorktreeRecord { admin, dot_git })
}

/// Has the record of a worktree name the folder that it was moved to, as `git worktree repair`
/// does. Returns whether the record names that folder now: not when the former one is still there
/// (then this is a copy), or when there is no record.
///
/// # Errors
/// `NotARepository`, `Io` when the record cannot be written.
pub(crate) fn repair_worktree(repo_path: &Path, moved_to: &Path) -> Result<bool, GitError> {
    let common_dir = repository::git_dir_of(repo_path)?;
    let dot_git = resolved(moved_to).join(".git");
    let named = git_dir_in(&dot_git);
    let Some(name) = named.as_deref().and_then(Path::file_name) else {
        return Ok(false);
    };
    let admin = folder_of(&common_dir).join(name);
    match recorded_path(&admin) {
        Some(recorded) if recorded == dot_git => Ok(true),
        Some(recorded) if fs::symlink_metadata(&recorded).is_err() => {
            point_at(&admin, &dot_git).context("repairing a worktree")?;
            Ok(true)
        }
        Some(_) | None => Ok(false),
    }
}

/// Writes the path of the `.git` file into a record, atomically.
pub(super) fn point_at(admin: &Path, dot_git: &Path) -> io::Result<()> {
    let fresh = admin.join("gitdir.new");
    let mut text = dot_git.as_os_str().to_owned();
    text.push("\n");
    fs::write(&fresh, text.as_encoded_bytes())?;
    fs::rename(&fresh, admin.join("gitdir"))
}

/// The records of worktrees that lie inside of another one.
///
/// # Errors
/// Those of [`all`].
pub(super) fn inside(common_dir: &Path, worktree: &Path) -> Result<Vec<WorktreeRecord>, GitError> {
    let worktree = resolved(worktree);
    let mut found = all(common_dir)?;
    found.retain(|entry| {
        let folder = resolved_parent(&entry.dot_git);
        let folder = folder.parent().unwrap_or(&folder);
        folder != worktree && folder.starts_with(&worktree)
    });
    Ok(found)
}

/// A path in a worktree's record, or beside the records, that nobody else uses.
pub(super) fn temporary(folder: &Path, what: &str) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    folder.join(format!("abbado-{what}-{}-{number}", process::id()))
}

/// The path with links in its parent resolved; its last part is not resolved, so that a
/// link which replaced a worktree is not followed.
pub(super) fn resolved(path: &Path) -> PathBuf {
    let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
    match (parent, path.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => path.to_owned(),
    }
}

fn resolved_parent(dot_git: &Path) -> PathBuf {
    let folder = dot_git.parent().map(resolved);
    folder.unwrap_or_default().join(".git")
}

/// The git folder that a worktree's `.git` file names, as it is written there.
pub(super) fn git_dir_in(dot_git: &Path) -> Option<PathBuf> {
    let text = read_small(dot_git)?;
    let named = text.strip_prefix(b"gitdir: ")?.trim_ascii_end();
    Some(PathBuf::from(os_string(named)))
}

fn recorded_path(admin: &Path) -> Option<PathBuf> {
    let text = read_small(&admin.join("gitdir"))?;
    let path = PathBuf::from(os_string(text.trim_ascii_end()));
    if path.as_os_str().is_empty() {
        return None;
    }
    // `worktree.useRelativePaths` of the user's own git.
    Some(if path.is_absolute() {
        path
    } else {
        lexical(&admin.join(path))
    })
}

/// Removes `..` from a path without accessing the file system.
fn lexical(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(part),
        }
    }
    plain
}

/// The branch that a HEAD file names.
pub(super) fn branch_of_head(head: &Path) -> Option<String> {
    let text = String::from_utf8(read_small(head)?).ok()?;
    Some(text.strip_prefix("ref: refs/heads/")?.trim_end().to_owned())
}

/// A file of one line. `None` for what is longer, and for what is no file: an agent may have put a
/// link or a pipe there.
pub(super) fn read_small(path: &Path) -> Option<Vec<u8>> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let mut options = File::options();
    let file = options.read(true).custom_flags(flags.bits()).open(path);
    let mut line = Vec::with_capacity(LINE_LEN_MAX + 1);
    let whole = line.capacity() as u64;
    file.ok()?.take(whole).read_to_end(&mut line).ok()?;
    (line.len() <= LINE_LEN_MAX).then_some(line)
}
