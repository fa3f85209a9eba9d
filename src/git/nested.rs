//! Repositories inside a worktree, submodules and clones that an agent made: a checkpoint has
//! them as the commit that is checked out, so their own work needs keeping before they go. So does that
//! of other worktrees of the same repository, which CLIs make there for their subagents, ignored or not.
//!
//! Called when a run is deleted, before its worktree is removed.

use super::{
    GitError,
    command::{Command, HEAVY},
    keep, large,
    place::Place,
    records, repository,
    staging::Staging,
    text::{all_but, items, line, os_string, staged},
    worktree,
};
use crate::domain::{
    RunId,
    run::event::{LeftOut, WorktreeAt},
};
use crate::files;
use git2::{Oid, Repository};
use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// How deep nested repositories are followed into one another.
const DEPTH_MAX: usize = 8;

/// Keeps what a worktree's nested repositories hold, and answers what could not be kept:
/// `refs/abbado/deleted/<run id>/nested/<n>/work` is a commit of all files (ignored ones
/// aside) on top of the commit that was checked out, and `…/refs/…` are its own refs. Its message
/// tells the path. Where git cannot fetch from it, `…/git` has the files of its git folder.
///
/// A submodule or worktree in which nothing was done needs no keeping.
///
/// # Errors
/// `WorktreeGone`, `NotARepository`, and those of starting `git`: then the worktree must stay.
pub(crate) fn keep_nested(
    at: &WorktreeAt,
    repo_path: &Path,
    run_id: RunId,
) -> Result<Vec<LeftOut>, GitError> {
    let staging = Staging::open(at, repo_path)?;
    // What the worktree itself cannot hold is told by its checkpoint.
    staging.stage()?;
    let mut job = Job {
        repo_path,
        git_dir: staging.place.git_dir().to_owned(),
        under: format!("{}nested", keep::deleted_refs(run_id)),
        kept: 0,
        left_out: Vec::new(),
    };
    let common_dir = repository::common_dir(&staging.repository)?;
    let mut paths = nested(|name| staging.git(name))?;
    for entry in records::inside(&common_dir, &at.worktree)? {
        let folder = entry.dot_git.parent().map(records::resolved);
        let root = records::resolved(&at.worktree);
        let path = folder.and_then(|folder| Some(folder.strip_prefix(root).ok()?.to_owned()));
        paths.extend(path.filter(|path| !paths.contains(path)));
    }
    for path in paths {
        job.keep(&at.worktree, &path, 0)?;
    }
    Ok(job.left_out)
}

/// Paths of those in an index, and of those without a commit, which cannot be there.
fn nested<'a>(git: impl Fn(&'static str) -> Command<'a>) -> Result<Vec<PathBuf>, GitError> {
    let ls_files = || git("git ls-files").args(["ls-files", "-z"]);
    let listed = ls_files().arg("--stage").run()?;
    let others = ls_files().args(["--others", "--exclude-standard"]).run()?;
    let submodules = staged(&listed).filter(|file| file.mode == "160000");
    let unborn = items(&others).filter_map(|path| path.strip_suffix(b"/"));
    let paths = submodules.map(|file| file.path).chain(unborn);
    Ok(paths.map(|path| PathBuf::from(os_string(path))).collect())
}

struct Job<'a> {
    repo_path: &'a Path,
    /// Where all is kept: the worktree's record in the outer repository.
    git_dir: PathBuf,
    under: String,
    kept: usize,
    left_out: Vec<LeftOut>,
}

