//! What a run changed: everything since its base commit, committed or not, untracked included.
//!
//! The tree of the base commit is compared with the present state: an index of our own, staged as for
//! a checkpoint but with temporary objects, or, when the worktree is gone, the tree of the last
//! checkpoint or of the branch. `git` compares them and not libgit2, so that renames and counts are
//! those of `git diff -M`; its plumbing ignores the user's settings for diffs.
//!
//! Files are passed on one by one, so ten thousand of them need no more memory than one.

mod cache;
mod listing;
mod patches;
mod quick;
mod watched;

use super::{
    Context, GitError,
    command::{Command, HEAVY},
    missing,
    place::Place,
    repository,
    staging::Staging,
    text::os_string,
};
use crate::domain::run::event::{LeftOut, WorktreeAt};
pub use cache::StatsCache;
use git2::{Oid, Repository};
use listing::ChangedFile;
use std::path::Path;

/// Largest text that is shown, in bytes.
pub(super) const TEXT_BYTES_MAX: u64 = 1024 * 1024;
/// Most files excluded from the patches by name, which are arguments of `git`.
const LEFT_OUT_MAX: usize = if cfg!(test) { 20 } else { 500 };

/// What the comparison is called when it fails.
const COMPARISON: &str = "diff";
/// How `git` compares: with renames, and with nothing that the user's configuration adds.
const COMPARE: [&str; 5] = [
    "-r",
    "-M",
    "--no-ext-diff",
    "--no-textconv",
    "--ignore-submodules=none",
];
/// What [`listing::parse`] reads.
const LISTING: [&str; 4] = ["-z", "--raw", "--numstat", "--no-abbrev"];

/// Where a repo's changes are looked for.
#[derive(Debug, Clone, Copy)]
pub struct ChangesOf<'a> {
    /// The worktree, which may be gone.
    pub at: &'a WorktreeAt,
    /// The user's checkout.
    pub repo_path: &'a Path,
    /// The commit that the run began with, in hex.
    pub base_commit: &'a str,
    /// The last checkpoint, in hex.
    pub checkpoint: Option<&'a str>,
}

/// How much was changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[schema(as = DiffStatsView)]
pub struct DiffStats {
    /// Files; a renamed one counts once.
    pub files_changed: u64,
    /// Lines added; none for binary files.
    pub insertions: u64,
    /// Lines taken away.
    pub deletions: u64,
}

impl DiffStats {
    /// Adds those of another repo.
    pub const fn add(&mut self, other: Self) {
        self.files_changed += other.files_changed;
        self.insertions += other.insertions;
        self.deletions += other.deletions;
    }
}

/// How a file was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FileStatusView)]
pub(crate) enum FileStatus {
    /// It is new.
    Added,
    /// Its contents, mode or kind changed.
    Modified,
    /// It is gone.
    Deleted,
    /// It has another name, and perhaps other contents.
    Renamed,
}

/// A changed file. Names and texts are bytes, as they stand there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileChange {
    /// Its path in the repo; of a deleted one, the path it had.
    pub path: Vec<u8>,
    /// The path it had, when it was renamed.
    pub old_path: Option<Vec<u8>>,
    /// What happened.
    pub status: FileStatus,
    /// Git takes it for no text.
    pub binary: bool,
    /// Lines added.
    pub insertions: u64,
    /// Lines taken away.
    pub deletions: u64,
    /// What `git apply` takes; empty when `truncated`.
    pub diff: Vec<u8>,
    /// Text before, if there was one.
    pub old_content: Option<Vec<u8>>,
    /// Text after, if there is one.
    pub new_content: Option<Vec<u8>>,
    /// It is over [`TEXT_BYTES_MAX`], before or after, and its contents are left out.
    pub truncated: bool,
}

/// Counts what was changed, for one who asks once.
#[cfg(test)]
pub(super) fn diff_stats(of: ChangesOf<'_>) -> Result<DiffStats, GitError> {
    StatsCache::new(Path::new(""), &[]).diff_stats(of)
}

/// Counts what was changed in a worktree that has to be staged, or is gone.
///
/// # Errors
/// `NotARepository`, `UnknownRevision`, and those of starting `git`.
fn staged_stats(of: ChangesOf<'_>) -> Result<DiffStats, GitError> {
    let compared = Compared::open(of)?;
    Ok(listing::total(&compared.entries()?))
}

