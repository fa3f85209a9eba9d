//! The bytes of files as they are on disk, where git's conversions would not restore them (decision 22).
//!
//! Line endings, `ident`, encodings and filters make what git stores differ from what was written. A
//! checkpoint's own tree is what a commit would contain, so that diffs are right; a second tree has just
//! those files that a checkout of the first would write differently, and a restore writes their bytes.
//!
//! Candidates are files that differ from the run's base, those whose contents git had to read, and those
//! whose bytes the last checkpoint has. A file that a checkout restores as it was, such as one that a
//! filter encrypts or stores elsewhere, is not stored twice.

use super::{
    Context, GitError, by_hand,
    command::HEAVY,
    index::Index,
    large,
    on_disk::{OnDisk, look_at, make_parents},
    place::Place,
    repository::EMPTY_TREE,
    staging::Staging,
    temporary::{TemporaryFolder, TemporaryIndex},
    text::{file_mode, is_true, list, os_string, push_staged},
};
use crate::files;
use git2::{ObjectType, Oid};
use memchr::memmem;
use std::{
    collections::BTreeMap,
    fs::{self, File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

/// Attributes by which contents are converted.
const ATTRIBUTES: [&str; 6] = [
    "text",
    "eol",
    "crlf",
    "ident",
    "filter",
    "working-tree-encoding",
];
const PIECE_LEN: usize = 256 * 1024;

/// Stores the files of a staged worktree that a checkout would write differently as a tree, in hex;
/// `None` when there are none. `former` is that tree of the last checkpoint.
pub(super) fn keep(
    staging: &Staging,
    base_commit: &str,
    former: Option<&str>,
) -> Result<Option<String>, GitError> {
    let mut candidates = candidates(staging, base_commit)?;
    // One that is missing by now costs nothing more.
    let former = former.and_then(|tree| Oid::from_str(tree).ok());
    let former = former.map(|tree| kept(staging, tree).unwrap_or_default());
    for file in former.into_iter().flatten() {
        candidates.entry(file.path).or_insert(file_mode(file.runs));
    }
    let converted = converted(staging, candidates.keys())?;
    let differing = differing(staging, converted)?;
    if differing.is_empty() {
        return Ok(None);
    }
    let paths: Vec<&[u8]> = differing.iter().map(Vec::as_slice).collect();
    let ids = by_hand::hash(staging, &paths, &["-w", "--no-filters"], usize::MAX)?;
    let mut input = Vec::new();
    for (path, id) in differing.iter().zip(ids) {
        // One that was removed in the meantime is left out.
        let (Ok(id), Some(mode)) = (id, candidates.get(path)) else {
            continue;
        };
        push_staged(&mut input, mode, &id, path);
    }
    let index = TemporaryIndex::empty(staging.place.git_dir());
    let git = |name| staging.any_names(name).env("GIT_INDEX_FILE", &index.path);
    git("update-index --add -z --index-info")
        .input(input)
        .run()?;
    git("write-tree").run_line().map(Some)
}

/// Plain files that may need it, with their modes.
fn candidates(
    staging: &Staging,
    base_commit: &str,
) -> Result<BTreeMap<Vec<u8>, &'static str>, GitError> {
    let base = Oid::from_str(base_commit).and_then(|id| staging.repository.find_commit(id));
    let base = base.map(|base| base.tree_id().to_string());
    let told = staging
        .git("diff-index --cached --raw -z --no-renames --ignore-submodules=all --diff-filter=AMT")
        // Without the base, all are looked at.
        .arg(base.as_deref().unwrap_or(EMPTY_TREE))
        .run()?;
    let mut found = BTreeMap::new();
    let mut fields = told.split(|byte| *byte == 0);
    // `:<mode> <mode> <id> <id> <letter>`, then the path
    while let (Some(head), Some(path)) = (fields.next(), fields.next()) {
        if let Some(mode) = head.split(|byte| *byte == b' ').nth(1).and_then(mode) {
            found.insert(path.to_vec(), mode);
        }
    }
    let read = |path: &Path| Index::read(path).ok()?;
    let before = read(&staging.place.git_dir().join("index"));
    let after = staging.index_path().and_then(read);
    if let (Some(before), Some(after)) = (before, after) {
        for (path, executable) in after.looked_into(&before) {
            found.insert(path.to_vec(), file_mode(executable));
        }
    }
    Ok(found)
}

fn mode(told: &[u8]) -> Option<&'static str> {
    match told {
        b"100644" => Some("100644"),
        b"100755" => Some("100755"),
        _ => None,
    }
}

/// How a file's contents are converted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Conversion {
    None,
    /// `\r\n` becomes `\n` when it is stored, and stays `\n`.
    LineFeeds,
    Other,
}

/// Those that git may convert; where only line endings are converted, those that have `\r\n`.
fn converted<'p>(
    staging: &Staging,
    paths: impl Iterator<Item = &'p Vec<u8>>,
) -> Result<Vec<Vec<u8>>, GitError> {
    let asked = list(paths);
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let told = staging
        .git("check-attr -z --stdin")
        .args(ATTRIBUTES)
        .input(asked)
        .run()?;
    let fields: Vec<&[u8]> = told.split(|byte| *byte == 0).collect();
    let root = staging.place.work_tree();
    let mut found = Vec::new();
    // Path, name and value, six times for a path.
    for told in fields.chunks_exact(3 * ATTRIBUTES.len()) {
        let path = told[0];
        let mut values = told.chunks_exact(3).map(|triple| triple[2]);
        let values: [&[u8]; 6] = std::array::from_fn(|_| values.next().unwrap_or_default());
        // As the index has it, or left out.
        if large::stands_at(&root.join(os_string(path))) {
            continue;
        }
        let converts = match conversion(&staging.place, values) {
            Conversion::None => false,
            Conversion::LineFeeds => has_carriage_returns(&root.join(os_string(path))),
            Conversion::Other => true,
        };
        if converts && matches!(look_at(root, path), Ok(OnDisk::File { .. })) {
            found.push(path.to_vec());
        }
    }
    Ok(found)
}

