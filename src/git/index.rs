//! Reads the file that git keeps its index in (gitformat-index), for what it knows of each file.
//!
//! libgit2 would check the sum over the whole file first, which takes longer than all else; git
//! itself does not. Returns `None` for what is not understood.

use super::{Context, GitError};
use crate::files;
use git2::Oid;
use std::{ops::Range, path::Path};

/// An index in memory.
#[derive(Debug, Default)]
pub(super) struct Index {
    items: Vec<Item>,
    /// All paths, one after the other.
    paths: Vec<u8>,
    /// The tree that it would be written as, when it knows.
    tree: Option<Oid>,
}

/// What an index knows of a file.
#[derive(Debug, Clone)]
pub(super) struct Item {
    path: Range<usize>,
    pub mode: u32,
    pub id: Oid,
    /// Of its contents and of its record, in nanoseconds since 1970.
    pub times: (i128, i128),
    pub ino: u32,
    pub owner: (u32, u32),
    pub size: u32,
    /// A stage, or a mark that makes git look away or not look yet.
    pub special: bool,
}

/// Length of an entry before its path: times, identity, contents, flags.
const FIXED_LEN: usize = 62;
const STAGE: u16 = 0x3000;
const ASSUME_UNCHANGED: u16 = 0x8000;
const EXTENDED: u16 = 0x4000;
const SKIP_WORKTREE: u16 = 0x4000;
const INTENT_TO_ADD: u16 = 0x2000;

impl Index {
    /// Reads the index at a path, following links; `None` when it is not understood.
    ///
    /// # Errors
    /// `Io`.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, GitError> {
        Ok(Self::parse(&read_bytes(path)?))
    }

    /// Reads one of version 2 to 4 that is complete in itself.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut index = Self {
            items: Vec::with_capacity(bytes.len() / FIXED_LEN),
            paths: Vec::with_capacity(bytes.len()),
            tree: None,
        };
        let (items, paths) = (&mut index.items, &mut index.paths);
        let at = entries(bytes, |item, path| {
            let begin = paths.len();
            paths.extend_from_slice(path);
            let path = begin..paths.len();
            items.push(Item { path, ..item });
        })?;
        index.rest(bytes, at)?.then_some(index)
    }

    /// Passes all paths of the index at a path to `each`; `None` as for [`Self::read`].
    ///
    /// # Errors
    /// `Io`.
    pub(super) fn paths(path: &Path, mut each: impl FnMut(&[u8])) -> Result<Option<()>, GitError> {
        let bytes = read_bytes(path)?;
        let at = entries(&bytes, |_, path| each(path));
        let understood = at.and_then(|at| Self::default().rest(&bytes, at));
        Ok(understood.filter(|understood| *understood).map(drop))
    }

    /// Reads what follows the entries, up to the sum at the end. False when it has to be
    /// understood and is not.
    fn rest(&mut self, bytes: &[u8], mut at: usize) -> Option<bool> {
        let end = bytes.len().checked_sub(20)?;
        while at < end {
            let length = usize::try_from(number(bytes, at + 4)?).ok()?;
            let data = at.checked_add(8)?..at.checked_add(8)?.checked_add(length)?;
            match bytes.get(at..at + 4)? {
                b"TREE" => self.tree = root(bytes.get(data.clone())?),
                // A name in lower case: a part elsewhere, or folders in the place of their files.
                [first, ..] if !first.is_ascii_uppercase() => return Some(false),
                _ => {}
            }
            at = data.end;
        }
        Some(at == end)
    }

    /// The tree that it would be written as; none when that has to be found out.
    pub(super) const fn tree(&self) -> Option<Oid> {
        self.tree
    }

    /// All files, in the order of their paths.
    pub(super) fn items(&self) -> &[Item] {
        &self.items
    }

    /// The path of one.
    pub(super) fn path(&self, item: &Item) -> &[u8] {
        self.paths.get(item.path.clone()).unwrap_or_default()
    }

    /// What it knows of a path; of one in conflict, one of its sides.
    pub(super) fn find(&self, path: &[u8]) -> Option<&Item> {
        let place = self.items.partition_point(|item| self.path(item) < path);
        let item = self.items.get(place)?;
        (self.path(item) == path).then_some(item)
    }

    /// Plain files that another index of the same worktree knew otherwise, in contents or in what it saw
    /// of the file; and whether they can be run.
    pub(super) fn looked_into<'a>(
        &'a self,
        before: &'a Self,
    ) -> impl Iterator<Item = (&'a [u8], bool)> {
        let known = |item: &Item| (item.mode, item.id, item.times, item.ino, item.size);
        let mut old = before.items.iter().peekable();
        self.items.iter().filter_map(move |item| {
            let path = self.path(item);
            while old.next_if(|at| before.path(at) < path).is_some() {}
            let at = old.peek().filter(|at| before.path(at) == path);
            let same = at.is_some_and(|at| known(at) == known(item));
            let plain = item.mode & 0o170_000 == 0o100_000;
            (plain && !same).then_some((path, item.mode & 0o100 != 0))
        })
    }

    /// Whether all are plain files and links, without conflicts and without marks.
    pub(super) fn is_plain(&self) -> bool {
        let plain = |item: &Item| {
            let kind = item.mode & 0o170_000;
            !item.special && (kind == 0o100_000 || kind == 0o120_000)
        };
        self.items.iter().all(plain)
    }
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, GitError> {
    files::read_linked(path, files::LARGE).context("reading a worktree's index")
}

