//! The changed files of a worktree with their counts, without staging it.
//!
//! Staging reads and writes an index of all files several times. Here each file is inspected once
//! ([`crate::git::seen`]), and git is asked which of the unknown ones it ignores (`check-ignore`) and
//! where the index differs from the base (`diff-index --cached`). What may have changed is put into a
//! separate index, with the contents of the base, and `git diff-files -M` compares that index with the
//! worktree. So renames, filters and counts are git's own, as if the worktree had been staged.
//!
//! Returns `None` where the result might differ from that: entries marked assume-unchanged or
//! skip-worktree, submodules and other repositories, pipes and unreadable folders, changed tracked files
//! that are too large, conflicts, an index that is not understood, file systems that ignore case, files
//! that were checked out before their filter was allowed. Such a worktree is staged.

use super::{
    COMPARE, COMPARISON, ChangesOf, GitError, LISTING,
    listing::{self, ChangedFile},
    watched::Watched,
};
use crate::git::{
    Context,
    command::{Command, HEAVY, Started},
    ignored::not_ignored,
    index::Index,
    large,
    place::Place,
    repository,
    seen::{self, Found, Seen},
    staging::Staging,
    stored,
    surroundings::ATTRIBUTES,
    temporary::TemporaryIndex,
    text::os_string,
};
use git2::{IndexEntry, IndexEntryExtendedFlag, IndexTime, Oid};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

const MODE_SUBMODULE: u32 = 0o160_000;
const MODE_FILE: u32 = 0o100_644;
/// How deep folders without a tracked file are looked into.
const DEPTH_MAX: usize = 64;
/// Settings by which names, kinds or contents of files are not taken as they lie there, with the value
/// by which they are.
const UNUSUAL: &[(&str, &str)] = &[
    ("core.bigfilethreshold", "512m"),
    ("core.ignorecase", "false"),
    ("core.precomposeunicode", "false"),
    ("core.symlinks", "true"),
];
/// What git has for the contents of a file that it is only told of.
const EMPTY_FILE: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

/// What the base has at a path that may have changed: mode and contents.
type Base = Option<(u32, Oid)>;

/// A worktree that can be looked at.
pub(super) struct Quick {
    staging: Staging,
    /// The base's tree, in hex.
    base: String,
    index: Index,
}

/// What was found.
pub(super) struct Looked {
    pub entries: Vec<ChangedFile>,
    /// The files that may have changed, as they were before they were read.
    pub files: Vec<(PathBuf, Identity)>,
    /// Changes may go unnoticed.
    pub unwatchable: bool,
}

impl Quick {
    /// Opens it; `None` when it has to be staged.
    ///
    /// # Errors
    /// Those of [`super::StatsCache::diff_stats`].
    pub(super) fn open(of: ChangesOf<'_>) -> Result<Option<Self>, GitError> {
        let repository = repository::open(of.repo_path)?;
        let base = super::tree_of(&repository, of.repo_path, of.base_commit)?;
        let staging = Staging::open(of.at, of.repo_path)?;
        let Some(index) = staging.index_path() else {
            return Ok(None);
        };
        let unusual = UNUSUAL.iter().any(|(key, usual)| {
            let value = staging.place.value(key.as_bytes());
            value.is_some_and(|value| !value.eq_ignore_ascii_case(usual.as_bytes()))
        });
        let index = Index::read(index)?.filter(|index| index.is_plain() && !unusual);
        Ok(index.map(|index| Self {
            staging,
            base,
            index,
        }))
    }

    /// Where it is.
    pub(super) const fn place(&self) -> &Place {
        &self.staging.place
    }

