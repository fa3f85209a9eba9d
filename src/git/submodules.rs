//! Fills the submodules of a new worktree from the user's own checkout.
//!
//! Called by set-up after a worktree was created. Nothing is fetched: a submodule whose commit is not on
//! this machine stays empty, and the run's log says so. Each gets a repository of its own, where
//! `git submodule` would put it (`modules/<name>` in the worktree's record), which borrows the objects of
//! the user's. So nothing that is done in it affects the user's, and it is removed with the worktree
//! ([`super::keep_nested`] saves its work).
//!
//! `git submodule` is not used: it would run what `.gitmodules` and the configuration name.

use super::{
    Context, GitError,
    command::HEAVY,
    open_worktree::OpenWorktree,
    place::Place,
    staging::write_alternates,
    text::{items, os_string},
};
use crate::domain::run::event::WorktreeAt;
use crate::files;
use git2::{Oid, Repository, RepositoryInitOptions};
use std::{
    fs,
    path::{Component, Path, PathBuf},
};

/// How deep submodules of submodules are followed.
const DEPTH_MAX: usize = 8;

/// Fills the submodules of a worktree, and returns a sentence for each that stays empty.
///
/// # Errors
/// `WorktreeGone`, `NotARepository`, `Cancelled`, and those of starting `git`. What goes wrong
/// with one submodule is a sentence and no error.
pub(crate) fn fill_submodules(
    at: &WorktreeAt,
    repo_path: &Path,
    cancelled: &dyn Fn() -> bool,
) -> Result<Vec<String>, GitError> {
    // As after a checkout; git ignores a link.
    if fs::symlink_metadata(at.worktree.join(".gitmodules")).is_err() {
        return Ok(Vec::new());
    }
    let open = OpenWorktree::open(at, repo_path)?;
    let mut notes = Vec::new();
    let top = Level {
        place: open.place(at)?,
        user_git_dir: open.common_dir,
        user_folder: repo_path.to_owned(),
        shown: PathBuf::new(),
        depth: 0,
    };
    fill(&top, cancelled, &mut notes)?;
    Ok(notes)
}

/// A repository whose submodules are filled, and the user's own of the same.
struct Level {
    place: Place,
    user_git_dir: PathBuf,
    user_folder: PathBuf,
    /// Its path in the worktree.
    shown: PathBuf,
    depth: usize,
}

/// A submodule as the commit that is checked out names it.
struct Submodule {
    name: PathBuf,
    path: PathBuf,
    commit: Oid,
}

fn fill(
    level: &Level,
    cancelled: &dyn Fn() -> bool,
    notes: &mut Vec<String>,
) -> Result<(), GitError> {
    for submodule in submodules(&level.place)? {
        if cancelled() {
            return Err(GitError::Cancelled);
        }
        let shown = level.shown.join(&submodule.path);
        match fill_one(level, &submodule) {
            Ok(Some(below)) if level.depth < DEPTH_MAX => fill(&below, cancelled, notes)?,
            Ok(Some(_)) => {}
            Ok(None) => notes.push(format!(
                "Submodule {} stays empty: its commit {} is not on this machine. \
                 `git submodule update --init` in the worktree fetches it.",
                shown.display(),
                submodule.commit
            )),
            Err(error) => notes.push(format!(
                "Submodule {} stays empty: {error}",
                shown.display()
            )),
        }
    }
    Ok(())
}

/// What `.gitmodules` of HEAD names and HEAD has.
fn submodules(place: &Place) -> Result<Vec<Submodule>, GitError> {
    // From the commit: the file in the worktree may be a link to anywhere.
    let named = place
        .git("config --blob HEAD:.gitmodules -z --get-regexp")
        .arg(r"^submodule\..*\.path$")
        .run_leniently()?;
    // It may be missing or unreadable.
    let named = named.unwrap_or_default();
    let mut found = Vec::new();
    for entry in items(&named) {
        let Some(end) = entry.iter().position(|byte| *byte == b'\n') else {
            continue;
        };
        let (key, path) = (&entry[..end], &entry[end + 1..]);
        let name = key.strip_prefix(b"submodule.");
        let Some(name) = name.and_then(|rest| rest.strip_suffix(b".path")) else {
            continue;
        };
        let (name, path) = (
            PathBuf::from(os_string(name)),
            PathBuf::from(os_string(path)),
        );
        // A name may lead out of the folder of modules; git had a hole here once.
        if is_plain(&name)
            && is_plain(&path)
            && let Some(commit) = pointer(place, &path)?
        {
            found.push(Submodule { name, path, commit });
        }
    }
    Ok(found)
}

fn is_plain(path: &Path) -> bool {
    let plain = |part: Component<'_>| matches!(part, Component::Normal(name) if !name.eq_ignore_ascii_case(".git"));
    path.components().next().is_some() && path.components().all(plain)
}

