//! Stages a worktree path by path, for when `git add` fails because of some of them.
//!
//! `git hash-object` prints an id for each path that it stored, in order, so the first path without an
//! id is the one that it failed at. Such a path is staged as it is on disk, without git's conversions;
//! if that fails too it is reported, and the index keeps its former entry.

use super::{
    Context, GitError,
    index::Index,
    on_disk::{OnDisk, look_at, named},
    repository,
    seen::touched,
    staging::Staging,
    temporary::TemporaryFolder,
    text::{file_mode, items, line, os_string, push_staged, quoted},
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

/// After this many existing files that a filter refused, the others are staged without filters: each
/// attempt starts git and the filter.
const REFUSALS_MAX: usize = 32;
/// Attempts at a file that disappears and reappears.
const TRIES_MAX: usize = 5;

/// Stages all that changed since the index was written, without some paths.
///
/// # Errors
/// Those of `git`, except for single paths.
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
    let update = staging.edit_index("update-index --add --replace -z --index-info");
    update.input(job.input).run()?;
    staging.trust_times()
}

/// Paths that may differ from the index. That of a nested repository ends with a slash.
fn candidates(staging: &Staging, tracked: &Tracked) -> Result<BTreeSet<Vec<u8>>, GitError> {
    let root = staging.place.work_tree();
    let mut known = None;
    if let Some(path) = staging.index_path()
        && let Some(index) = Index::read(path)?
    {
        known = Some(touched(root, &index, path)?);
    }
    let untracked = staging.git("ls-files --others --exclude-standard -z");
    let untracked = untracked.run()?;
    let mut paths: BTreeSet<Vec<u8>> = items(&untracked).map(<[u8]>::to_vec).collect();
    for (path, entry) in tracked.entries() {
        let same = known.as_ref().is_some_and(|it| !it.contains(path));
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
    /// The file system records which files are executable.
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

    /// Queues a path by the kind of file that it names.
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
            // The files in a folder are untracked, and listed themselves.
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

    /// Stages a nested repository as the commit that is checked out in it. Without a commit, or in a
    /// format that we cannot read, it has nothing that an index could hold. Its work is saved when the
    /// worktree is removed ([`super::keep_nested`]).
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
                        // It disappeared, and is back.
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

    /// Writes the targets of links into files, since `git hash-object` would follow the links.
    fn take_links(&mut self) -> Result<(), GitError> {
        let links = std::mem::take(&mut self.links);
        if links.is_empty() {
            return Ok(());
        }
        let folder = TemporaryFolder::create(self.staging.place.git_dir(), "files")?;
        let mut paths = Vec::new();
        let mut there = Vec::new();
        for (number, link) in links.iter().enumerate() {
            match fs::read_link(self.root().join(os_string(link))) {
                Ok(to) => {
                    let file = folder.0.join(number.to_string());
                    File::create(&file)
                        .and_then(|mut file| file.write_all(to.as_os_str().as_bytes()))
                        .context("storing the target of a link")?;
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

/// Whether git would take a part of a path for a git folder on a file system that ignores case. It
/// silently skips such paths.
fn is_git_folder(path: &[u8]) -> bool {
    let mut parts = path.split(|byte| *byte == b'/');
    parts.any(|part| part.eq_ignore_ascii_case(b".git"))
}

/// Hashes files with `git hash-object` and these options: the id of each in hex, or git's message.
/// After `refusals_max` existing files that were refused, the others count as refused.
///
/// # Errors
/// Those of `git`, except for single files.
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
            .git("hash-object --stdin-paths")
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
