//! Takes the contents of a worktree into the index of a [`Staging`].
//!
//! `git add` does it. Where it refuses because of one path (an encoding, a required filter that cannot
//! run, a file that came or went meanwhile), everything is taken in path by path ([`super::by_hand`]),
//! so that no path costs another. What has no contents that can be read is named.

use super::{
    GitError, by_hand,
    command::Command,
    index::Index,
    large,
    on_disk::{OnDisk, look_at, named},
    seen::as_known,
    staging::Staging,
    stored,
    surroundings::{self, Surroundings},
    text::{all_but, list, os_string},
    tracked::{Entry, Tracked},
};
use crate::{domain::run::event::LeftOut, files};
use std::{collections::BTreeSet, fs};

impl Staging {
    /// Takes in all that git tracks or would track, ignored files aside. Answers what it had to leave
    /// out; of a tracked path the index keeps what it had.
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
        } = surroundings::look(&self.place, &tracked, &self.fifos)?;
        left_out.extend(self.unread(&large));
        let submodules = tracked.entries().filter(|(_, entry)| entry.is_submodule());
        let submodules: BTreeSet<Vec<u8>> = submodules.map(|(path, _)| path.to_vec()).collect();
        self.stage_submodules(&submodules)?;
        let filtered = stored::filtered(&self.place, self.git("git ls-files"))?;
        match self.add(submodules.iter().chain(&large)).run() {
            Ok(_) => {}
            Err(GitError::Failed { stderr, .. }) => {
                log::debug!(stderr; "git add failed; staging a worktree path by path.");
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
    pub(super) fn answer_fifos(&self) -> Result<Vec<LeftOut>, GitError> {
        let found = surroundings::look(&self.place, &self.survey()?, &self.fifos)?;
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
    fn add<'a, 'p>(&self, without: impl Iterator<Item = &'p Vec<u8>>) -> Command<'a> {
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
        add.args(["--pathspec-from-file=-", "--pathspec-file-nul"])
            .input(all_but(without))
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
            let found = look_at(root, path);
            matches!(found, Ok(OnDisk::File { .. } | OnDisk::Link))
        };
        // A file in the place of a submodule goes through its filters.
        let (replaced, folders): (Vec<_>, Vec<_>) = submodules.iter().partition(has_contents);
        for (paths, filters) in [(replaced, true), (folders, false)] {
            if paths.is_empty() || self.update_submodules(&paths, filters)? {
                continue;
            }
            // One of them failed: the others are not to suffer.
            for path in paths {
                self.update_submodules(&[path], filters)?;
            }
        }
        Ok(())
    }

    /// False when git fails.
    fn update_submodules(&self, paths: &[&Vec<u8>], filters: bool) -> Result<bool, GitError> {
        let name = "git update-index";
        let update = match filters {
            true => self.git(name),
            false => self.edit_index(name),
        };
        let update = update
            .args(["update-index", "--add", "--remove", "--replace"])
            .args(["-z", "--stdin"]);
        Ok(update.input(list(paths)).run_leniently()?.is_some())
    }

    /// Clears the marks that make git look away from a file (`--assume-unchanged`,
    /// `--skip-worktree`), of files that are there: their changes are work too.
    fn survey(&self) -> Result<Tracked, GitError> {
        let listed = self
            .git("git ls-files")
            .args(["ls-files", "-v", "--stage", "-z"])
            .run()?;
        let mut tracked = Tracked::read(listed);
        let root = self.place.work_tree();
        tracked.mark_absent(|path| fs::symlink_metadata(root.join(os_string(path))).is_err());
        let marked = |is_marked: &dyn Fn(&Entry) -> bool| {
            let entries = tracked.entries().filter(|(_, entry)| is_marked(entry));
            list(entries.map(|(path, _)| path))
        };
        let assumed = marked(&|entry| entry.tag.is_ascii_lowercase());
        let skipped = marked(&|entry| entry.is_skipped() && !entry.absent);
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
