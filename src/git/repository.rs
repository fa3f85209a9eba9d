//! Checks what a user gave us: a folder, a revision, a branch name.
//!
//! Called before a repo is added to a project and before a run is made. Nothing is written, and no
//! program is started but `git`, for a repository of another owner.

use super::{Context, GitError, command::Command, text::os_string};
use git2::{Branch, Commit, Diff, ErrorCode, Oid, Repository, RepositoryOpenFlags, Revwalk};
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

/// The id of a tree without files, which git knows without having it.
pub(super) const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
/// Longest branch name, in bytes: with its folders it has to fit into a path.
const BRANCH_LEN_MAX: usize = 2000;
/// Longest part of one between slashes: a file name has at most 255 bytes, and `.lock` is added.
const BRANCH_PART_LEN_MAX: usize = 250;

/// A repository that opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// Its real common git folder: two paths with the same one are the same repository.
    pub git_dir: PathBuf,
    /// The user's checkout, links resolved.
    pub workdir: PathBuf,
}

/// Opens the repository at exactly this folder, and returns where it is.
///
/// # Errors
/// `NotARepository` when the path is not absolute, does not exist, holds no `.git`, does not
/// open, is bare, or has its working tree elsewhere.
pub fn inspect(repo_path: &Path) -> Result<Inspected, GitError> {
    let repository = open(repo_path)?;
    if repository.is_bare() {
        return Err(GitError::not_a_repository(repo_path, "it is bare"));
    }
    let workdir = repo_path
        .canonicalize()
        .context("resolving the repository")?;
    Ok(Inspected {
        git_dir: common_dir(&repository)?,
        workdir,
    })
}

/// Resolves what a run starts from to a commit, in hex: `HEAD`, a branch (first, when a tag has
/// the same name), a tag, or a commit's id.
///
/// # Errors
/// `UnknownRevision` when it names no commit, `InvalidName` when we refuse to look it up, and
/// those of [`inspect`].
pub(crate) fn resolve_commit(repo_path: &Path, source_branch: &str) -> Result<String, GitError> {
    // `:` would search messages and the index, which no branch name can.
    let refused = |c: char| c.is_control() || c.is_whitespace() || c == ':';
    if source_branch.is_empty() || source_branch.starts_with('-') || source_branch.contains(refused)
    {
        return Err(GitError::invalid_name(
            "branch, tag or commit",
            source_branch,
        ));
    }
    let repository = open(repo_path)?;
    let unknown = |note: &str| GitError::unknown(repo_path, source_branch, note);
    if source_branch == "HEAD" && is_unborn(&repository) {
        return Err(unknown(": the repository has no commit yet"));
    }
    let object = repository
        .find_reference(&format!("refs/heads/{source_branch}"))
        .and_then(|branch| branch.peel(git2::ObjectType::Any))
        .or_else(|_| repository.revparse_single(source_branch))
        .map_err(|_| unknown(""))?;
    let commit = object.peel_to_commit().map_err(|_| unknown(""))?;
    Ok(commit.id().to_string())
}

/// The branch that a run started from `source_branch` goes back to, without its remote; nothing
/// when that is a tag or a commit's id, or HEAD is on no branch.
#[must_use]
pub(crate) fn source_of(repo_path: &Path, source_branch: &str) -> Option<String> {
    let repository = open(repo_path).ok()?;
    if source_branch == "HEAD" {
        return head_branch(&repository);
    }
    let exists = |reference: String| repository.find_reference(&reference).is_ok();
    if exists(format!("refs/heads/{source_branch}")) {
        return Some(source_branch.to_owned());
    }
    let remotes = repository.remotes().ok()?;
    let mut remotes = remotes.iter().flatten().flatten();
    let tracked = exists(format!("refs/remotes/{source_branch}"));
    let of = |remote: &str| source_branch.strip_prefix(remote)?.strip_prefix('/');
    remotes.find_map(of).filter(|_| tracked).map(str::to_owned)
}

/// Checks that a branch can be made: its name is valid, it does not exist, and no other branch
/// is in its way.
///
/// # Errors
/// `InvalidName`, `BranchTaken`, `BranchInTheWay`, and those of [`inspect`].
pub(crate) fn check_branch_free(repo_path: &Path, branch: &str) -> Result<(), GitError> {
    check_branch_name(branch)?;
    let repository = open(repo_path)?;
    if branch_tip(&repository, branch)?.is_some() {
        return Err(GitError::BranchTaken {
            branch: branch.to_owned(),
            repo: repo_path.to_owned(),
        });
    }
    check_nothing_in_the_way(&repository, repo_path, branch)
}

