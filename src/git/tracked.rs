//! The paths that git tracks in a worktree.

use std::ops::Range;

/// The paths that an index holds, as `git ls-files -v --stage -z` lists them.
pub(super) struct Tracked {
    listed: Vec<u8>,
    entries: Vec<Entry>,
}

/// One entry; a path in conflict has several.
pub(super) struct Entry {
    path: Range<usize>,
    /// `H`, `S` and others; in lower case for one that git was told to take for unchanged.
    pub tag: u8,
    /// Mode as git writes it.
    pub mode: [u8; 6],
    /// Marked with `--skip-worktree`.
    pub skipped: bool,
    /// Outside of a sparse checkout, and not there.
    pub absent: bool,
}

impl Tracked {
    /// Reads a listing. `is_missing` says whether nothing stands at a path.
    pub(super) fn read(listed: Vec<u8>, is_missing: impl Fn(&[u8]) -> bool) -> Self {
        let mut entries = Vec::new();
        let mut at = 0;
        for line in listed.split(|byte| *byte == 0) {
            // `<tag> <mode> <id> <stage>\t<path>`
            let tab = line.iter().position(|byte| *byte == b'\t');
            if let (Some(tab), [tag, b' ', mode @ ..]) = (tab, line)
                && let Some(mode) = mode.first_chunk()
            {
                let skipped = tag.eq_ignore_ascii_case(&b's');
                entries.push(Entry {
                    path: at + tab + 1..at + line.len(),
                    tag: *tag,
                    mode: *mode,
                    skipped,
                    absent: skipped && is_missing(&line[tab + 1..]),
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
        self.first_from(path)
            .filter(|entry| self.path(entry) == path)
    }

    /// Whether a folder, named with a slash at its end, holds a path.
    pub(super) fn has_below(&self, folder: &[u8]) -> bool {
        let entry = self.first_from(folder);
        entry.is_some_and(|entry| self.path(entry).starts_with(folder))
    }

    fn first_from(&self, path: &[u8]) -> Option<&Entry> {
        let before = |entry: &Entry| self.path(entry) < path;
        self.entries.get(self.entries.partition_point(before))
    }
}

impl Entry {
    /// A repository of its own.
    pub(super) fn is_submodule(&self) -> bool {
        self.mode == *b"160000"
    }
}
