//! Conflicts that a merge left in a worktree, and whether somebody resolved them.
//!
//! Staging a whole worktree marks every conflict as resolved, so they are checked first. A path that is
//! still unmerged in the index counts as resolved when its file was edited: it has no conflict markers,
//! and differs from both sides. One that was staged counts as resolved unless it still has markers.

use super::{
    GitError,
    place::Place,
    text::{os_string, staged},
};
use crate::files;
use git2::{ObjectType, Oid};
use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::ffi::OsStrExt,
    path::Path,
};

/// Files above this size, in bytes, are not searched for conflict markers; git does not merge them as
/// text.
const SEARCHED_MAX: u64 = 64 * 1024 * 1024;

/// Checks that all conflicts are resolved.
///
/// # Errors
/// `Unresolved` with the paths, sorted; those of starting `git`.
pub(super) fn check(place: &Place) -> Result<(), GitError> {
    let mut found = BTreeSet::new();
    for (path, sides) in by_path(&place.git("ls-files -z --unmerged").run()?) {
        let file = place.work_tree().join(os_string(&path));
        if sides.contains(&None) || contents(&file).is_some_and(|it| is_left(&it, &sides)) {
            found.insert(path);
        }
    }
    for (path, _) in by_path(&place.git("ls-files -z --resolve-undo").run()?) {
        let file = place.work_tree().join(os_string(&path));
        if contents(&file).is_some_and(|contents| has_markers(&contents)) {
            found.insert(path);
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    let text = |path: &Vec<u8>| String::from_utf8_lossy(path).into_owned();
    let paths = found.iter().map(text).collect();
    Err(GitError::Unresolved { paths })
}

/// What one side of a merge has at a path: a blob, or a submodule.
type Side = Option<Oid>;

/// The sides of each path of an index; the common ancestor is no side.
fn by_path(listed: &[u8]) -> BTreeMap<Vec<u8>, Vec<Side>> {
    let mut found: BTreeMap<Vec<u8>, Vec<Side>> = BTreeMap::new();
    for file in staged(listed) {
        let sides = found.entry(file.path.to_vec()).or_default();
        match Oid::from_str(file.id) {
            _ if file.stage == "1" => {}
            _ if file.mode == "160000" => sides.push(None),
            Ok(id) => sides.push(Some(id)),
            Err(_) => {}
        }
    }
    found
}

/// Whether an unmerged file is as the merge left it.
fn is_left(contents: &[u8], sides: &[Side]) -> bool {
    let is_side = |contents: &[u8]| {
        let id = Oid::hash_object(ObjectType::Blob, contents);
        id.is_ok_and(|id| sides.contains(&Some(id)))
    };
    has_markers(contents) || is_side(contents) || is_side(&without_carriage_returns(contents))
}

fn without_carriage_returns(contents: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(contents.len());
    let mut bytes = contents.iter().peekable();
    while let Some(byte) = bytes.next() {
        if *byte != b'\r' || bytes.peek() != Some(&&b'\n') {
            plain.push(*byte);
        }
    }
    plain
}

/// Whether a text has the three lines that git puts around the two sides, in their order.
fn has_markers(contents: &[u8]) -> bool {
    let mut wanted = [&b"<<<<<<< "[..], b"=======", b">>>>>>> "].into_iter();
    let mut next = wanted.next();
    for line in contents.split(|byte| *byte == b'\n') {
        let Some(marker) = next else { break };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let fits = match marker.ends_with(b" ") {
            true => line.starts_with(marker),
            false => line == marker,
        };
        if fits {
            next = wanted.next();
        }
    }
    next.is_none()
}

/// A file's contents, or where a link points to; `None` for what is neither, gone or too large.
fn contents(path: &Path) -> Option<Vec<u8>> {
    if let Ok(target) = path.read_link() {
        return Some(target.as_os_str().as_bytes().to_vec());
    }
    files::read(path, SEARCHED_MAX).ok()
}

#[cfg(test)]
mod unit {
    use super::has_markers;

    #[test]
    fn markers_are_three_lines_in_order() {
        assert!(has_markers(b"a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> x\n"));
        assert!(has_markers(
            b"<<<<<<< HEAD\r\n||||||| 1\r\n=======\r\n>>>>>>> x\r\n"
        ));
        assert!(!has_markers(b"Title\n=======\n\n>>>>>>> quoted\n"));
        assert!(!has_markers(b"<<<<<<< HEAD\nb\n"));
        assert!(!has_markers(b"=======\n<<<<<<< HEAD\n>>>>>>> x\n"));
    }
}
