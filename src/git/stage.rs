//! Takes the contents of a worktree into the index of a [`Staging`].
//!
//! `git add` does it. Where it refuses because of one path (an encoding, a required filter that cannot
//! run, a file that came or went meanwhile), everything is taken in path by path ([`super::by_hand`]),
//! so that no path costs another. What has no contents that can be read is named.

use super::{
    GitError, by_hand,
    changes::{Index, as_known},
    large,
    program::{Program, os_string},
    staging::Staging,
    stored,
    surroundings::{self, Surroundings},
};
use crate::{domain::run::event::LeftOut, files};
use std::{
    collections::BTreeSet,
    fs,
    io::{self, ErrorKind},
    ops::Range,
    path::{Path, PathBuf},
};

/// The paths that an index holds, as `git ls-files -v --stage -z` lists them.
#[derive(Default)]
pub(super) struct Tracked {
    listed: Vec<u8>,
    entries: Vec<Entry>,
}

/// One entry; a path in conflict has several.
pub(super) struct Entry {
    path: Range<usize>,
    /// `H`, `S` and others; in lower case for one that git was told to take for unchanged.
    tag: u8,
    /// Mode as git writes it.
    pub mode: [u8; 6],
    /// Outside of a sparse checkout, and not there.
    pub absent: bool,
}

impl Tracked {
    /// Reads a listing.
    fn read(listed: Vec<u8>) -> Self {
        let mut entries = Vec::new();
        let mut at = 0;
        for line in listed.split(|byte| *byte == 0) {
            // `<tag> <mode> <id> <stage>\t<path>`
            let tab = line.iter().position(|byte| *byte == b'\t');
            if let (Some(tab), [tag, b' ', mode @ ..]) = (tab, line)
                && let Some(mode) = mode.first_chunk()
            {
                entries.push(Entry {
                    path: at + tab + 1..at + line.len(),
                    tag: *tag,
                    mode: *mode,
                    absent: false,
                });
            }
            at += line.len() + 1;
        }
        Self { listed, entries }
    }

    /// The entries in the order of their paths.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&[u8], &Entry)> {
        self.entries.iter().map(|entry| (self.path(entry), entry))
    }

    fn path(&self, entry: &Entry) -> &[u8] {
        self.listed.get(entry.path.clone()).unwrap_or_default()
    }

    /// The entry of a path.
    pub(super) fn find(&self, path: &[u8]) -> Option<&Entry> {
        let place = self
            .entries
            .partition_point(|entry| self.path(entry) < path);
        let entry = self.entries.get(place)?;
        (self.path(entry) == path).then_some(entry)
    }

    /// Whether a folder, named with a slash at its end, holds a path.
    pub(super) fn has_below(&self, folder: &[u8]) -> bool {
        let place = self
            .entries
            .partition_point(|entry| self.path(entry) < folder);
        let entry = self.entries.get(place);
        entry.is_some_and(|entry| self.path(entry).starts_with(folder))
    }
}

impl Entry {
    /// A repository of its own.
    pub(super) fn is_submodule(&self) -> bool {
        self.mode == *b"160000"
    }
}