    /// Looks at all files; all folders are watched before they are looked into.
    ///
    /// # Errors
    /// Those of [`super::StatsCache::diff_stats`].
    pub(super) fn look(&self, watched: Option<&Watched>) -> Result<Option<Looked>, GitError> {
        let (place, Some(copy)) = (self.place(), self.staging.index_path()) else {
            return Ok(None);
        };
        // Nothing is staged or committed yet: git need not be asked.
        let tree = self.index.tree();
        let nothing = tree.is_some_and(|tree| tree.to_string() == self.base);
        let staged = if nothing {
            None
        } else {
            let program = on(
                place,
                copy,
                "diff-index --cached --raw -z --no-abbrev --no-renames --ignore-submodules=none",
            );
            Some(program.shown_as(COMPARISON).arg(&self.base).start()?)
        };
        let watch = |folder: &[u8]| watched.iter().for_each(|watched| watched.add(folder));
        let written = seen::written(copy)?;
        let seen = seen::look(place.work_tree(), &self.index, written, &watch)?;
        if seen.odd {
            return Ok(None);
        }
        let mut unwatchable = seen.unwatchable;
        let Some(untracked) = untracked(place, &seen, &watch, &mut unwatchable)? else {
            return Ok(None);
        };
        let root = place.work_tree();
        let is_large = |path: &Vec<u8>| large::stands_at(&root.join(os_string(path)));
        // Left out, and watched: it may shrink.
        let (large, untracked): (Vec<_>, Vec<_>) = untracked.into_iter().partition(is_large);
        let staged = staged.map_or(Ok(Vec::new()), Started::run)?;
        let Some(staged) = staged_paths(&staged) else {
            return Ok(None);
        };
        let touched = touched(&self.index, &seen, &staged, untracked, root);
        let Some(touched) = touched.filter(|touched| !touched.keys().any(is_large)) else {
            return Ok(None);
        };
        // Git would go by attributes that the index of the comparison still has.
        let is_gone = |path: &Vec<u8>| fs::symlink_metadata(root.join(os_string(path))).is_err();
        let mut attributes = touched.keys().filter(|path| path.ends_with(ATTRIBUTES));
        if attributes.any(is_gone) {
            return Ok(None);
        }
        let with_base = touched.iter();
        let with_base = with_base.filter_map(|(path, base)| Some((path.as_slice(), (*base)?.1)));
        if stored::any(&self.staging, with_base)? {
            return Ok(None);
        }
        let paths = touched.keys().chain(&large);
        let paths = paths.map(|path| root.join(os_string(path)));
        let files = paths.map(|path| (identity(&path), path));
        let files = files.map(|(found, path)| (path, found)).collect();
        let entries = if touched.is_empty() {
            Vec::new()
        } else {
            compare(place, touched)?
        };
        Ok(Some(Looked {
            entries,
            files,
            unwatchable,
        }))
    }
}

/// What tells whether a file is the same: its times, size, inode and number of names; none when it
/// is not there.
pub(super) type Identity = Option<[i128; 5]>;

/// Of a file, or of a link itself.
pub(super) fn identity(path: &Path) -> Identity {
    let found = fs::symlink_metadata(path).ok()?;
    Some([
        seen::nanos(found.mtime(), found.mtime_nsec()),
        seen::nanos(found.ctime(), found.ctime_nsec()),
        found.size().into(),
        found.ino().into(),
        found.nlink().into(),
    ])
}

fn on<'a>(place: &Place, index: &Path, command: &'static str) -> Command<'a> {
    let command = place.git(command).limit(HEAVY);
    command.env("GIT_INDEX_FILE", index)
}

/// Files that are in no index and not ignored, also in folders of which the same is true.
fn untracked(
    place: &Place,
    seen: &Seen,
    watch: &dyn Fn(&[u8]),
    unwatchable: &mut bool,
) -> Result<Option<Vec<Vec<u8>>>, GitError> {
    let mut untracked = Vec::new();
    let (mut files, mut folders) = (seen.files.clone(), seen.folders.clone());
    for _ in 0..DEPTH_MAX {
        if files.is_empty() && folders.is_empty() {
            return Ok(Some(untracked));
        }
        files.append(&mut folders);
        let (folders_below, here): (Vec<_>, Vec<_>) = not_ignored(place, files)?
            .into_iter()
            .partition(|path| path.ends_with(b"/"));
        untracked.extend(here);
        let mut below = Seen::default();
        for folder in &folders_below {
            watch(folder);
            seen::look_into(place.work_tree(), folder, &mut below)?;
        }
        if below.odd {
            return Ok(None);
        }
        *unwatchable |= below.unwatchable;
        (files, folders) = (below.files, below.folders);
    }
    Ok(None)
}

