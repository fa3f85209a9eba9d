//! A worktree that is kept ready for the next run: its files are checked out already, and taking
//! it is a rename and a branch.
//!
//! It lies in a folder of its own in the data folder, detached at a commit and locked, so that
//! `git worktree prune` leaves it alone. A run gets it only when that is no other than a fresh
//! checkout would be: all files are as the index knows them and no others are there, the
//! configuration and the attributes outside of the tree are those that it was checked out with,
//! and the tree has no submodule and no attribute that names a filter. When the base is another
//! commit by now, the same command as for a fresh worktree brings the difference; but not when the
//! attributes in the tree changed, which a fresh checkout would heed for files that did not.
//!
//! # Crash
//! The folder is made first, with the repository's path in it, and removed last: whatever record
//! the repository has of a worktree below it is found from there ([`remove_spare`]). A spare is
//! known to the server that made it and to no other, so all that is found at a start is removed.
//! On its way to a run ([`Fitting::move_to`]) the record is pointed at the run's folder before the
//! files go there: from then on it is a leftover of that run's set-up, which begins again.

use super::{
    GitError, RepoLocks,
    check_out::{Wanted, check_out},
    configuration::Configuration,
    index::Index,
    missing,
    place::Place,
    records::{self, WorktreeRecord},
    removal, repository,
    seen::is_clean,
    text::os_string,
    tree::{ATTRIBUTES, each_entry},
};
use crate::domain::{RUN_ID_VARIABLE, RunId};
use crate::files;
use git2::{ObjectType, Oid, Repository};
use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

/// In a spare's folder: the path of its repository. No repo's name begins so.
const REPO: &str = ".repo";
/// More files than this that changed since: a fresh checkout is as good.
const CHANGED_MAX: usize = 20_000;

/// A spare that is wanted.
#[derive(Debug, Clone)]
pub(crate) struct SpareSpec {
    /// Its id; what makes it has it in its environment, as that of a run.
    pub id: RunId,
    /// Name of the repo, and so of the folder with the files.
    pub name: String,
    /// The user's checkout.
    pub repo_path: PathBuf,
    /// What is checked out, in hex.
    pub base_commit: String,
    /// Folder to make, of this spare alone, named by its id.
    pub folder: PathBuf,
}

/// A worktree that is ready for a run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Spare {
    folder: PathBuf,
    worktree: PathBuf,
    base: Oid,
    /// What it was checked out with.
    configuration: Configuration,
    attributes: Vec<Outside>,
}

/// A file of attributes that is not in the tree: time and size, and the inode.
type Outside = (PathBuf, Option<(i64, i64, u64, u64)>);

/// Makes a spare worktree; `None` when the repository is of a kind that gets none.
///
/// # Errors
/// `Cancelled`, `NotARepository`, `UnknownRevision`, and those of starting `git`. What was made is
/// removed then.
pub(crate) fn make_spare(
    spec: &SpareSpec,
    locks: &RepoLocks,
    cancelled: &dyn Fn() -> bool,
) -> Result<Option<Spare>, GitError> {
    let _wanted = Wanted::begin();
    let made = make(spec, locks, cancelled);
    if !matches!(made, Ok(Some(_)))
        && let Err(error) = remove_spare(&spec.folder, locks)
    {
        log::warn!(error:% = error; "Could not remove an incomplete spare worktree.");
    }
    made
}

fn make(
    spec: &SpareSpec,
    locks: &RepoLocks,
    cancelled: &dyn Fn() -> bool,
) -> Result<Option<Spare>, GitError> {
    let repository = repository::open(&spec.repo_path)?;
    let common_dir = repository::common_dir(&repository)?;
    let base = Oid::from_str(&spec.base_commit);
    let base = base.map_err(GitError::library("reading a commit's id"))?;
    if !or_unfit(is_plain(&repository, base))? {
        return Ok(None);
    }
    let worktree = spec.folder.join(&spec.name);
    begin(spec, &worktree).map_err(GitError::io("creating the folder of a spare worktree"))?;
    let id = spec.id.to_string();
    let own = Place::open(repository.path(), &spec.repo_path)?;
    let add = || {
        own.git("git worktree add")
            .env(RUN_ID_VARIABLE, &id)
            .args(["worktree", "add", "--quiet", "--no-checkout", "--detach"])
            .args(["--lock", "--no-guess-remote", "--"])
            .arg(&worktree)
            .arg(&spec.base_commit)
            .run()
    };
    locks.with(std::slice::from_ref(&common_dir), add)?;
    crate::fault::point("spare.registered");
    let Some(entry) = records::find(&common_dir, &worktree)? else {
        return Ok(None);
    };
    let place = own.of_worktree(&entry.admin, &worktree)?;
    let Some(attributes) = outside(&place, &common_dir)? else {
        return Ok(None);
    };
    if place
        .value(b"core.sparsecheckout")
        .is_some_and(|value| value != b"false")
    {
        return Ok(None);
    }
    check_out(&place, &id, cancelled)?;
    crate::fault::point("spare.made");
    Ok(Some(Spare {
        folder: spec.folder.clone(),
        worktree,
        base,
        configuration: place.configuration().clone(),
        attributes,
    }))
}