fn conversion(place: &Place, values: [&[u8]; 6]) -> Conversion {
    const UNSPECIFIED: &[u8] = b"unspecified";
    let [text, eol, crlf, ident, filter, encoding] = values;
    let is_named = |value: &[u8]| value != UNSPECIFIED && value != b"unset";
    if is_named(ident) || is_named(filter) || is_named(encoding) || is_named(crlf) {
        return Conversion::Other;
    }
    if text == b"unset" {
        return Conversion::None;
    }
    let is = |key: &[u8], wanted: &[u8]| {
        let value = place.value(key);
        value.is_some_and(|value| value.eq_ignore_ascii_case(wanted))
    };
    let auto = place.value(b"core.autocrlf").is_some_and(is_true);
    let input = is(b"core.autocrlf", b"input");
    if eol == b"crlf" || auto || is(b"core.eol", b"crlf") {
        Conversion::Other
    } else if is_named(text) || is_named(eol) || input {
        Conversion::LineFeeds
    } else {
        Conversion::None
    }
}

/// Whether a file has `\r\n`; true when it cannot be read.
fn has_carriage_returns(path: &Path) -> bool {
    let look = || -> io::Result<bool> {
        let mut file = files::open(path)?;
        let mut piece = vec![0; PIECE_LEN];
        let mut kept = 0;
        loop {
            let read = file.read(&mut piece[kept..])?;
            let there = &piece[..kept + read];
            if read == 0 || memmem::find(there, b"\r\n").is_some() {
                return Ok(read > 0);
            }
            kept = usize::from(there.ends_with(b"\r"));
            piece[0] = b'\r';
        }
    };
    look().unwrap_or(true)
}

/// Those that a checkout of the staged contents would write differently.
fn differing(staging: &Staging, paths: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, GitError> {
    if paths.is_empty() {
        return Ok(paths);
    }
    let folder = TemporaryFolder::create(staging.place.git_dir(), "files")?;
    let mut prefix = std::ffi::OsString::from("--prefix=");
    prefix.push(&folder.0);
    prefix.push("/");
    // What a filter could not write is missing, and so differs.
    staging
        .git("checkout-index -q -z --stdin")
        .arg(prefix)
        .input(list(&paths))
        .run_leniently()?;
    let root = staging.place.work_tree();
    let mut differing = paths;
    differing.retain(|path| {
        let path = os_string(path);
        let same = is_same(&root.join(&path), &folder.0.join(&path));
        !same.unwrap_or(false)
    });
    Ok(differing)
}

fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (files::open(one)?, files::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut left, mut right) = (vec![0; PIECE_LEN], vec![0; PIECE_LEN]);
    loop {
        let read = one.read(&mut left)?;
        if read == 0 {
            return Ok(other.read(&mut right)? == 0);
        }
        other.read_exact(&mut right[..read])?;
        if left[..read] != right[..read] {
            return Ok(false);
        }
    }
}

/// A file whose bytes were kept.
pub(super) struct Kept {
    pub path: Vec<u8>,
    runs: bool,
    contents: Oid,
}

/// The files that a tree of [`keep`] holds.
///
/// # Errors
/// When it cannot be read.
pub(super) fn kept(staging: &Staging, tree: Oid) -> Result<Vec<Kept>, GitError> {
    let doing = "reading a checkpoint";
    let tree = staging.repository.find_tree(tree).context(doing)?;
    let mut found = Vec::new();
    let mut folders = vec![(Vec::new(), tree)];
    while let Some((above, tree)) = folders.pop() {
        for entry in &tree {
            let mut path: Vec<u8> = above.clone();
            path.extend_from_slice(entry.name_bytes());
            if entry.kind() == Some(ObjectType::Tree) {
                path.push(b'/');
                let below = staging.repository.find_tree(entry.id()).context(doing)?;
                folders.push((path, below));
            } else {
                let runs = entry.filemode() & 0o100 != 0;
                let contents = entry.id();
                found.push(Kept {
                    path,
                    runs,
                    contents,
                });
            }
        }
    }
    Ok(found)
}

/// Writes a file as it was. Links in its path are refused.
///
/// # Errors
/// `Io`, and those of `git`.
pub(super) fn put_back(place: &Place, kept: &Kept) -> Result<(), GitError> {
    let doing = "writing a file of a checkpoint";
    let path = place.work_tree().join(os_string(&kept.path));
    make_parents(place.work_tree(), Path::new(&os_string(&kept.path))).context(doing)?;
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            fs::remove_dir(&path).context(doing)?;
        }
        Ok(()) | Err(_) => {}
    }
    let mut file = File::options();
    let mut file = files::open_with(file.write(true).create_new(true), &path).context(doing)?;
    let cat = place.git("cat-file blob").arg(kept.contents.to_string());
    cat.limit(HEAVY)
        .run_into(&mut |piece| file.write_all(piece).context(doing))?;
    if kept.runs {
        let mode = file.metadata().context(doing)?.permissions().mode();
        // Executable for everyone who may read it, as git does.
        let mode = Permissions::from_mode(mode | (mode & 0o444) >> 2);
        file.set_permissions(mode).context(doing)?;
    }
    Ok(())
}