impl Job<'_> {
    fn keep(&mut self, root: &Path, shown: &Path, depth: usize) -> Result<(), GitError> {
        let folder = root.join(shown);
        // An empty folder stands for a submodule that was never filled.
        if depth >= DEPTH_MAX || fs::symlink_metadata(folder.join(".git")).is_err() {
            return Ok(());
        }
        let of_ours = self.is_worktree_of_ours(&folder);
        let only_borrowed = of_ours || self.only_borrows(&folder);
        let under = format!("{}/{}", self.under, self.kept + 1);
        let place = Place::open(&self.git_dir, &folder)?;
        let head = repository::head_of(&folder).and_then(|head| {
            if head.is_some() {
                fetch(&place, &folder, &under, !only_borrowed)?;
            }
            Ok(head)
        });
        let head = match head {
            Ok(head) => head,
            Err(error @ (GitError::TimedOut { .. } | GitError::Io { .. })) => return Err(error),
            // Of a format that the outer repository cannot hold, or damaged.
            Err(error) => {
                log::debug!(error:% = error; "Saving a nested repository as plain files.");
                self.keep_git_folder(&folder, &under, shown)?;
                None
            }
        };
        let commit = head.as_deref().and_then(|head| Oid::from_str(head).ok());
        let staging = Staging::of_nested(place, repository::open(self.repo_path)?, commit);
        for left in staging.stage()? {
            self.leave_out(shown, &left.path, &left.why);
        }
        let tree = staging.write_tree()?;
        let place = &staging.place;
        let head_tree = match &head {
            Some(head) => {
                let parse = place.git("git rev-parse").args(["rev-parse", "--verify"]);
                Some(line(&parse.arg(format!("{head}^{{tree}}")).run()?))
            }
            None => None,
        };
        let is_kept = only_borrowed && head_tree.as_deref() == Some(&tree);
        if is_kept && (!of_ours || !self.is_alone(&staging)?) {
            drop_ref(place, &format!("{under}/head"))?;
        } else {
            self.commit(place, &under, shown, &tree, head.as_deref())?;
        }
        for below in nested(|name| staging.git(name))? {
            self.keep(root, &shown.join(below), depth + 1)?;
        }
        Ok(())
    }

    /// Keeps the git folder of a repository file by file, as `…/git`.
    fn keep_git_folder(
        &mut self,
        folder: &Path,
        under: &str,
        shown: &Path,
    ) -> Result<(), GitError> {
        let git_folder = folder.join(".git");
        // A file leads to a folder elsewhere, which stays.
        if !files::is_folder(&git_folder) {
            return Ok(());
        }
        let place = Place::open(&self.git_dir, &git_folder)?;
        let staging = Staging::of_nested(place, repository::open(self.repo_path)?, None);
        let large = large::below(&git_folder);
        for path in &large {
            let shown = shown.join(".git");
            self.leave_out(&shown, &path.to_string_lossy(), &large::why());
        }
        let large = large.iter().map(|path| path.as_os_str().as_bytes());
        let add = staging.git("git add");
        add.args(["-c", "core.autocrlf=false", "add", "--all", "--force"])
            .args(["--pathspec-from-file=-", "--pathspec-file-nul"])
            .input(all_but(large))
            .run()?;
        let message = format!("abbado: the git folder of {}, kept\n", shown.display());
        let tree = staging.write_tree()?;
        let commit = keep::write_commit(&staging.place, &tree, &[], message)?;
        keep::set_ref(&staging.place, &format!("{under}/git"), &commit)
    }

    fn leave_out(&mut self, shown: &Path, below: &str, why: &str) {
        self.left_out.push(LeftOut {
            path: format!("{}/{below}", shown.display()),
            why: why.to_owned(),
        });
    }

    /// Files all of it as one commit, which stands for the HEAD too.
    fn commit(
        &mut self,
        place: &Place,
        under: &str,
        shown: &Path,
        tree: &str,
        head: Option<&str>,
    ) -> Result<(), GitError> {
        let message = format!("abbado: work in {}, kept\n", shown.display());
        let head: Vec<_> = head.map(str::to_owned).into_iter().collect();
        let commit = keep::write_commit(place, tree, &head, message)?;
        keep::set_ref(place, &format!("{under}/work"), &commit)?;
        if !head.is_empty() {
            drop_ref(place, &format!("{under}/head"))?;
        }
        self.kept += 1;
        Ok(())
    }

    /// Whether a folder is another worktree of the repository that this one is of.
    fn is_worktree_of_ours(&self, folder: &Path) -> bool {
        let common_dir = repository::git_dir_of(self.repo_path);
        let found = common_dir.and_then(|common_dir| records::find(&common_dir, folder));
        found.is_ok_and(|found| found.is_some())
    }

    /// Whether the commit that is checked out is on no branch: it goes with the worktree then.
    fn is_alone(&self, staging: &Staging) -> Result<bool, GitError> {
        let Some(head) = staging.head else {
            return Ok(false);
        };
        let globs = ["refs/heads/*", "refs/remotes/*", "refs/tags/*"];
        keep::has_own_commits(&staging.repository, head, &globs, None)
    }

    /// Whether a nested repository is one that we made for a submodule, and still has no ref and
    /// no object of its own: then all its commits are the user's.
    fn only_borrows(&self, folder: &Path) -> bool {
        let Ok(repository) = Repository::open(folder) else {
            return false;
        };
        let git_dir = records::resolved(repository.path());
        let any_ref = repository
            .references()
            .map_or(true, |mut all| all.next().is_some());
        let is_empty = |folder: &Path| {
            fs::read_dir(folder).is_ok_and(|items| {
                items.flatten().all(|item| {
                    let name = item.file_name();
                    name == "info" || name == "pack" && worktree::is_vacant(&item.path())
                })
            })
        };
        git_dir.starts_with(self.git_dir.join("modules"))
            && !any_ref
            && is_empty(&git_dir.join("objects"))
    }
}

/// Brings the commit that is checked out in a nested repository here, and its refs if wanted.
fn fetch(place: &Place, folder: &Path, under: &str, refs: bool) -> Result<(), GitError> {
    let mut refspecs = vec![format!("+HEAD:{under}/head")];
    if refs {
        refspecs.push(format!("+refs/*:{under}/refs/*"));
    }
    place
        .git("git fetch")
        .args(["-c", "protocol.file.allow=always", "fetch", "--quiet"])
        .args([
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
        ])
        .arg("--")
        .arg(folder)
        .args(refspecs)
        .limit(HEAVY)
        .run()
        .map(drop)
}

fn drop_ref(place: &Place, reference: &str) -> Result<(), GitError> {
    let update = place.git("git update-ref");
    update
        .args(["update-ref", "-d", "--", reference])
        .run()
        .map(drop)
}