/// What was changed in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changed {
    /// How much, since the base commit.
    pub total: DiffStats,
    /// The worktree holds something that no commit of its branch has.
    pub uncommitted: bool,
    /// What is not among the files, since it cannot be read.
    pub left_out: Vec<LeftOut>,
}

/// Passes each changed file to `each`, in the order of the paths, and returns the sums.
///
/// # Errors
/// Those of [`StatsCache::diff_stats`], and those of `each`, which end it.
pub(crate) fn changes(
    of: ChangesOf<'_>,
    each: &mut dyn FnMut(FileChange) -> Result<(), GitError>,
) -> Result<Changed, GitError> {
    let compared = Compared::open(of)?;
    let entries = compared.entries()?;
    let total = listing::total(&entries);
    let large = entries.iter().filter(|entry| entry.large).count();
    // Too many of them cannot be excluded by name: then each has a patch of one line.
    let many_large = large > LEFT_OUT_MAX;
    let left_out = |entry: &ChangedFile| entry.large && !many_large;
    let mut waiting = entries.iter().peekable();
    // Patches so far of the first waiting file, and of all.
    let (mut parts, mut diff, mut told) = (0, Vec::new(), 0);
    compared.patches(&entries, many_large, &mut |part| {
        // Those without a patch come in their own places.
        while let Some(entry) = waiting.next_if(|entry| left_out(entry)) {
            each(compared.change(entry, Vec::new())?)?;
        }
        (parts, told) = (parts + 1, told + 1);
        diff.extend(part);
        match waiting.next_if(|entry| entry.parts == parts) {
            Some(entry) => {
                parts = 0;
                each(compared.change(entry, std::mem::take(&mut diff))?)
            }
            None => Ok(()),
        }
    })?;
    let patched = entries.iter().filter(|entry| !left_out(entry));
    let wanted: usize = patched.map(|entry| entry.parts).sum();
    if told != wanted {
        return Err(GitError::Failed {
            program: COMPARISON,
            stderr: format!("it returned {told} patches instead of {wanted}"),
        });
    }
    for entry in waiting {
        each(compared.change(entry, Vec::new())?)?;
    }
    Ok(Changed {
        total,
        uncommitted: compared.uncommitted()?,
        left_out: compared.left_out,
    })
}

/// Two states of a repository.
struct Compared {
    /// A tree, in hex.
    base: String,
    present: Present,
    left_out: Vec<LeftOut>,
}

enum Present {
    /// The worktree is there, and staged.
    Worktree(Staging),
    /// It is gone, and a tree stands for it.
    Tree {
        repository: Repository,
        place: Place,
        tree: String,
    },
}

impl Compared {
    fn open(of: ChangesOf<'_>) -> Result<Self, GitError> {
        let repository = repository::open(of.repo_path)?;
        let base = tree_of(&repository, of.repo_path, of.base_commit)?;
        let mut left_out = Vec::new();
        let present = match Staging::open_apart(of.at, of.repo_path) {
            Ok(staging) => {
                if staging.place.promisor().is_some() {
                    // What the comparison fetches would be removed with its objects.
                    let compare = staging.place.git("diff-index --cached -r -M --numstat");
                    missing::read(compare.arg(&base))?;
                }
                left_out = staging.stage()?;
                Present::Worktree(staging)
            }
            Err(GitError::WorktreeGone { .. }) => {
                let tree = left_behind(&repository, of)?;
                Present::Tree {
                    place: Place::of_repository(&repository, of.repo_path)?,
                    repository,
                    tree,
                }
            }
            Err(error) => return Err(error),
        };
        Ok(Self {
            base,
            present,
            left_out,
        })
    }

    const fn repository(&self) -> &Repository {
        match &self.present {
            Present::Worktree(staging) => &staging.repository,
            Present::Tree { repository, .. } => repository,
        }
    }