/// The commit that HEAD has at a path, when it is a submodule.
fn pointer(place: &Place, path: &Path) -> Result<Option<Oid>, GitError> {
    let listed = place
        .git("ls-tree -z HEAD --")
        .option("--literal-pathspecs")
        .arg(path)
        .run()?;
    // `<mode> commit <id>\t<path>`
    let mut words = listed.split(|byte| byte.is_ascii_whitespace());
    if words.next() != Some(b"160000") {
        return Ok(None);
    }
    let id = words.nth(1).and_then(|id| std::str::from_utf8(id).ok());
    Ok(id.and_then(|id| Oid::from_str(id).ok()))
}

/// Fills one; none when the user has not got its commit.
fn fill_one(level: &Level, submodule: &Submodule) -> Result<Option<Level>, GitError> {
    let candidates = [
        level.user_git_dir.join("modules").join(&submodule.name),
        level.user_folder.join(&submodule.path).join(".git"),
    ];
    let user_git_dir = candidates
        .into_iter()
        .find(|git_dir| has_commit(git_dir, submodule.commit));
    let Some(user_git_dir) = user_git_dir else {
        return Ok(None);
    };
    let folder = level.place.work_tree().join(&submodule.path);
    if !is_empty_folder(&folder) {
        return Err(GitError::FolderInTheWay {
            name: submodule.path.display().to_string(),
        });
    }
    let git_dir = level.place.git_dir().join("modules").join(&submodule.name);
    begin(&git_dir, &folder, &user_git_dir, submodule.commit)?;
    let place = Place::open(&git_dir, &folder)?;
    place
        .git("reset --hard --quiet --no-recurse-submodules")
        .config("checkout.workers=0")
        .limit(HEAVY)
        .run()?;
    if level.depth > 0 {
        // The top one shares the user's configuration, where it is set.
        activate(level.place.git_dir(), &submodule.name)?;
    }
    Ok(Some(Level {
        place,
        user_git_dir,
        user_folder: level.user_folder.join(&submodule.path),
        shown: level.shown.join(&submodule.path),
        depth: level.depth + 1,
    }))
}

/// Makes `git submodule` in a repository of ours see that a submodule is wanted.
fn activate(git_dir: &Path, name: &Path) -> Result<(), GitError> {
    let key = format!("submodule.{}.active", name.display());
    let config = Repository::open_bare(git_dir).and_then(|repository| repository.config());
    config
        .and_then(|mut config| config.set_bool(&key, true))
        .context("registering a submodule")
}

/// Whether a folder is a repository that has a commit.
fn has_commit(git_dir: &Path, commit: Oid) -> bool {
    files::is_folder(git_dir)
        && Repository::open_bare(git_dir).is_ok_and(|found| found.find_commit(commit).is_ok())
}

fn is_empty_folder(folder: &Path) -> bool {
    files::is_folder(folder) && fs::read_dir(folder).is_ok_and(|mut items| items.next().is_none())
}

/// Has `git` fetch what the user's repository is a partial clone of, where that lacks it too.
fn share_promisor(user: &Repository, own: &Repository) -> Result<(), git2::Error> {
    let (user, mut own) = (user.config()?.snapshot()?, own.config()?);
    for key in ["remote.origin.promisor", "remote.origin.partialclonefilter"] {
        if let Ok(value) = user.get_string(key) {
            own.set_str(key, &value)?;
        }
    }
    Ok(())
}

/// Makes the repository of a submodule: its HEAD is the commit, its remote is the user's.
fn begin(git_dir: &Path, folder: &Path, user_git_dir: &Path, commit: Oid) -> Result<(), GitError> {
    let doing = "creating the repository of a submodule";
    let mut options = RepositoryInitOptions::new();
    options
        .no_dotgit_dir(true)
        .no_reinit(true)
        .mkpath(true)
        .external_template(false)
        .workdir_path(folder);
    let repository = Repository::init_opts(git_dir, &options).context(doing)?;
    write_alternates(&git_dir.join("objects"), user_git_dir).context(doing)?;
    // Where the history of a shallow clone ends is stored in a separate file.
    let shallow = fs::copy(user_git_dir.join("shallow"), git_dir.join("shallow"));
    files::if_there(shallow).map(drop).context(doing)?;
    let user = Repository::open_bare(user_git_dir).context(doing)?;
    if let Ok(remote) = user.find_remote("origin")
        && let Ok(url) = remote.url()
    {
        repository.remote("origin", url).context(doing)?;
        share_promisor(&user, &repository).context(doing)?;
    }
    // Opened before it could see the borrowed objects.
    let repository = Repository::open(folder).context(doing)?;
    repository.set_head_detached(commit).context(doing)
}
