//! Reads what `git diff-index -z --raw --numstat` prints: all raw records, then all counts.

use super::{DiffStats, FileStatus, GitError};
use git2::Oid;

/// A mode of git: none, a submodule's.
const MODE_NONE: &[u8] = b"000000";
const MODE_SUBMODULE: &[u8] = b"160000";

/// One changed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChangedFile {
    pub path: Vec<u8>,
    pub old_path: Option<Vec<u8>>,
    pub status: FileStatus,
    /// Its blob on both sides; none where it is not there, and for a submodule, whose commit lies in
    /// another repository.
    pub old: Option<Oid>,
    pub new: Option<Oid>,
    /// Patches it comes in: a file that became a link is taken away and made anew.
    pub parts: usize,
    pub binary: bool,
    /// Over the size that is shown.
    pub large: bool,
    pub insertions: u64,
    pub deletions: u64,
    /// It is another kind of file now, or can be run where it could not.
    pub other_mode: bool,
}

impl ChangedFile {
    /// Whether it may be listed though nothing of it changed: its contents were not looked at.
    pub(super) const fn may_be_same(&self) -> bool {
        let told = self.binary || self.insertions == 0 && self.deletions == 0;
        matches!(self.status, FileStatus::Modified) && !self.other_mode && told
    }

    /// All names it has or had.
    pub(super) fn paths(&self) -> impl Iterator<Item = &[u8]> {
        let old = self.old_path.as_deref();
        std::iter::once(self.path.as_slice()).chain(old)
    }
}

/// Reads all of it.
///
/// # Errors
/// `Failed` when it is not what git prints.
pub(super) fn parse(told: &[u8]) -> Result<Vec<ChangedFile>, GitError> {
    read(told).ok_or_else(|| GitError::Failed {
        program: super::COMPARISON,
        stderr: "its output is not understood".into(),
    })
}

fn read(told: &[u8]) -> Option<Vec<ChangedFile>> {
    let mut fields = told.split(|byte| *byte == 0).peekable();
    let mut entries = Vec::new();
    while let Some(head) = fields.next_if(|field| field.starts_with(b":")) {
        entries.push(raw(head.get(1..)?, &mut fields)?);
    }
    for entry in &mut entries {
        counts(fields.next()?, entry, &mut fields)?;
    }
    // The last field ends with a NUL too.
    (fields.next() == Some(b"") && fields.next().is_none()).then_some(entries)
}

/// `<mode> <mode> <id> <id> <letter>[score]`, then one path or two.
fn raw<'a>(head: &[u8], fields: &mut impl Iterator<Item = &'a [u8]>) -> Option<ChangedFile> {
    let mut words = head.split(|byte| *byte == b' ');
    let (old_mode, new_mode) = (words.next()?, words.next()?);
    let old = blob(old_mode, words.next()?)?;
    let new = blob(new_mode, words.next()?)?;
    let letter = *words.next()?.first()?;
    let status = match letter {
        b'A' => FileStatus::Added,
        b'D' => FileStatus::Deleted,
        b'R' => FileStatus::Renamed,
        b'M' | b'T' => FileStatus::Modified,
        _ => return None,
    };
    let first = fields.next()?.to_vec();
    let (path, old_path) = if status == FileStatus::Renamed {
        (fields.next()?.to_vec(), Some(first))
    } else {
        (first, None)
    };
    Some(ChangedFile {
        path,
        old_path,
        status,
        old,
        new,
        parts: if letter == b'T' { 2 } else { 1 },
        binary: false,
        large: false,
        insertions: 0,
        deletions: 0,
        other_mode: old_mode != new_mode,
    })
}

fn blob(mode: &[u8], id: &[u8]) -> Option<Option<Oid>> {
    if [MODE_NONE, MODE_SUBMODULE].contains(&mode) {
        return Some(None);
    }
    let id = std::str::from_utf8(id).ok()?;
    Oid::from_str(id).ok().map(Some)
}

/// `<added>\t<deleted>\t<path>`, or with an empty path and then two; `-` for a binary file.
fn counts<'a>(
    head: &[u8],
    entry: &mut ChangedFile,
    fields: &mut impl Iterator<Item = &'a [u8]>,
) -> Option<()> {
    let mut words = head.splitn(3, |byte| *byte == b'\t');
    let (added, deleted, path) = (words.next()?, words.next()?, words.next()?);
    let path = if path.is_empty() {
        fields.next()?;
        fields.next()?
    } else {
        path
    };
    if path != entry.path {
        return None;
    }
    entry.binary = added == b"-";
    if !entry.binary {
        entry.insertions = number(added)?;
        entry.deletions = number(deleted)?;
    }
    Some(())
}

fn number(word: &[u8]) -> Option<u64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// The sum of all.
pub(super) fn total(entries: &[ChangedFile]) -> DiffStats {
    let mut total = DiffStats::default();
    for entry in entries {
        total.add(DiffStats {
            files_changed: 1,
            insertions: entry.insertions,
            deletions: entry.deletions,
        });
    }
    total
}
