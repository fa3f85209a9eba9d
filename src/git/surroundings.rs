//! What stands in a worktree that git passes over in silence: pipes, sockets and devices, and folders
//! that cannot be read; and files that are too large for it ([`super::large`]).
//!
//! Only folders are listed, and only those that git itself would look into. It comes before any `git`
//! that reads the worktree's rules: at a pipe named `.gitignore` or `.gitattributes` git would wait for
//! a writer, so that there has to be one ([`Fifos`]).

use super::{
    GitError,
    fifos::Fifos,
    ignored::not_ignored,
    large,
    on_disk::{OnDisk, look_at, named},
    place::Place,
    text::os_string,
    tracked::Tracked,
};
use crate::domain::run::event::LeftOut;
use std::{collections::BTreeSet, fs, io, os::unix::ffi::OsStrExt, path::Path};

/// Files that git reads wherever it finds them.
pub(super) const RULES: [&[u8]; 3] = [b".gitignore", b".gitattributes", b".gitmodules"];

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
    let mut found = Surroundings::default();
    let mut level = vec![Vec::new()];
    while !level.is_empty() {
        let mut looking = Looking {
            root,
            tracked,
            pipes,
            known: Vec::new(),
            unknown: Vec::new(),
            endless_rules: None,
            found: &mut found,
        };
        for folder in &level {
            looking.folder(folder);
        }
        let Looking {
            known,
            unknown,
            endless_rules,
            ..
        } = looking;
        if let Some(path) = endless_rules {
            return Err(large::endless_rules(&path));
        }
        level = known;
        for path in not_ignored(place, unknown)? {
            if !path.ends_with(b"/") {
                found.take(root, path);
            } else if fs::symlink_metadata(root.join(os_string(&path)).join(".git")).is_err() {
                // What is in a nested repository is its own.
                level.push(path);
            }
        }
    }
    Ok(found)
}

impl Surroundings {
    /// Takes down what stands at a path, if it still does.
    fn take(&mut self, root: &Path, path: Vec<u8>) {
        if large::stands_at(&root.join(os_string(&path))) {
            self.large.insert(path);
        } else {
            self.left_out.extend(strange(root, &path));
        }
    }
}

struct Looking<'a> {
    root: &'a Path,
    tracked: &'a Tracked,
    pipes: &'a Fifos,
    /// Folders that hold tracked files; each path of a folder ends with a slash.
    known: Vec<Vec<u8>>,
    /// What git may ignore.
    unknown: Vec<Vec<u8>>,
    /// Git must not even be started.
    endless_rules: Option<Vec<u8>>,
    found: &'a mut Surroundings,
}

impl Looking<'_> {
    fn folder(&mut self, folder: &[u8]) {
        let items = match fs::read_dir(self.root.join(os_string(folder))) {
            Ok(items) => items,
            Err(error) => return self.unreadable(folder, &error),
        };
        for item in items {
            let item = match item {
                Ok(item) => item,
                Err(error) => return self.unreadable(folder, &error),
            };
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
                    self.endless_rules = Some(path);
                    continue;
                }
                if !large::is_large(len) {
                    continue;
                }
            }
            if kind.is_dir() {
                path.push(b'/');
                let known = self.tracked.has_below(&path);
                let into = if known {
                    &mut self.known
                } else {
                    &mut self.unknown
                };
                into.push(path);
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
    }

    fn unreadable(&mut self, folder: &[u8], error: &io::Error) {
        if !matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        ) {
            let why = format!("the folder cannot be read: {error}");
            self.found.left_out.push(named(folder, &why));
        }
    }
}

fn strange(root: &Path, path: &[u8]) -> Option<LeftOut> {
    match look_at(root, path) {
        Ok(OnDisk::Strange(why)) => Some(named(path, why)),
        _ => None,
    }
}