/// Makes the folder, and says whose it is before anything else is in it.
fn begin(spec: &SpareSpec, worktree: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700).create(&spec.folder)?;
    let mut file = File::create(spec.folder.join(REPO))?;
    file.write_all(spec.repo_path.as_os_str().as_bytes())?;
    file.sync_all()?;
    fs::create_dir(worktree)
}

/// Removes a spare worktree's folder, whatever became of it, and the records of worktrees in it.
///
/// # Errors
/// `Io` when something cannot be removed.
pub(crate) fn remove_spare(folder: &Path, locks: &RepoLocks) -> Result<(), GitError> {
    // A repository that is gone has no records.
    let repo = files::read(&folder.join(REPO), files::SMALL)
        .ok()
        .map(|path| os_string(&path));
    let repository = repo.and_then(|path| repository::open(Path::new(&path)).ok());
    if let Some(repository) = repository {
        let common_dir = repository::common_dir(&repository)?;
        let inside = records::resolved(folder);
        locks.with(std::slice::from_ref(&common_dir), || {
            let all = records::all(&common_dir)?.into_iter();
            let mut ours = all.filter(|entry| {
                let above = entry.dot_git.ancestors().nth(2).map(records::resolved);
                above.as_ref() == Some(&inside)
            });
            ours.try_for_each(|entry| removal::remove_record(&common_dir, &entry))
        })?;
    }
    // The files first: while the path of the repository is there, all can be found again.
    for item in fs::read_dir(folder).into_iter().flatten().flatten() {
        if item.file_name() != REPO {
            removal::remove_folder(&item.path())?;
        }
    }
    removal::remove_folder(folder)
}

/// Removes a repository's records of spare worktrees whose folders are gone: somebody took them
/// away. They are locked, so that git never would.
///
/// # Errors
/// `NotARepository`, `Io`.
pub(crate) fn forget_spares(
    repo_path: &Path,
    spares: &Path,
    locks: &RepoLocks,
) -> Result<(), GitError> {
    let common_dir = repository::common_dir(&repository::open(repo_path)?)?;
    let spares = records::resolved(spares);
    locks.with(std::slice::from_ref(&common_dir), || {
        let gone = |entry: &WorktreeRecord| {
            let above = entry.dot_git.ancestors().nth(3);
            above == Some(spares.as_path()) && !entry.dot_git.exists()
        };
        let all = records::all(&common_dir)?.into_iter().filter(gone);
        all.into_iter()
            .try_for_each(|entry| removal::remove_record(&common_dir, &entry))
    })
}

/// The folders of spare worktrees that there are, by whichever server they were made.
#[must_use]
pub(crate) fn spares_on_disk(spares: &Path) -> Vec<PathBuf> {
    let items = fs::read_dir(spares).into_iter().flatten().flatten();
    items.map(|item| item.path()).collect()
}

/// Whether nothing in a commit's tree needs more than a checkout.
fn is_plain(repository: &Repository, commit: Oid) -> Result<bool, GitError> {
    let mut plain = true;
    each_entry(repository, commit, |entry| {
        plain = match entry.kind() {
            Some(ObjectType::Commit) => false,
            _ if entry.name_bytes() == ATTRIBUTES => {
                let blob = repository.find_blob(entry.id());
                let blob = blob.map_err(GitError::library("reading a file of attributes"))?;
                !names_filter(blob.content())
            }
            _ => true,
        };
        Ok(plain)
    })?;
    Ok(plain)
}

fn names_filter(attributes: &[u8]) -> bool {
    memchr::memmem::find(attributes, b"filter").is_some()
}

/// Files of attributes outside of the tree, as they are now; `None` when git does not tell, or one
/// names a filter.
fn outside(place: &Place, common_dir: &Path) -> Result<Option<Vec<Outside>>, GitError> {
    let mut paths = vec![common_dir.join("info/attributes")];
    for variable in ["GIT_ATTR_GLOBAL", "GIT_ATTR_SYSTEM"] {
        match place.git("git var").args(["var", variable]).run() {
            Ok(told) => paths.extend(
                told.split(|byte| *byte == b'\n')
                    .filter(|path| !path.is_empty())
                    .map(|path| PathBuf::from(os_string(path))),
            ),
            // There is none, or git is too old to tell.
            Err(GitError::Failed { .. }) => {
                if place
                    .git("git var")
                    .args(["var", "GIT_CONFIG_GLOBAL"])
                    .run()
                    .is_err()
                {
                    return Ok(None);
                }
            }
            Err(error) => return Err(error),
        }
    }
    let mut seen = Vec::with_capacity(paths.len());
    for path in paths {
        if files::read_linked(&path, files::LARGE).is_ok_and(|text| names_filter(&text)) {
            return Ok(None);
        }
        let stat = fs::metadata(&path).ok();
        let stat = stat.map(|it| (it.mtime(), it.mtime_nsec(), it.size(), it.ino()));
        seen.push((path, stat));
    }
    Ok(Some(seen))
}

