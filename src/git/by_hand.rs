//! Stages a worktree path by path, for when `git add` refuses because of some of them.
//!
//! `git hash-object` writes the contents and tells them one by one, so that the first path that it does
//! not tell is the one that it failed at. Such a path is taken in as it lies on disk, without git's
//! conversions; if that fails too it is named, and the index keeps what it had.

use super::{
    GitError,
    index::Index,
    on_disk::{OnDisk, look_at, named},
    repository,
    seen::touched,
    staging::Staging,
    text::{file_mode, items, line, os_string, push_staged},
    tracked::Tracked,
};
use crate::{domain::run::event::LeftOut, files};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    os::unix::ffi::OsStrExt,
    path::Path,
};

/// Files that are there and that a filter refuses, before all others go without filters: each costs a
/// start of git, and of the filter.
const REFUSALS_MAX: usize = 32;
/// How often a file is tried that comes and goes.
const TRIES_MAX: usize = 5;

/// Takes in all that changed since the index was written, without some paths.
///
/// # Errors
/// Those of `git`, but not what it says of single paths.
pub(super) fn stage(
    staging: &Staging,
    tracked: &Tracked,
    without: &BTreeSet<Vec<u8>>,
    left_out: &mut Vec<LeftOut>,
) -> Result<(), GitError> {
    let mut job = Job {
        staging,
        tracked,
        left_out,
        modes: !staging
            .place
            .value(b"core.filemode")
            .is_some_and(|value| value.eq_ignore_ascii_case(b"false")),
        files: Vec::new(),
        links: Vec::new(),
        input: Vec::new(),
    };
    let candidates = candidates(staging, tracked)?;
    staging.trust_times()?;
    for path in candidates.difference(without) {
        job.look(path);
    }
    job.take_files()?;
    job.take_links()?;
    let update = staging.edit_index("git update-index");
    update
        .args(["update-index", "--add", "--replace", "-z", "--index-info"])
        .input(job.input)
        .run()?;
    staging.trust_times()
}

/// Paths that may not be as the index has them. A nested repository ends with a slash.
fn candidates(staging: &Staging, tracked: &Tracked) -> Result<BTreeSet<Vec<u8>>, GitError> {
    let root = staging.place.work_tree();
    let touched = match staging.index_path() {
        Some(path) => {
            let bytes = files::read(path, files::LARGE);
            let bytes = bytes.map_err(GitError::io("reading a worktree's index"))?;
            match Index::parse(&bytes) {
                Some(index) => Some(touched(root, &index, path)?),
                None => None,
            }
        }
        None => None,
    };
    let untracked = staging
        .git("git ls-files")
        .args(["ls-files", "--others", "--exclude-standard", "-z"])
        .run()?;
    let mut paths: BTreeSet<Vec<u8>> = items(&untracked).map(<[u8]>::to_vec).collect();
    for (path, entry) in tracked.entries() {
        let same = touched
            .as_ref()
            .is_some_and(|touched| !touched.contains(path));
        if !entry.absent && !entry.is_submodule() && !same {
            paths.insert(path.to_vec());
        }
    }
    Ok(paths)
}

struct Job<'a> {
    staging: &'a Staging,
    tracked: &'a Tracked,
    left_out: &'a mut Vec<LeftOut>,
    /// The modes of files tell which can be run.
    modes: bool,
    /// Paths with their modes.
    files: Vec<(Vec<u8>, &'static str)>,
    links: Vec<Vec<u8>>,
    /// For `git update-index --index-info`.
    input: Vec<u8>,
}