/// What may differ from the base.
fn touched(
    index: &Index,
    seen: &Seen,
    staged: &BTreeMap<Vec<u8>, Base>,
    untracked: Vec<Vec<u8>>,
    root: &Path,
) -> Option<BTreeMap<Vec<u8>, Base>> {
    let mut touched = BTreeMap::new();
    // What is part of the work now.
    let mut there = BTreeSet::new();
    for (item, found) in index.items().iter().zip(&seen.found) {
        let path = index.path(item);
        let base = staged.get(path);
        match found {
            Found::Same if base.is_none() => continue,
            Found::Same | Found::Touched => {
                there.insert(path.to_vec());
            }
            Found::Gone => {}
        }
        let base = base.copied().unwrap_or(Some((item.mode, item.id)));
        // Nothing before and nothing now is no change.
        if base.is_some() || *found != Found::Gone {
            touched.insert(path.to_vec(), base);
        }
    }
    for path in untracked {
        let base = staged.get(&path).copied().flatten();
        there.insert(path.clone());
        touched.insert(path, base);
    }
    for (path, base) in staged {
        if base.is_none() || there.contains(path) || touched.contains_key(path) {
            continue;
        }
        // Out of the index and ignored now: it is gone from what is kept, though it is there.
        if fs::symlink_metadata(root.join(os_string(path))).is_ok() {
            return None;
        }
        touched.insert(path.clone(), *base);
    }
    (!in_each_others_way(&touched)).then_some(touched)
}

/// Whether a path is a file for the one and a folder for the other.
fn in_each_others_way(touched: &BTreeMap<Vec<u8>, Base>) -> bool {
    touched.keys().any(|path| {
        let mut slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        slashes.any(|(at, _)| touched.contains_key(&path[..at]))
    })
}

/// Paths at which the index is not as the base, with what the base has there; `None` when the base
/// has a submodule.
fn staged_paths(told: &[u8]) -> Option<BTreeMap<Vec<u8>, Base>> {
    let mut staged = BTreeMap::new();
    let mut fields = told.split(|byte| *byte == 0);
    while let Some(head) = fields.next().filter(|head| !head.is_empty()) {
        let head = std::str::from_utf8(head.strip_prefix(b":")?).ok()?;
        let mut words = head.split(' ');
        let mode = u32::from_str_radix(words.next()?, 8).ok()?;
        let id = Oid::from_str(words.nth(1)?).ok()?;
        if mode & MODE_SUBMODULE == MODE_SUBMODULE {
            return None;
        }
        let base = (mode != 0).then_some((mode, id));
        staged.insert(fields.next()?.to_vec(), base);
    }
    Some(staged)
}

/// Has git compare what the base has with what there is.
fn compare(place: &Place, touched: BTreeMap<Vec<u8>, Base>) -> Result<Vec<ChangedFile>, GitError> {
    let small = TemporaryIndex::empty(place.git_dir());
    write(&small.path, touched).context("writing an index of changed files")?;
    // A file that was only touched is listed, and depending on git not counted.
    match changed(place, &small.path) {
        Ok(entries) if !entries.iter().any(ChangedFile::may_be_same) => return Ok(entries),
        Ok(_) | Err(GitError::Failed { .. }) => {}
        Err(error) => return Err(error),
    }
    // Such files are found out, and left out of the comparison.
    on(place, &small.path, "update-index -q --refresh").run()?;
    changed(place, &small.path)
}

fn changed(place: &Place, small: &Path) -> Result<Vec<ChangedFile>, GitError> {
    let compare = on(place, small, "diff-files --ita-invisible-in-index");
    let compare = compare.shown_as(COMPARISON);
    listing::parse(&compare.args(COMPARE).args(LISTING).run()?)
}

fn write(path: &Path, touched: BTreeMap<Vec<u8>, Base>) -> Result<(), git2::Error> {
    let mut index = git2::Index::open(path)?;
    let empty = Oid::from_str(EMPTY_FILE)?;
    for (path, base) in touched {
        let new = IndexEntryExtendedFlag::INTENT_TO_ADD.bits();
        let (mode, id) = base.unwrap_or((MODE_FILE, empty));
        let never = IndexTime::new(0, 0);
        index.add(&IndexEntry {
            ctime: never,
            mtime: never,
            dev: 0,
            ino: 0,
            mode,
            uid: 0,
            gid: 0,
            file_size: 0,
            id,
            flags: 0,
            flags_extended: if base.is_none() { new } else { 0 },
            path,
        })?;
    }
    index.write()
}
