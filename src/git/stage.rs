//! Adds the contents of a worktree to the index of a [`Staging`].
//!
//! `git add` does it. Where it refuses because of one path (an encoding, a required filter that cannot
//! run, a file that came or went meanwhile), everything is staged path by path ([`super::by_hand`]),
//! so that no path affects another. What cannot be read is reported.

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
use crate::domain::run::event::LeftOut;
use std::{collections::BTreeSet, fs};

impl Staging {
    /// Stages all that git tracks or would track, ignored files aside. Returns what it had to leave
    /// out; of a tracked path the index keeps what it had.
    pub(super) fn stage(&self) -> Result<Vec<LeftOut>, GitError> {
        let tracked = match self.survey() {
            Ok(tracked) if self.index_path().is_some() => tracked,
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
        let filtered = stored::filtered(&self.place, self.git("ls-files"))?;
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
        let index = self.index_path().map(Index::read);
        // One that cannot be read knows of no file.
        let index = index.and_then(|read| read.ok()?).unwrap_or_default();
        let root = self.place.work_tree();
        let changed = large.iter().filter(|path| !as_known(root, &index, path));
        changed.map(|path| named(path, &large::why())).collect()
    }

    /// Prepares to add all but these paths: too large files, and submodules, in which `git add`
    /// would look for changes by the rules and with the filters of their own configuration.
    fn add<'a, 'p>(&self, without: impl Iterator<Item = &'p Vec<u8>>) -> Command<'a> {
        let mut add = self.git("add --all --sparse");
        if self.objects.is_some() {
            // All into one pack: a file and often a folder for each would take far longer.
            add = add.config("core.bigFileThreshold=0");
        }
        let mut without = without.peekable();
        if without.peek().is_none() {
            return add;
        }
        add.args(["--pathspec-from-file=-", "--pathspec-file-nul"])
            .input(all_but(without))
    }

    /// Stages which commit is checked out in each submodule. Of one that git cannot read, the index keeps
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
        // A file that replaced a submodule passes through its filters.
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
        let update = "update-index --add --remove --replace -z --stdin";
        let update = match filters {
            true => self.git(update),
            false => self.edit_index(update),
        };
        Ok(update.input(list(paths)).run_leniently()?.is_some())
    }

    /// Clears the marks that make git look away from a file (`--assume-unchanged`,
    /// `--skip-worktree`), of files that are there: their changes are work too.
    fn survey(&self) -> Result<Tracked, GitError> {
        let listed = self.git("ls-files -v --stage -z").run()?;
        let root = self.place.work_tree();
        let is_missing = |path: &[u8]| fs::symlink_metadata(root.join(os_string(path))).is_err();
        let tracked = Tracked::read(listed, is_missing);
        let marked = |is_marked: &dyn Fn(&Entry) -> bool| {
            let entries = tracked.entries().filter(|(_, entry)| is_marked(entry));
            list(entries.map(|(path, _)| path))
        };
        let assumed = marked(&|entry| entry.tag.is_ascii_lowercase());
        let skipped = marked(&|entry| entry.skipped && !entry.absent);
        for (update, paths) in [
            ("update-index --no-assume-unchanged -z --stdin", assumed),
            ("update-index --no-skip-worktree -z --stdin", skipped),
        ] {
            if !paths.is_empty() {
                self.edit_index(update).input(paths).run()?;
            }
        }
        Ok(tracked)
    }
}