/// Passes the entries with their paths to `each`; returns the position after the last.
fn entries(bytes: &[u8], mut each: impl FnMut(Item, &[u8])) -> Option<usize> {
    if bytes.get(..4)? != b"DIRC" {
        return None;
    }
    let version = number(bytes, 4)?;
    if !(2..=4).contains(&version) {
        return None;
    }
    let mut path = Vec::new();
    let mut at = 12;
    for _ in 0..number(bytes, 8)? {
        let item;
        (item, at) = entry(bytes, at, version, &mut path)?;
        each(item, &path);
    }
    Some(at)
}

/// Reads the entry at a place, and its path over that of the one before; gives the place of the
/// next.
fn entry(bytes: &[u8], start: usize, version: u32, path: &mut Vec<u8>) -> Option<(Item, usize)> {
    let field = |number_of: usize| number(bytes, start + 4 * number_of);
    let time = |first: usize| -> Option<i128> {
        Some(i128::from(field(first)?) * 1_000_000_000 + i128::from(field(first + 1)?))
    };
    let id = Oid::from_bytes(bytes.get(start + 40..start + 60)?).ok()?;
    let flags = short(bytes, start + 60)?;
    let mut at = start + FIXED_LEN;
    let mut more = 0;
    if flags & EXTENDED != 0 {
        if version < 3 {
            return None;
        }
        more = short(bytes, at)?;
        at += 2;
    }
    let mut kept = 0;
    if version == 4 {
        let (strip, after) = varint(bytes, at)?;
        at = after;
        kept = path.len().checked_sub(strip)?;
    }
    path.truncate(kept);
    let rest = bytes.get(at..)?;
    let length = memchr::memchr(0, rest)?;
    path.extend_from_slice(rest.get(..length)?);
    at += length + 1;
    if version < 4 {
        at = start + (at - start).next_multiple_of(8);
    }
    let away = flags & (STAGE | ASSUME_UNCHANGED) != 0;
    let item = Item {
        path: 0..0,
        mode: field(6)?,
        id,
        times: (time(2)?, time(0)?),
        ino: field(5)?,
        owner: (field(7)?, field(8)?),
        size: field(9)?,
        special: away || more & (SKIP_WORKTREE | INTENT_TO_ADD) != 0,
    };
    Some((item, at))
}

/// The root of a cache tree: no name, how many files (fewer than none when that is not known), how
/// many trees below, and the id.
fn root(tree: &[u8]) -> Option<Oid> {
    let counts = tree.strip_prefix(b"\0")?;
    let line = counts.iter().position(|byte| *byte == b'\n')?;
    if counts.starts_with(b"-") {
        return None;
    }
    Oid::from_bytes(counts.get(line + 1..line + 21)?).ok()
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// A number of any length, as in the offsets of a pack; and the place after it.
fn varint(bytes: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let mut value = 0_usize;
    loop {
        let byte = *bytes.get(at)?;
        at += 1;
        value = value
            .checked_mul(128)?
            .checked_add(usize::from(byte & 0x7f))?;
        if byte & 0x80 == 0 {
            return Some((value, at));
        }
        value = value.checked_add(1)?;
    }
}