/// Opens the repository whose working folder is exactly `repo_path`.
pub(super) fn open(repo_path: &Path) -> Result<Repository, GitError> {
    let unusable = |reason: &str| GitError::not_a_repository(repo_path, reason);
    if !repo_path.is_absolute() {
        return Err(unusable("the path is not absolute"));
    }
    let real = repo_path.canonicalize();
    let real = real.map_err(|_| unusable("the folder does not exist"))?;
    if fs::symlink_metadata(real.join(".git")).is_err() {
        return Err(unusable("it contains no .git"));
    }
    let nowhere_else: [&OsStr; 0] = [];
    let repository = match Repository::open_ext(&real, RepositoryOpenFlags::NO_SEARCH, nowhere_else)
    {
        // libgit2 knows neither patterns in safe.directory nor GIT_CONFIG_GLOBAL.
        Err(error) if error.code() == ErrorCode::Owner => open_safe(&real, &[]),
        opened => opened.map_err(|error| reason(error.message())),
    };
    let repository = repository.map_err(|reason| unusable(&reason))?;
    // `core.worktree` may point anywhere, also at the user's home.
    match repository.workdir().map(Path::canonicalize) {
        // Runs that it has already go on; a new one needs a checkout ([`inspect`]).
        _ if repository.is_bare() => Ok(repository),
        None => Err(unusable("it has no working folder")),
        Some(Ok(workdir)) if workdir == real => Ok(repository),
        Some(_) => Err(unusable("its core.worktree points elsewhere")),
    }
}

/// Why libgit2 does not open a repository; for formats that it does not know, with what to do.
fn reason(said: &str) -> String {
    let extension = said.split_once("unsupported extension name extensions.");
    match extension {
        Some((_, "refstorage")) => "it keeps its refs in the reftable format, which abbado does \
            not support; convert it with `git refs migrate --ref-format=files` (git 2.48 or newer), or use a clone \
            made with `git clone --ref-format=files`"
            .to_owned(),
        Some((_, name)) => format!(
            "it uses the extension '{name}' of the repository format, which abbado does not \
             support; use a clone without it"
        ),
        None if said.contains("unknown object format 'sha256'") => "its object format is SHA-256, \
            which abbado does not support; use a repository with SHA-1 (`git init \
            --object-format=sha1`, then `git fast-export --all` into `git fast-import`)"
            .to_owned(),
        None => said.to_owned(),
    }
}

/// Opens a repository of another owner, if the user's own git takes it for safe; else returns why not.
pub(super) fn open_safe(real: &Path, more: &[(&str, &str)]) -> Result<Repository, String> {
    let mut asked = Command::discovering("rev-parse", real);
    for (name, value) in more {
        asked = asked.env(name, value);
    }
    let said = asked.args(["--absolute-git-dir"]).run();
    let git_dir = said.map_err(|error| {
        if let GitError::Failed { stderr, .. } = error {
            return stderr;
        }
        error.to_string()
    })?;
    let git_dir = os_string(git_dir.trim_ascii_end());
    let opened = Repository::open_bare(Path::new(&git_dir)).and_then(|repository| {
        repository.set_workdir(real, false)?;
        Ok(repository)
    });
    opened.map_err(|error| reason(error.message()))
}

/// The real common git folder of a repository: the key of its lock.
///
/// # Errors
/// `NotARepository`.
pub(crate) fn git_dir_of(repo_path: &Path) -> Result<PathBuf, GitError> {
    common_dir(&open(repo_path)?)
}

/// The repository's real common git folder.
pub(super) fn common_dir(repository: &Repository) -> Result<PathBuf, GitError> {
    let common = repository.commondir().canonicalize();
    common.context("resolving the git folder")
}

/// The commit that is checked out in a folder, in hex; none before the first.
pub(super) fn head_of(folder: &Path) -> Result<Option<String>, GitError> {
    let repository = open(folder)?;
    match repository.head().and_then(|head| head.peel_to_commit()) {
        Ok(commit) => Ok(Some(commit.id().to_string())),
        Err(error) if error.code() == ErrorCode::UnbornBranch => Ok(None),
        Err(error) => Err(error).context("reading HEAD of a nested repository"),
    }
}

/// A commit by its id in hex.
///
/// # Errors
/// `UnknownRevision` when it is gone.
pub(super) fn find_commit<'r>(
    repository: &'r Repository,
    repo_path: &Path,
    id: &str,
) -> Result<Commit<'r>, GitError> {
    let found = Oid::from_str(id).and_then(|id| repository.find_commit(id));
    found.map_err(|_| GitError::unknown(repo_path, id, " any more"))
}

/// A local branch and the commit it points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tip {
    /// Its name; of a symbolic one, the branch that it names.
    pub branch: String,
    /// The commit.
    pub commit: Oid,
}