impl Staging {
    /// Takes in all that git tracks or would track, ignored files aside. Answers what it had to leave
    /// out; of a tracked path the index keeps what it had.
    ///
    /// # Errors
    /// Those of `git`.
    pub(super) fn stage(&self) -> Result<Vec<LeftOut>, GitError> {
        let tracked = match self.survey() {
            Ok(tracked) if self.is_copied() => tracked,
            _ => {
                // Without an index, or with a broken one, files that are both tracked and ignored
                // would be missed: begin with those of HEAD.
                self.reset_index()?;
                self.survey()?
            }
        };
        let Surroundings {
            mut left_out,
            large,
        } = surroundings::look(&self.place, &tracked, &self.pipes)?;
        left_out.extend(self.unread(&large));
        let submodules = tracked.entries().filter(|(_, entry)| entry.is_submodule());
        let submodules: BTreeSet<Vec<u8>> = submodules.map(|(path, _)| path.to_vec()).collect();
        self.stage_submodules(&submodules)?;
        let filtered = stored::filtered(&self.place, self.git("git ls-files"))?;
        match self.add(submodules.iter().chain(&large)).run() {
            Ok(_) => {}
            Err(GitError::Failed { stderr, .. }) => {
                log::debug!(stderr; "git add refused; a worktree is staged path by path.");
                by_hand::stage(self, &tracked, &large, &mut left_out)?;
            }
            Err(error) => return Err(error),
        }
        stored::keep(self, &filtered)?;
        left_out.sort_by(|one, other| one.path.cmp(&other.path));
        left_out.dedup_by(|one, other| one.path == other.path);
        Ok(left_out)
    }

    /// Answers at pipes that git would wait at, for as long as this lives; nothing is staged. Tells the
    /// changed files that are too large to be.
    ///
    /// # Errors
    /// Those of `git`.
    pub(super) fn answer_pipes(&self) -> Result<Vec<LeftOut>, GitError> {
        let found = surroundings::look(&self.place, &self.survey()?, &self.pipes)?;
        Ok(self.unread(&found.large))
    }

    /// The files among these that are not surely as our index has them.
    fn unread(&self, large: &BTreeSet<Vec<u8>>) -> Vec<LeftOut> {
        if large.is_empty() {
            return Vec::new();
        }
        let index = self.index_path();
        let index = index.and_then(|path| files::read(path, files::LARGE).ok());
        let index = index.and_then(|bytes| Index::parse(&bytes));
        let root = self.place.work_tree();
        let same = |path: &&Vec<u8>| {
            index
                .as_ref()
                .is_some_and(|index| as_known(root, index, path))
        };
        let changed = large.iter().filter(|path| !same(path));
        changed.map(|path| named(path, &large::why())).collect()
    }