impl Spare {
    /// Its folder.
    #[must_use]
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is checked out, in hex.
    #[must_use]
    pub(crate) fn base_commit(&self) -> String {
        self.base.to_string()
    }

    /// Whether a run that begins at `base` can have it.
    pub(super) fn fitting(
        &self,
        repository: &Repository,
        base: Oid,
    ) -> Result<Option<Fitting<'_>>, GitError> {
        let common_dir = repository::common_dir(repository)?;
        let Some(entry) = records::find(&common_dir, &self.worktree)? else {
            return Ok(None);
        };
        let place = Place::open(&entry.admin, &self.worktree)?;
        let index = files::read_linked(&entry.admin.join("index"), files::LARGE);
        let index = index.map_err(GitError::io("reading a worktree's index"))?;
        let Some(index) = Index::parse(&index).filter(Index::is_plain) else {
            return Ok(None);
        };
        let fits = is_clean(&self.worktree, &index)?
            && outside(&place, &common_dir)?.as_ref() == Some(&self.attributes)
            && (base == self.base || or_unfit(self.is_near(repository, base))?);
        Ok(fits.then_some(Fitting { spare: self, entry }))
    }

    /// Whether a checkout over it makes what a fresh one would, and is worth it.
    fn is_near(&self, repository: &Repository, base: Oid) -> Result<bool, GitError> {
        let tree = |commit| repository.find_commit(commit).and_then(|it| it.tree());
        let diff = tree(self.base)
            .and_then(|own| repository.diff_tree_to_tree(Some(&own), Some(&tree(base)?), None))
            .map_err(GitError::library("comparing two commits"))?;
        let special = |path: Option<&Path>| {
            path.and_then(Path::file_name)
                .is_some_and(|name| name.as_bytes() == ATTRIBUTES)
        };
        let deltas = diff.deltas();
        Ok(deltas.len() <= CHANGED_MAX
            && is_plain(repository, base)?
            && !diff
                .deltas()
                .any(|delta| special(delta.old_file().path()) || special(delta.new_file().path())))
    }
}

/// A commit of which a partial clone lacks something is left to a fresh checkout, which fetches it.
fn or_unfit(answer: Result<bool, GitError>) -> Result<bool, GitError> {
    match answer {
        Err(error) if missing::absent(&error).is_some() => Ok(false),
        answer => answer,
    }
}

/// A spare worktree that can be had.
pub(super) struct Fitting<'a> {
    spare: &'a Spare,
    entry: WorktreeRecord,
}

impl Fitting<'_> {
    /// Moves it to a run's path, where nothing is, with a new branch at `base`. Under the
    /// repository's lock. False when the path is in another file system.
    ///
    /// # Errors
    /// `Io`, and those of starting `git`.
    pub(super) fn move_to(&self, path: &Path, branch: &str, base: Oid) -> Result<bool, GitError> {
        let admin = &self.entry.admin;
        self.point_at(path)?;
        crate::fault::point("spare.pointed");
        match fs::rename(&self.spare.worktree, path) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => return Ok(false),
            moved => moved.map_err(GitError::io("moving a spare worktree"))?,
        }
        crate::fault::point("spare.moved");
        files::remove(&admin.join("locked")).map_err(GitError::io("unlocking a spare worktree"))?;
        let place = Place::open(admin, path)?;
        let name = format!("refs/heads/{branch}");
        let none = "0".repeat(base.to_string().len());
        // In the words of git itself, as everybody's branches have it in their logs.
        let message = format!("branch: Created from {base}");
        place
            .git("git update-ref")
            .args(["update-ref", "--create-reflog", "-m", &message])
            .args([name.as_str(), &base.to_string(), &none])
            .run()?;
        crate::fault::point("spare.branched");
        let attach = place.git("git symbolic-ref");
        attach.args(["symbolic-ref", "HEAD", &name]).run()?;
        Ok(true)
    }

    /// Has the repository's record name the run's folder.
    fn point_at(&self, path: &Path) -> Result<(), GitError> {
        let dot_git = records::resolved(path).join(".git");
        records::point_at(&self.entry.admin, &dot_git)
            .map_err(GitError::io("moving the record of a spare worktree"))
    }

    /// Whether a worktree is configured as this one was when its files were written.
    pub(super) fn is_configured_as(&self, place: &Place) -> bool {
        *place.configuration() == self.spare.configuration
    }

    /// Whether this commit is checked out in it.
    pub(super) fn is_at(&self, base: Oid) -> bool {
        base == self.spare.base
    }
}
