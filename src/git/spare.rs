//! A worktree that is kept ready for the next run: its files are checked out already, and using it
//! takes a rename and a new branch.
//!
//! It is in a folder of its own in the data folder, detached at a commit and locked, so that
//! `git worktree prune` leaves it alone. A run gets it only when it equals a fresh checkout: all files
//! are as the index knows them and there are no others, the configuration and the attributes outside of
//! the tree are those that it was checked out with, and the tree has no submodule and no attribute that
//! names a filter. When the base is another commit by now, the command that checks out a fresh worktree
//! writes the difference; but not when attributes in the tree changed, which a fresh checkout would
//! apply to files that did not.
//!
//! # Crash
//! The folder is created first, with the repository's path in it, and removed last: from it the
//! repository's records of worktrees below it are found ([`remove_spare`]). Only the server that made a
//! spare knows it, so a server removes all that it finds when it starts. When a run gets one
//! ([`Spare::move_to`]), the record is pointed at the run's folder before the files are moved: from then
//! on it is a leftover of that run's set-up, which starts over.

use super::{
    Context, GitError, RepoLocks,
    check_out::{Wanted, check_out},
    configuration::Configuration,
    index::Index,
    missing,
    place::Place,
    records::{self, WorktreeRecord},
    removal, repository,
    seen::is_clean,
    surroundings::ATTRIBUTES,
    text::os_string,
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

/// File in a spare's folder with the path of its repository. No repo has this name.
const REPO: &str = ".repo";
/// More files than this that changed since: a fresh checkout is as good.
const CHANGED_MAX: usize = 20_000;
/// Most folders of a commit that are looked through. Large repositories have some hundred thousand;
/// one that is made for it can have billions, by naming a tree in itself again and again.
const FOLDERS_MAX: usize = 1_000_000;

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
    let base = base.context("reading a commit's id")?;
    if !or_unfit(is_plain(&repository, base))? {
        return Ok(None);
    }
    let worktree = spec.folder.join(&spec.name);
    begin(spec, &worktree).context("creating the folder of a spare worktree")?;
    let id = spec.id.to_string();
    let own = Place::open(repository.path(), &spec.repo_path)?;
    let add = || {
        own.git("worktree add --quiet --no-checkout --detach --lock --no-guess-remote --")
            .shown_as("worktree add")
            .env(RUN_ID_VARIABLE, &id)
            .arg(&worktree)
            .arg(&spec.base_commit)
            .run()
    };
    locks.with([&common_dir], add)?;
    crate::fault::point("spare.registered");
    let Some(entry) = records::find(&common_dir, &worktree)? else {
        return Ok(None);
    };
    let place = own.of_worktree(&entry.admin, &worktree)?;
    let Some(attributes) = outside(&place, &common_dir)? else {
        return Ok(None);
    };
    let sparse = place.value(b"core.sparsecheckout");
    if sparse.is_some_and(|value| value != b"false") {
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

/// Creates the folder, and stores whose it is before anything else is in it.
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
    // A repository that does not exist has no records.
    let repo = files::read(&folder.join(REPO), files::SMALL)
        .ok()
        .map(|path| os_string(&path));
    let repository = repo.and_then(|path| repository::open(Path::new(&path)).ok());
    if let Some(repository) = repository {
        let common_dir = repository::common_dir(&repository)?;
        let inside = records::resolved(folder);
        locks.with([&common_dir], || {
            let all = records::all(&common_dir)?.into_iter();
            let mut ours = all.filter(|entry| {
                let above = entry.dot_git.ancestors().nth(2).map(records::resolved);
                above.as_ref() == Some(&inside)
            });
            ours.try_for_each(|entry| removal::remove_record(&common_dir, &entry))
        })?;
    }
    // The files first: as long as the path of the repository is there, its records can be found.
    for item in fs::read_dir(folder).into_iter().flatten().flatten() {
        if item.file_name() != REPO {
            removal::remove_folder(&item.path())?;
        }
    }
    removal::remove_folder(folder)
}

/// Removes a repository's records of spare worktrees whose folders somebody removed. They are
/// locked, so git never would.
///
/// # Errors
/// `NotARepository`, `Io`.
pub(crate) fn forget_spares(
    repo_path: &Path,
    spares: &Path,
    locks: &RepoLocks,
) -> Result<(), GitError> {
    let common_dir = repository::git_dir_of(repo_path)?;
    let spares = records::resolved(spares);
    locks.with([&common_dir], || {
        let gone = |entry: &WorktreeRecord| {
            let above = entry.dot_git.ancestors().nth(3);
            above == Some(spares.as_path()) && !entry.dot_git.exists()
        };
        let mut all = records::all(&common_dir)?.into_iter().filter(gone);
        all.try_for_each(|entry| removal::remove_record(&common_dir, &entry))
    })
}

/// The folders of spare worktrees that there are, by whichever server they were made.
#[must_use]
pub(crate) fn spares_on_disk(spares: &Path) -> Vec<PathBuf> {
    let items = fs::read_dir(spares).into_iter().flatten().flatten();
    items.map(|item| item.path()).collect()
}

/// Whether nothing in a commit's tree needs more than a checkout.
///
/// # Errors
/// When the commit or a tree is not there, as in a partial clone; `TooMuch` folders.
fn is_plain(repository: &Repository, commit: Oid) -> Result<bool, GitError> {
    let doing = "reading a commit's files";
    let tree = repository.find_commit(commit).map(|it| it.tree_id());
    let mut trees = vec![tree.context(doing)?];
    let mut folders = 0;
    while let Some(tree) = trees.pop() {
        folders += 1;
        if folders > FOLDERS_MAX {
            let what = format!("commit {commit} has more than {FOLDERS_MAX} folders");
            return Err(GitError::TooMuch { what });
        }
        for entry in &repository.find_tree(tree).context(doing)? {
            match entry.kind() {
                Some(ObjectType::Tree) => trees.push(entry.id()),
                // A submodule.
                Some(ObjectType::Commit) => return Ok(false),
                _ if entry.name_bytes() == ATTRIBUTES => {
                    let blob = repository.find_blob(entry.id()).context(doing)?;
                    if names_filter(blob.content()) {
                        return Ok(false);
                    }
                }
                _ => {}
            }
        }
    }
    Ok(true)
}

fn names_filter(attributes: &[u8]) -> bool {
    memchr::memmem::find(attributes, b"filter").is_some()
}

/// Files of attributes outside of the tree, as they are now; `None` when git cannot list them, or one
/// names a filter.
fn outside(place: &Place, common_dir: &Path) -> Result<Option<Vec<Outside>>, GitError> {
    let mut paths = vec![common_dir.join("info/attributes")];
    for variable in ["GIT_ATTR_GLOBAL", "GIT_ATTR_SYSTEM"] {
        match place.git("var").arg(variable).run() {
            Ok(told) => {
                let told = told.split(|byte| *byte == b'\n');
                let told = told.filter(|path| !path.is_empty());
                paths.extend(told.map(|path| PathBuf::from(os_string(path))));
            }
            // There is none, or git is too old to list it.
            Err(GitError::Failed { .. }) => {
                if place.git("var GIT_CONFIG_GLOBAL").run().is_err() {
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

    /// Its record, when a run that begins at `base` can have it.
    pub(super) fn fitting(
        &self,
        repository: &Repository,
        base: Oid,
    ) -> Result<Option<WorktreeRecord>, GitError> {
        let common_dir = repository::common_dir(repository)?;
        let Some(entry) = records::find(&common_dir, &self.worktree)? else {
            return Ok(None);
        };
        let place = Place::open(&entry.admin, &self.worktree)?;
        let index = Index::read(&entry.admin.join("index"))?;
        let Some(index) = index.filter(Index::is_plain) else {
            return Ok(None);
        };
        let fits = is_clean(&self.worktree, &index)?
            && outside(&place, &common_dir)?.as_ref() == Some(&self.attributes)
            && (base == self.base || or_unfit(self.is_near(repository, base))?);
        Ok(fits.then_some(entry))
    }

    /// Moves it to a run's path, which must not exist, with a new branch at `base`. Under the
    /// repository's lock. False when the path is in another file system.
    ///
    /// # Errors
    /// `Io`, and those of starting `git`.
    pub(super) fn move_to(
        &self,
        record: &WorktreeRecord,
        path: &Path,
        branch: &str,
        base: Oid,
    ) -> Result<bool, GitError> {
        let admin = &record.admin;
        records::point_at(admin, &records::resolved(path).join(".git"))
            .context("moving the record of a spare worktree")?;
        crate::fault::point("spare.pointed");
        match fs::rename(&self.worktree, path) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => return Ok(false),
            moved => moved.context("moving a spare worktree")?,
        }
        crate::fault::point("spare.moved");
        files::remove(&admin.join("locked")).context("unlocking a spare worktree")?;
        let place = Place::open(admin, path)?;
        let name = format!("refs/heads/{branch}");
        // In the words of git itself, as everybody's branches have it in their logs.
        let message = format!("branch: Created from {base}");
        let create = place.git("update-ref --create-reflog -m");
        create
            .args([
                &message,
                &name,
                &base.to_string(),
                &Oid::ZERO_SHA1.to_string(),
            ])
            .run()?;
        crate::fault::point("spare.branched");
        place.git("symbolic-ref HEAD").arg(&name).run()?;
        Ok(true)
    }

    /// Whether a worktree is configured as this one was when its files were written.
    pub(super) fn is_configured_as(&self, place: &Place) -> bool {
        *place.configuration() == self.configuration
    }

    /// Whether this commit is checked out in it.
    pub(super) fn is_at(&self, base: Oid) -> bool {
        base == self.base
    }

    /// Whether a checkout over it makes what a fresh one would, and is worth it.
    fn is_near(&self, repository: &Repository, base: Oid) -> Result<bool, GitError> {
        let diff = repository::diff(repository, self.base, base)?;
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