impl Tip {
    /// Looks a branch up by its short name.
    ///
    /// # Errors
    /// `InvalidName`, or `UnknownRevision` when there is no such branch.
    pub(super) fn find(
        repository: &Repository,
        repo_path: &Path,
        branch: &str,
    ) -> Result<Self, GitError> {
        check_branch_name(branch)?;
        let unknown = |_| GitError::unknown(repo_path, branch, ": there is no such branch");
        let found = repository
            .find_reference(&format!("refs/heads/{branch}"))
            .and_then(|found| found.resolve())
            .map_err(unknown)?;
        let commit = found.peel_to_commit().map_err(unknown)?;
        let name = String::from_utf8_lossy(found.name_bytes());
        Ok(Self {
            branch: name
                .strip_prefix("refs/heads/")
                .unwrap_or(branch)
                .to_owned(),
            commit: commit.id(),
        })
    }
}

/// Refuses what git would not take as a branch name, full ref names, and a leading `-`.
///
/// # Errors
/// `InvalidName`.
pub fn check_branch_name(branch: &str) -> Result<(), GitError> {
    let valid = Branch::name_is_valid(branch).unwrap_or(false)
        && branch.len() <= BRANCH_LEN_MAX
        && branch
            .split('/')
            .all(|part| part.len() <= BRANCH_PART_LEN_MAX)
        && !branch.starts_with("refs/")
        && branch != "@"
        && branch != "HEAD";
    valid
        .then_some(())
        .ok_or_else(|| GitError::invalid_name("branch name", branch))
}

/// The commit a branch points at, `None` when there is no such branch.
pub(super) fn branch_tip(repository: &Repository, branch: &str) -> Result<Option<Oid>, GitError> {
    let reference = match repository.find_reference(&format!("refs/heads/{branch}")) {
        Ok(reference) => reference,
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
        Err(error) => return Err(error).context("reading a branch"),
    };
    let commit = reference.peel_to_commit().context("reading a branch")?;
    Ok(Some(commit.id()))
}

/// The commit that a ref names by its full name; `None` also when it cannot be read.
pub(super) fn commit_at(repository: &Repository, reference: &str) -> Option<Oid> {
    let found = repository.find_reference(reference).ok()?;
    found.peel_to_commit().ok().map(|commit| commit.id())
}

/// The branch that HEAD of a repository names.
pub(super) fn head_branch(repository: &Repository) -> Option<String> {
    symbolic(repository, "HEAD", "refs/heads/")
}

/// The default branch of a remote, as it was when it was cloned.
pub(super) fn default_branch_at(repository: &Repository, remote: &str) -> Option<String> {
    let prefix = format!("refs/remotes/{remote}/");
    symbolic(repository, &format!("{prefix}HEAD"), &prefix)
}

/// What a symbolic ref names, without the prefix that it has to have.
fn symbolic(repository: &Repository, reference: &str, prefix: &str) -> Option<String> {
    let found = repository.find_reference(reference).ok()?;
    let target = found.symbolic_target().ok()??;
    target.strip_prefix(prefix).map(str::to_owned)
}

/// Whether a commit is another one, or comes before it.
pub(super) fn is_before(
    repository: &Repository,
    one: Oid,
    other: Oid,
) -> Result<bool, git2::Error> {
    Ok(one == other || repository.graph_descendant_of(other, one)?)
}

/// A walk over a commit and those before it that none of the others has.
pub(super) fn walk<'r>(
    repository: &'r Repository,
    of: Oid,
    without: &[Oid],
) -> Result<Revwalk<'r>, git2::Error> {
    let mut walk = repository.revwalk()?;
    walk.push(of)?;
    without.iter().try_for_each(|other| walk.hide(*other))?;
    Ok(walk)
}

/// What differs between the trees of two commits.
pub(super) fn diff(repository: &Repository, from: Oid, to: Oid) -> Result<Diff<'_>, GitError> {
    let tree = |commit| repository.find_commit(commit)?.tree();
    tree(from)
        .and_then(|from| repository.diff_tree_to_tree(Some(&from), Some(&tree(to)?), None))
        .context("comparing two commits")
}

/// `a` forbids `a/b` and the reverse, since a ref is a file.
///
/// Not handled: names that differ in case only, on a file system that ignores case.
pub(super) fn check_nothing_in_the_way(
    repository: &Repository,
    repo_path: &Path,
    branch: &str,
) -> Result<(), GitError> {
    let in_the_way = |branch: String| GitError::BranchInTheWay {
        branch,
        repo: repo_path.to_owned(),
    };
    for (at, _) in branch.match_indices('/') {
        let above = branch.get(..at).unwrap_or_default();
        if branch_tip(repository, above)?.is_some() {
            return Err(in_the_way(above.to_owned()));
        }
    }
    let mut below = repository
        .references_glob(&format!("refs/heads/{branch}/*"))
        .context("listing branches")?;
    match below.find_map(Result::ok) {
        Some(reference) => {
            let name = String::from_utf8_lossy(reference.name_bytes());
            let name = name.strip_prefix("refs/heads/").unwrap_or(&name);
            Err(in_the_way(name.to_owned()))
        }
        None => Ok(()),
    }
}

fn is_unborn(repository: &Repository) -> bool {
    repository
        .head()
        .is_err_and(|error| matches!(error.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound))
}
