//! What git silently skips in a worktree: pipes, sockets and devices, and unreadable folders; and files
//! that are too large for it ([`super::large`]).
//!
//! Only folders are listed, and only those that git itself would read. This runs before any `git` that
//! reads the worktree's rules: a pipe named `.gitignore` or `.gitattributes` would block it until
//! somebody writes, so we do ([`Fifos`]).

use super::{
    GitError,
    fifos::Fifos,
    ignored::not_ignored,
    large,
    on_disk::{OnDisk, is_gone, look_at, named},
    place::Place,
    text::os_string,
    tracked::Tracked,
};
use crate::domain::run::event::LeftOut;
use std::{collections::BTreeSet, fs, os::unix::ffi::OsStrExt, path::Path};

/// Name of the files that tell git how to treat others.
pub(super) const ATTRIBUTES: &[u8] = b".gitattributes";
/// Files that git reads wherever it finds them.
pub(super) const RULES: [&[u8]; 3] = [b".gitignore", ATTRIBUTES, b".gitmodules"];

/// What was found, ignored paths aside.
#[derive(Default)]
pub(super) struct Surroundings {
    /// What git passes over.
    pub left_out: Vec<LeftOut>,
    /// Files that git must not read.
    pub large: BTreeSet<Vec<u8>>,
}

/// Names what git passes over or must not read, ignored paths aside.
///
/// # Errors
/// `TooMuch` for rules that git would choke on, and those of starting `git`.
pub(super) fn look(
    place: &Place,
    tracked: &Tracked,
    pipes: &Fifos,
) -> Result<Surroundings, GitError> {
    let root = place.work_tree();
    let mut looking = Looking {
        root,
        tracked,
        pipes,
        folders: vec![Vec::new()],
        unknown: Vec::new(),
        found: Surroundings::default(),
    };
    while !looking.folders.is_empty() {
        for folder in std::mem::take(&mut looking.folders) {
            looking.folder(&folder)?;
        }
        for path in not_ignored(place, std::mem::take(&mut looking.unknown))? {
            if !path.ends_with(b"/") {
                looking.found.take(root, path);
            } else if fs::symlink_metadata(root.join(os_string(&path)).join(".git")).is_err() {
                // What is in a nested repository is its own.
                looking.folders.push(path);
            }
        }
    }
    Ok(looking.found)
}

impl Surroundings {
    /// Adds what is at a path, if it still exists.
    fn take(&mut self, root: &Path, path: Vec<u8>) {
        if large::stands_at(&root.join(os_string(&path))) {
            self.large.insert(path);
        } else if let Ok(OnDisk::Strange(why)) = look_at(root, &path) {
            self.left_out.push(named(&path, why));
        }
    }
}

struct Looking<'a> {
    root: &'a Path,
    tracked: &'a Tracked,
    pipes: &'a Fifos,
    /// Folders that are read next; each path of a folder ends with a slash.
    folders: Vec<Vec<u8>>,
    /// What git may ignore.
    unknown: Vec<Vec<u8>>,
    found: Surroundings,
}

impl Looking<'_> {
    /// # Errors
    /// `TooMuch` for rules that git would choke on: it must not even be started.
    fn folder(&mut self, folder: &[u8]) -> Result<(), GitError> {
        let mut items = Vec::new();
        let read = fs::read_dir(self.root.join(os_string(folder)));
        let read =
            read.and_then(|mut read| read.try_for_each(|item| item.map(|item| items.push(item))));
        if let Err(error) = read
            && !is_gone(&error)
        {
            let why = format!("the folder cannot be read: {error}");
            self.found.left_out.push(named(folder, &why));
        }
        for item in items {
            let name = item.file_name();
            let name = name.as_bytes();
            let Ok(kind) = item.file_type() else {
                continue; // it went meanwhile
            };
            if name == b".git" || kind.is_symlink() {
                continue;
            }
            let mut path = [folder, name].concat();
            if kind.is_file() {
                let len = item.metadata().map_or(0, |found| found.len());
                if large::are_endless_rules(name, len) {
                    return Err(large::endless_rules(&path));
                }
                if !large::is_large(len) {
                    continue;
                }
            }
            if kind.is_dir() {
                path.push(b'/');
                match self.tracked.has_below(&path) {
                    true => self.folders.push(path),
                    false => self.unknown.push(path),
                }
                continue;
            }
            if RULES.contains(&name) && !kind.is_file() {
                self.pipes.answer(self.root.join(os_string(&path)));
            }
            if self.tracked.find(&path).is_some() {
                self.found.take(self.root, path);
            } else {
                self.unknown.push(path);
            }
        }
        Ok(())
    }
}
