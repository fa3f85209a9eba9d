//! Copies files that git ignores (`.env`) from the user's checkout into a worktree.
//!
//! Called once for each worktree, before the set-up script. Only what is ignored in both places is
//! copied: anything else would appear as the agent's work, and be committed and pushed. Nothing outside
//! the checkout is read, nothing outside the worktree written, links are copied as links, and nothing
//! that exists is replaced.

use super::{
    Context, GitError,
    ignored::not_ignored,
    on_disk::make_parents,
    place::Place,
    repository,
    text::{items, os_string},
};
use crate::files;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, File},
    io::{self, ErrorKind},
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

/// The result of copying.
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
        .context("resolving the checkout")?;
    let place = Place::open(repository.path(), &checkout)?;
    let listed = place.git("ls-files --others -z").run()?;
    let named = items(&listed).filter(|path| {
        !path.ends_with(b"/") && matches(&wanted, Path::new(OsStr::from_bytes(path)))
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
    // Git refuses paths beyond a link, and nothing is copied there.
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
        let invalid = || GitError::invalid_name("glob", glob);
        let plain = glob.trim().trim_start_matches("./").trim_matches('/');
        if plain.is_empty() {
            return Err(invalid());
        }
        let built = GlobBuilder::new(plain).literal_separator(true).build();
        set.add(built.map_err(|_| invalid())?);
    }
    set.build()
        .map_err(|_| GitError::invalid_name("glob", &globs.join(", ")))
}

/// Whether a glob names a path, or a folder that contains it.
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
    let made = match parents_are_folders(checkout, path) {
        true => make_parents(worktree, path),
        false => Err(ErrorKind::NotADirectory.into()),
    };
    if made
        .as_ref()
        .is_err_and(|error| error.kind() == ErrorKind::NotADirectory)
    {
        log::debug!("Skipped a file of copy_files that is behind a symbolic link.");
        return Ok(false);
    }
    made.context("creating a folder for copy_files")?;
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
        // It is tracked on the run's branch, or the user removed it in the meantime.
        Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {
            Ok(false)
        }
        Err(error) => Err(error).context("copying a file of copy_files"),
    }
}

/// Copies a plain file with its permissions; the target must not exist.
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
    let mut above = path.ancestors().skip(1);
    above.all(|part| files::is_folder(&root.join(part)))
}
