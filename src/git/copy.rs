//! Copies files that git ignores (`.env`) from the user's checkout into a worktree.
//!
//! Called once a worktree, before the set-up script. Only what is ignored in both places is copied:
//! anything else would show as work of the agent, and be committed and pushed. Nothing is read outside the checkout or
//! written outside the worktree, links are copied as links, and nothing that exists is replaced.

use super::{GitError, ignored::not_ignored, place::Place, repository, text::os_string};
use crate::files;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, File},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{OpenOptionsExt, PermissionsExt, symlink},
    },
    path::{Component, Path, PathBuf},
};

/// Most files copied into one worktree.
pub(super) const COPY_FILES_MAX: u64 = 10_000;
/// Most bytes copied into one worktree: 1 GiB.
pub(super) const COPY_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// What came of copying.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Copied {
    /// How many files and links were copied.
    pub files: u64,
    /// Files that a glob names and that are not copied, since git does not ignore them.
    pub not_ignored: Vec<PathBuf>,
}

/// Copies the ignored files that a glob names.
///
/// Globs are relative to the checkout; `*` stays in one folder, `**` does not. A glob that names
/// a folder means all in it. Nested repositories are left out.
///
/// # Errors
/// `InvalidName` for a glob that does not parse, `TooMuch` over [`COPY_FILES_MAX`] or
/// [`COPY_BYTES_MAX`] (looked at before the first file is copied), and those of starting `git`.
pub(crate) fn copy_files(
    from_checkout: &Path,
    to_worktree: &Path,
    globs: &[String],
) -> Result<Copied, GitError> {
    let wanted = compile(globs)?;
    if wanted.is_empty() {
        return Ok(Copied::default());
    }
    let repository = repository::open(from_checkout)?;
    let checkout = from_checkout
        .canonicalize()
        .map_err(GitError::io("resolving the checkout"))?;
    let place = Place::open(repository.path(), &checkout)?;
    let listed = place
        .git("git ls-files")
        .args(["ls-files", "--others", "-z"])
        .run()?;
    let named = listed.split(|byte| *byte == 0).filter(|path| {
        let file = !path.is_empty() && !path.ends_with(b"/");
        file && matches(&wanted, Path::new(OsStr::from_bytes(path)))
    });
    let named: Vec<Vec<u8>> = named.map(<[u8]>::to_vec).collect();
    let at_worktree = Place::open(repository.path(), to_worktree)?;
    let visible = visible(&place, &at_worktree, &named)?;
    let mut bytes = 0_u64;
    let mut chosen = Vec::new();
    let mut copied = Copied::default();
    for path in named {
        let visible = visible.contains(&path);
        let path = PathBuf::from(os_string(&path));
        let Ok(metadata) = fs::symlink_metadata(checkout.join(&path)) else {
            continue;
        };
        if visible {
            copied.not_ignored.push(path);
            continue;
        }
        if metadata.is_file() || metadata.is_symlink() {
            bytes = bytes.saturating_add(metadata.len());
            chosen.push(path);
        }
        check_limits(chosen.len() as u64, bytes)?;
    }
    for path in &chosen {
        copied.files += u64::from(copy_one(&checkout, to_worktree, path)?);
    }
    Ok(copied)
}

/// The paths that git does not ignore in one of the two places.
fn visible(
    checkout: &Place,
    worktree: &Place,
    paths: &[Vec<u8>],
) -> Result<BTreeSet<Vec<u8>>, GitError> {
    let mut visible: BTreeSet<_> = not_ignored(checkout, paths.to_vec())?.into_iter().collect();
    // Git refuses to look beyond a link, and nothing is copied there.
    let reached = |path: &&Vec<u8>| {
        let path = Path::new(OsStr::from_bytes(path));
        let mut above = path.ancestors().skip(1);
        above.all(|part| !worktree.work_tree().join(part).is_symlink())
    };
    let reached = paths.iter().filter(reached).cloned().collect();
    visible.extend(not_ignored(worktree, reached)?);
    Ok(visible)
}

fn compile(globs: &[String]) -> Result<GlobSet, GitError> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        let invalid = || GitError::InvalidName {
            what: "glob",
            name: glob.clone(),
        };
        let plain = glob.trim().trim_start_matches("./").trim_matches('/');
        if plain.is_empty() {
            return Err(invalid());
        }
        let built = GlobBuilder::new(plain).literal_separator(true).build();
        set.add(built.map_err(|_| invalid())?);
    }
    set.build().map_err(|_| GitError::InvalidName {
        what: "glob",
        name: globs.join(", "),
    })
}

/// A path is meant when a glob names it, or a folder it lies in.
fn matches(wanted: &GlobSet, path: &Path) -> bool {
    path.ancestors()
        .filter(|part| !part.as_os_str().is_empty())
        .any(|part| wanted.is_match(part))
}

fn check_limits(files: u64, bytes: u64) -> Result<(), GitError> {
    let what = if files > COPY_FILES_MAX {
        format!("copy_files names more than {COPY_FILES_MAX} files")
    } else if bytes > COPY_BYTES_MAX {
        format!(
            "copy_files names more than {} MiB",
            COPY_BYTES_MAX / (1024 * 1024)
        )
    } else {
        return Ok(());
    };
    Err(GitError::TooMuch { what })
}

/// Copies one file or link; `false` when it was left out.
fn copy_one(checkout: &Path, worktree: &Path, path: &Path) -> Result<bool, GitError> {
    if !path
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        return Ok(false);
    }
    let (source, target) = (checkout.join(path), worktree.join(path));
    if !parents_are_folders(checkout, path) || !make_parents(worktree, path)? {
        log::debug!("Skipped a file of copy_files that is behind a symbolic link.");
        return Ok(false);
    }
    let done = match fs::symlink_metadata(&source) {
        Ok(metadata) if metadata.is_symlink() => {
            fs::read_link(&source).and_then(|to| symlink(to, &target))
        }
        Ok(metadata) if metadata.is_file() => copy_contents(&source, &target),
        Ok(_) => return Ok(false),
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => Ok(true),
        // It is tracked on the run's branch, or the user removed it while we looked.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(GitError::io("copying a file of copy_files")(error)),
    }
}

/// Copies a plain file with its permissions, to a name that must be new.
fn copy_contents(source: &Path, target: &Path) -> io::Result<()> {
    let mut from = files::open(source)?;
    let metadata = from.metadata()?;
    let mut options = File::options();
    options.write(true).create_new(true);
    options.mode(metadata.permissions().mode() & 0o777);
    let mut to = files::open_with(&mut options, target)?;
    io::copy(&mut from, &mut to).map(drop)
}

fn parents_are_folders(root: &Path, path: &Path) -> bool {
    let above = path
        .ancestors()
        .skip(1)
        .filter(|part| !part.as_os_str().is_empty());
    above
        .map(|part| root.join(part))
        .all(|folder| files::is_folder(&folder))
}

/// Makes the folders above `path`; `false` when something else stands there.
fn make_parents(root: &Path, path: &Path) -> Result<bool, GitError> {
    let mut above: Vec<_> = path.ancestors().skip(1).collect();
    above.reverse();
    for folder in above.into_iter().map(|part| root.join(part)) {
        match fs::create_dir(&folder) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !files::is_folder(&folder) {
                    return Ok(false);
                }
            }
            Err(error) => return Err(GitError::io("creating a folder for copy_files")(error)),
        }
    }
    Ok(true)
}