    /// Prepares a comparison; `form` is what it prints.
    fn compare(&self, form: &[&str]) -> Command<'_> {
        let (compare, sides) = match &self.present {
            Present::Worktree(staging) => (staging.git("diff-index"), ["--cached", &self.base]),
            Present::Tree { place, tree, .. } => (
                // Without this, attributes would be those of the user's checkout.
                place.git("diff-tree").env("GIT_ATTR_SOURCE", tree),
                [self.base.as_str(), tree],
            ),
        };
        let compare = compare.shown_as(COMPARISON).limit(HEAVY);
        compare.args(COMPARE).args(form).args(sides)
    }

    fn entries(&self) -> Result<Vec<ChangedFile>, GitError> {
        let mut entries = listing::parse(&self.compare(&LISTING).run()?)?;
        for entry in &mut entries {
            let sizes = [entry.old, entry.new].map(|blob| self.size(blob));
            entry.large = sizes.into_iter().any(|size| size > TEXT_BYTES_MAX);
        }
        Ok(entries)
    }

    fn patches(
        &self,
        entries: &[ChangedFile],
        many_large: bool,
        each: &mut dyn FnMut(Vec<u8>) -> Result<(), GitError>,
    ) -> Result<(), GitError> {
        let program = if many_large {
            // Then git takes them for binary, and prints one line for each.
            let program = self.compare(&["-p", "--full-index"]);
            program.config("core.bigFileThreshold=1m")
        } else {
            self.compare(&["-p", "--full-index", "--binary"])
        };
        let mut program = program.args(["--", "."]);
        let left_out = entries.iter().filter(|entry| entry.large && !many_large);
        for path in left_out.flat_map(ChangedFile::paths) {
            let pattern = [b":(exclude,top,literal)", path].concat();
            program = program.arg(os_string(&pattern));
        }
        let mut splitter = patches::Splitter::default();
        program.run_into(&mut |piece| splitter.take(piece, each))?;
        splitter.end(each)
    }

    /// Whether the staged worktree differs from the commit that is checked out there. Nothing can
    /// be committed in one that is gone.
    fn uncommitted(&self) -> Result<bool, GitError> {
        let Present::Worktree(staging) = &self.present else {
            return Ok(false);
        };
        let names = match staging.head {
            Some(_) => {
                let diff = staging.git("diff-index --cached --name-only --ignore-submodules=none");
                diff.arg("HEAD")
            }
            None => staging.git("ls-files -z"),
        };
        Ok(!names.shown_as(COMPARISON).run()?.is_empty())
    }

    fn size(&self, blob: Option<Oid>) -> u64 {
        let Some((Ok(odb), blob)) = blob.map(|blob| (self.repository().odb(), blob)) else {
            return 0;
        };
        odb.read_header(blob).map_or(0, |(size, _)| size as u64)
    }

    fn text(&self, blob: Option<Oid>) -> Result<Option<Vec<u8>>, GitError> {
        let Some(blob) = blob else { return Ok(None) };
        let blob = self.repository().find_blob(blob);
        let blob = blob.context("reading a file of the diff")?;
        Ok(Some(blob.content().to_vec()))
    }

    fn change(&self, entry: &ChangedFile, diff: Vec<u8>) -> Result<FileChange, GitError> {
        let texts = !entry.large && !entry.binary;
        let text = |blob| if texts { self.text(blob) } else { Ok(None) };
        let diff = if entry.large { Vec::new() } else { diff };
        Ok(FileChange {
            path: entry.path.clone(),
            old_path: entry.old_path.clone(),
            status: entry.status,
            binary: entry.binary,
            insertions: entry.insertions,
            deletions: entry.deletions,
            diff,
            old_content: text(entry.old)?,
            new_content: text(entry.new)?,
            truncated: entry.large,
        })
    }
}

/// The tree that stands for a worktree that is gone.
fn left_behind(repository: &Repository, of: ChangesOf<'_>) -> Result<String, GitError> {
    if let Some(checkpoint) = of.checkpoint
        && let Ok(tree) = tree_of(repository, of.repo_path, checkpoint)
    {
        return Ok(tree);
    }
    let branch = format!("refs/heads/{}", of.at.branch);
    tree_of(repository, of.repo_path, &branch)
}

fn tree_of(repository: &Repository, repo_path: &Path, revision: &str) -> Result<String, GitError> {
    let found = match Oid::from_str(revision) {
        Ok(commit) => repository.find_commit(commit),
        Err(_) => repository
            .find_reference(revision)
            .and_then(|reference| reference.peel_to_commit()),
    };
    let tree = found.map(|commit| commit.tree_id().to_string());
    tree.map_err(|_| GitError::unknown(repo_path, revision, ""))
}