    /// Prepares to take in all but these paths: too large files, and submodules, in which `git add`
    /// would look for changes by the rules and with the filters of their own configuration.
    fn add<'a, 'p>(&self, without: impl Iterator<Item = &'p Vec<u8>>) -> Program<'a> {
        let mut add = self.git("git add");
        if self.is_apart() {
            // All into one pack: a file and often a folder for each would take far longer.
            add = add.args(["-c", "core.bigFileThreshold=0"]);
        }
        let add = add.args(["add", "--all", "--sparse"]);
        let mut without = without.peekable();
        if without.peek().is_none() {
            return add;
        }
        let mut paths = b".\0".to_vec();
        for path in without {
            paths.extend_from_slice(b":(top,exclude,literal)");
            paths.extend_from_slice(path);
            paths.push(0);
        }
        add.args(["--pathspec-from-file=-", "--pathspec-file-nul"])
            .input(paths)
    }

    /// Takes in which commit is checked out in each submodule. Of one that git cannot read, the index keeps
    /// the commit that it had; what is in it stays where it is, and is kept when the worktree goes
    /// ([`super::keep_nested`]).
    fn stage_submodules(&self, submodules: &BTreeSet<Vec<u8>>) -> Result<(), GitError> {
        if submodules.is_empty() {
            return Ok(());
        }
        let root = self.place.work_tree();
        let has_contents = |path: &&Vec<u8>| {
            let found = stands(root, path);
            matches!(found, Ok(Stands::File { .. } | Stands::Link))
        };
        // A file in the place of a submodule goes through its filters.
        let (replaced, folders): (Vec<_>, Vec<_>) = submodules.iter().partition(has_contents);
        for (paths, filters) in [(replaced, true), (folders, false)] {
            match self.update_submodules(&paths, filters) {
                Err(GitError::Failed { .. }) => {}
                outcome => {
                    outcome?;
                    continue;
                }
            }
            // One of them: the others are not to suffer.
            for path in paths {
                match self.update_submodules(&[path], filters) {
                    Err(GitError::Failed { .. }) | Ok(()) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    fn update_submodules(&self, paths: &[&Vec<u8>], filters: bool) -> Result<(), GitError> {
        if paths.is_empty() {
            return Ok(());
        }
        let mut input = Vec::new();
        for path in paths {
            input.extend_from_slice(path);
            input.push(0);
        }
        let name = "git update-index";
        let update = match filters {
            true => self.git(name),
            false => self.edit_index(name),
        };
        update
            .args(["update-index", "--add", "--remove", "--replace"])
            .args(["-z", "--stdin"])
            .input(input)
            .run()
            .map(drop)
    }

    /// Clears the marks that make git look away from a file (`--assume-unchanged`,
    /// `--skip-worktree`), of files that are there: their changes are work too.
    fn survey(&self) -> Result<Tracked, GitError> {
        let listed = self
            .git("git ls-files")
            .args(["ls-files", "-v", "--stage", "-z"])
            .run()?;
        let mut tracked = Tracked::read(listed);
        let (mut assumed, mut skipped) = (Vec::new(), Vec::new());
        for entry in &mut tracked.entries {
            let path = tracked.listed.get(entry.path.clone()).unwrap_or_default();
            if entry.tag.is_ascii_lowercase() {
                assumed.extend_from_slice(path);
                assumed.push(0);
            }
            if entry.tag.eq_ignore_ascii_case(&b's') {
                let on_disk = self.place.work_tree().join(os_string(path));
                entry.absent = fs::symlink_metadata(on_disk).is_err();
                if !entry.absent {
                    skipped.extend_from_slice(path);
                    skipped.push(0);
                }
            }
        }
        for (flag, paths) in [
            ("--no-assume-unchanged", assumed),
            ("--no-skip-worktree", skipped),
        ] {
            if !paths.is_empty() {
                let update = self.edit_index("git update-index").arg("update-index");
                update.args([flag, "-z", "--stdin"]).input(paths).run()?;
            }
        }
        Ok(tracked)
    }
}

/// A path that had to be left out, and why.
pub(super) fn named(path: &[u8], why: &str) -> LeftOut {
    LeftOut {
        path: String::from_utf8_lossy(path).into_owned(),
        why: why.to_owned(),
    }
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    /// A plain file, and whether it can be run.
    File { runs: bool },
    /// A symbolic link.
    Link,
    /// A folder.
    Folder,
    /// A pipe, socket or device, which has no contents to keep.
    Strange(&'static str),
    /// Nothing, or something beyond a link.
    Nothing,
}

/// Looks at a path below a folder, following no link.
///
/// # Errors
/// When the system does not let us look.
pub(super) fn stands(root: &Path, path: &[u8]) -> io::Result<Stands> {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    let path = PathBuf::from(os_string(path));
    let above = path.ancestors().skip(1);
    let above: Vec<_> = above.filter(|part| !part.as_os_str().is_empty()).collect();
    for folder in above.into_iter().rev() {
        if root.join(folder).is_symlink() {
            return Ok(Stands::Nothing);
        }
    }
    let found = match fs::symlink_metadata(root.join(&path)) {
        Ok(found) => found,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Stands::Nothing);
        }
        Err(error) => return Err(error),
    };
    let kind = found.file_type();
    Ok(if kind.is_file() {
        let runs = found.permissions().mode() & 0o100 != 0;
        Stands::File { runs }
    } else if kind.is_symlink() {
        Stands::Link
    } else if kind.is_dir() {
        Stands::Folder
    } else if kind.is_fifo() {
        Stands::Strange("it is a pipe, which has no contents to keep")
    } else if kind.is_socket() {
        Stands::Strange("it is a socket, which has no contents to keep")
    } else {
        Stands::Strange("it is a device, which has no contents to keep")
    })
}