impl Job<'_> {
    fn root(&self) -> &Path {
        self.staging.place.work_tree()
    }

    /// Sorts a path by what stands there.
    fn look(&mut self, path: &[u8]) {
        if let Some(folder) = path.strip_suffix(b"/") {
            return self.take_repository(folder);
        }
        if is_git_folder(path) {
            let why = "git cannot store a file with this name";
            return self.left_out.push(named(path, why));
        }
        match look_at(self.root(), path) {
            Ok(OnDisk::File { runs }) => {
                let before = self.tracked.find(path).map(|entry| entry.mode);
                let runs = if self.modes {
                    runs
                } else {
                    before == Some(*b"100755")
                };
                self.files.push((path.to_vec(), file_mode(runs)));
            }
            Ok(OnDisk::Link) => self.links.push(path.to_vec()),
            // What is in a folder is untracked, and has its own place in the list.
            Ok(OnDisk::Nothing | OnDisk::Folder) => self.remove(path),
            Ok(OnDisk::Strange(why)) => self.left_out.push(named(path, why)),
            Err(error) => self.left_out.push(named(path, &error.to_string())),
        }
    }

    fn remove(&mut self, path: &[u8]) {
        if self.tracked.find(path).is_some() {
            self.put("0", &"0".repeat(40), path);
        }
    }

    fn put(&mut self, mode: &str, id: &str, path: &[u8]) {
        push_staged(&mut self.input, mode, id, path);
    }

    /// A repository inside, as the commit that is checked out in it. One without a commit, or of a format
    /// that we cannot read, has nothing that an index could hold; like the work in all of them it is kept
    /// when the worktree goes ([`super::keep_nested`]), and stays where it is until then.
    fn take_repository(&mut self, folder: &[u8]) {
        if let Ok(Some(head)) = repository::head_of(&self.root().join(os_string(folder))) {
            self.put("160000", &head, folder);
        }
    }

    fn take_files(&mut self) -> Result<(), GitError> {
        let files = std::mem::take(&mut self.files);
        let paths: Vec<&[u8]> = files.iter().map(|(path, _)| path.as_slice()).collect();
        let filtered = hash(self.staging, &paths, &["-w"], REFUSALS_MAX)?;
        let mut refused = Vec::new();
        for ((path, mode), id) in files.iter().zip(filtered) {
            match id {
                Ok(id) => self.put(mode, &id, path),
                Err(_) => refused.push((path, mode)),
            }
        }
        for again in (0..TRIES_MAX).rev() {
            if refused.is_empty() {
                break;
            }
            let paths: Vec<&[u8]> = refused.iter().map(|(path, _)| path.as_slice()).collect();
            let raw = hash(self.staging, &paths, &["-w", "--no-filters"], usize::MAX)?;
            let mut still = Vec::new();
            for ((path, mode), id) in refused.into_iter().zip(raw) {
                match (id, look_at(self.root(), path)) {
                    (Ok(id), _) => self.put(mode, &id, path),
                    (Err(_), Ok(OnDisk::Nothing)) => self.remove(path),
                    (Err(said), _) => match files::open(&self.root().join(os_string(path))) {
                        // It went, and came back.
                        Ok(_) if again > 0 => still.push((path, mode)),
                        Ok(_) => self.left_out.push(named(path, &said)),
                        Err(error) => self.left_out.push(named(path, &error.to_string())),
                    },
                }
            }
            refused = still;
        }
        Ok(())
    }

    /// Where links lead is written into files, since `git hash-object` would follow the links.
    fn take_links(&mut self) -> Result<(), GitError> {
        let links = std::mem::take(&mut self.links);
        if links.is_empty() {
            return Ok(());
        }
        let folder = Folder::make(self.staging)?;
        let mut paths = Vec::new();
        let mut there = Vec::new();
        for (number, link) in links.iter().enumerate() {
            match fs::read_link(self.root().join(os_string(link))) {
                Ok(to) => {
                    let file = folder.0.join(number.to_string());
                    File::create(&file)
                        .and_then(|mut file| file.write_all(to.as_os_str().as_bytes()))
                        .map_err(GitError::io("storing the target of a link"))?;
                    paths.push(file.as_os_str().as_bytes().to_vec());
                    there.push(link);
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.remove(link),
                Err(error) => self.left_out.push(named(link, &error.to_string())),
            }
        }
        let paths: Vec<&[u8]> = paths.iter().map(Vec::as_slice).collect();
        let ids = hash(self.staging, &paths, &["-w", "--no-filters"], usize::MAX)?;
        for (link, id) in there.into_iter().zip(ids) {
            match id {
                Ok(id) => self.put("120000", &id, link),
                Err(said) => self.left_out.push(named(link, &said)),
            }
        }
        Ok(())
    }
}

/// Whether git would take a part of a path for a git folder where case does not matter; it lets none into
/// an index, and passes over it in silence.
fn is_git_folder(path: &[u8]) -> bool {
    let mut parts = path.split(|byte| *byte == b'/');
    parts.any(|part| part.eq_ignore_ascii_case(b".git"))
}

/// A folder beside the index that goes with its owner.
pub(super) struct Folder(pub std::path::PathBuf);

impl Folder {
    /// Makes it.
    ///
    /// # Errors
    /// `Io`.
    pub(super) fn make(staging: &Staging) -> Result<Self, GitError> {
        let folder = Self(staging.temporary("files"));
        fs::create_dir(&folder.0).map_err(GitError::io("creating a folder for files"))?;
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            log::warn!(error:% = error; "Could not remove a folder of temporary files.");
        }
    }
}

/// Hashes files, by `git hash-object` with these options: the id of each in hex, or what git said of
/// it. After `refusals_max` files that are there and refused, the others count as refused unasked.
///
/// # Errors
/// Those of `git`, but not what it says of single files.
pub(super) fn hash(
    staging: &Staging,
    paths: &[&[u8]],
    options: &[&str],
    refusals_max: usize,
) -> Result<Vec<Result<String, String>>, GitError> {
    let mut ids = Vec::with_capacity(paths.len());
    let mut refusals = 0;
    while let Some(rest) = paths.get(ids.len()..).filter(|rest| !rest.is_empty()) {
        let mut told = Vec::new();
        let outcome = staging
            .git("git hash-object")
            .args(["hash-object", "--stdin-paths"])
            .args(options)
            .input(rest.iter().flat_map(|path| quoted(path)).collect())
            .run_into(&mut |piece| {
                told.extend_from_slice(piece);
                Ok(())
            });
        let lines = told
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        ids.extend(lines.map(|id| Ok(line(id))));
        let Some(path) = paths.get(ids.len()) else {
            break;
        };
        let said = match outcome {
            Err(GitError::Failed { stderr, .. }) => stderr,
            Err(error) => return Err(error),
            Ok(()) => "git did not return its contents".to_owned(),
        };
        let there = look_at(staging.place.work_tree(), path);
        refusals += usize::from(matches!(there, Ok(OnDisk::File { .. })));
        ids.push(Err(said));
        if refusals >= refusals_max {
            let unasked = || Err("git refused other files".to_owned());
            ids.resize_with(paths.len(), unasked);
        }
    }
    Ok(ids)
}

/// A path as `--stdin-paths` reads it, in C's quotes.
fn quoted(path: &[u8]) -> Vec<u8> {
    let mut line = vec![b'"'];
    for byte in path {
        match byte {
            b'"' | b'\\' => line.extend([b'\\', *byte]),
            0..0x20 | 0x7f => line.extend(format!("\\{byte:03o}").bytes()),
            _ => line.push(*byte),
        }
    }
    line.extend(b"\"\n");
    line
}
