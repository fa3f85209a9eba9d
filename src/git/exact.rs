//! The bytes of files as they lie on disk, where git's conversions would not give them back (decision 22).
//!
//! Line endings, `ident`, encodings and filters make what git stores another thing than what was written.
//! A checkpoint's own tree is what a commit would hold, so that diffs are right; beside it goes a tree of
//! just those files that a checkout of it would write differently, and a restore writes these bytes.
//!
//! Looked at are files that differ from where the run began, those that git had to look into, and those of
//! which the last checkpoint has the bytes. What is
//! checked out again as it was needs no second copy: of a file that a filter encrypts or keeps elsewhere,
//! none is made.

use super::{
    GitError,
    by_hand::{self, Folder},
    command::HEAVY,
    index::Index,
    large,
    on_disk::{OnDisk, look_at},
    place::Place,
    staging::{Staging, TemporaryIndex},
    text::{file_mode, is_true, line, list, os_string, push_staged},
};
use crate::files;
use git2::{ObjectType, Oid};
use memchr::memmem;
use std::{
    collections::BTreeMap,
    fs::{self, File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
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

/// Writes the files of a staged worktree that a checkout would write differently down as a tree, in hex;
/// none when there are none. `former` is such a tree of before.
pub(super) fn keep(
    staging: &Staging,
    base_commit: &str,
    former: Option<&str>,
) -> Result<Option<String>, GitError> {
    let mut candidates = candidates(staging, base_commit)?;
    // One that has gone since costs nothing more.
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
        // One that went meanwhile is as good as never there.
        let (Ok(id), Some(mode)) = (id, candidates.get(path)) else {
            continue;
        };
        push_staged(&mut input, mode, &id, path);
    }
    let index = TemporaryIndex::empty(staging.place.git_dir());
    let git = |name| staging.any_names(name).env("GIT_INDEX_FILE", &index.path);
    git("git update-index")
        .args(["update-index", "--add", "-z", "--index-info"])
        .input(input)
        .run()?;
    Ok(Some(line(&git("git write-tree").arg("write-tree").run()?)))
}

/// Plain files that may need it, with their modes.
fn candidates(
    staging: &Staging,
    base_commit: &str,
) -> Result<BTreeMap<Vec<u8>, &'static str>, GitError> {
    let base = Oid::from_str(base_commit).and_then(|id| staging.repository.find_commit(id));
    // Without it, all are looked at.
    let base = match base {
        Ok(base) => base.tree_id(),
        Err(_) => {
            let empty = staging.repository.treebuilder(None);
            let empty = empty.and_then(|tree| tree.write());
            empty.map_err(GitError::library("comparing a worktree with its base"))?
        }
    };
    let told = staging
        .git("git diff-index")
        .args(["diff-index", "--cached", "--raw", "-z", "--no-renames"])
        .args(["--ignore-submodules=all", "--diff-filter=AMT"])
        .arg(base.to_string())
        .run()?;
    let mut found = BTreeMap::new();
    let mut fields = told.split(|byte| *byte == 0);
    // `:<mode> <mode> <id> <id> <letter>`, then the path
    while let (Some(head), Some(path)) = (fields.next(), fields.next()) {
        if let Some(mode) = head.split(|byte| *byte == b' ').nth(1).and_then(mode) {
            found.insert(path.to_vec(), mode);
        }
    }
    let read = |path: &Path| {
        files::read(path, files::LARGE)
            .ok()
            .and_then(|bytes| Index::parse(&bytes))
    };
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

/// Those that git may convert. Of files of which only line ends matter, those that have such.
fn converted<'p>(
    staging: &Staging,
    paths: impl Iterator<Item = &'p Vec<u8>>,
) -> Result<Vec<Vec<u8>>, GitError> {
    let asked = list(paths);
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let told = staging
        .git("git check-attr")
        .args(["check-attr", "-z", "--stdin"])
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
        place
            .value(key)
            .is_some_and(|value| value.eq_ignore_ascii_case(wanted))
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

/// Whether a file has `\r\n`; in doubt it has.
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
    let folder = Folder::make(staging)?;
    let mut prefix = std::ffi::OsString::from("--prefix=");
    prefix.push(&folder.0);
    prefix.push("/");
    // What a filter could not write is not there, and so not the same.
    staging
        .git("git checkout-index")
        .args(["checkout-index", "-q", "-z", "--stdin"])
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
    let failed = || GitError::library("reading a checkpoint");
    let tree = staging.repository.find_tree(tree).map_err(failed())?;
    let mut found = Vec::new();
    let mut folders = vec![(Vec::new(), tree)];
    while let Some((above, tree)) = folders.pop() {
        for entry in &tree {
            let mut path: Vec<u8> = above.clone();
            path.extend_from_slice(entry.name_bytes());
            if entry.kind() == Some(ObjectType::Tree) {
                path.push(b'/');
                let below = staging.repository.find_tree(entry.id()).map_err(failed())?;
                folders.push((path, below));
            } else {
                let (runs, contents) = (entry.filemode() & 0o100 != 0, entry.id());
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

/// Writes a file down as it was. Links in its way are refused.
///
/// # Errors
/// `Io`, and those of `git`.
pub(super) fn put_back(place: &Place, kept: &Kept) -> Result<(), GitError> {
    let failed = || GitError::io("writing a file of a checkpoint");
    let path = place.work_tree().join(os_string(&kept.path));
    make_parents(place.work_tree(), Path::new(&os_string(&kept.path))).map_err(failed())?;
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            fs::remove_dir(&path).map_err(failed())?;
        }
        Ok(()) | Err(_) => {}
    }
    let mut file = File::options();
    let mut file = files::open_with(file.write(true).create_new(true), &path).map_err(failed())?;
    let cat = place.git("git cat-file");
    let cat = cat.args(["cat-file", "blob", &kept.contents.to_string()]);
    cat.limit(HEAVY)
        .run_into(&mut |piece| file.write_all(piece).map_err(failed()))?;
    if kept.runs {
        let mode = file.metadata().map_err(failed())?.permissions().mode();
        // Whoever may read it may run it, as git does it.
        let mode = Permissions::from_mode(mode | (mode & 0o444) >> 2);
        file.set_permissions(mode).map_err(failed())?;
    }
    Ok(())
}

fn make_parents(root: &Path, path: &Path) -> io::Result<()> {
    let mut above: Vec<PathBuf> = path.ancestors().skip(1).map(|at| root.join(at)).collect();
    above.reverse();
    for folder in above {
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
        if !fs::symlink_metadata(&folder)?.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
    }
    Ok(())
}
