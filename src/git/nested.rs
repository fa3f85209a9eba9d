//! Repositories inside a worktree: submodules, and clones that an agent made. A checkpoint has only the
//! commit that is checked out in them, so their work is saved before they are removed. The same is true
//! of other worktrees of the same repository, which CLIs create there for their subagents.
//!
//! Called when a run is deleted, before its worktree is removed.

use super::{
    GitError,
    command::{Command, HEAVY},
    keep, large,
    place::Place,
    records, repository,
    staging::Staging,
    text::{all_but, items, os_string, staged},
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

/// Saves the work in a worktree's nested repositories, and returns what could not be saved:
/// `refs/abbado/deleted/<run id>/nested/<n>/work` is a commit of all files (ignored ones
/// aside) on top of the commit that was checked out, and `…/refs/…` are its own refs. Its message
/// has the path. Where git cannot fetch from it, `…/git` has the files of its git folder.
///
/// A submodule or worktree without work of its own is not saved.
///
/// # Errors
/// `WorktreeGone`, `NotARepository`, and those of starting `git`: then the worktree must stay.
pub(crate) fn keep_nested(
    at: &WorktreeAt,
    repo_path: &Path,
    run_id: RunId,
) -> Result<Vec<LeftOut>, GitError> {
    let staging = Staging::open(at, repo_path)?;
    // What the worktree itself leaves out is reported by its checkpoint.
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
    let listed = git("ls-files -z --stage").run()?;
    let others = git("ls-files -z --others --exclude-standard").run()?;
    let submodules = staged(&listed).filter(|file| file.mode == "160000");
    let unborn = items(&others).filter_map(|path| path.strip_suffix(b"/"));
    let paths = submodules.map(|file| file.path).chain(unborn);
    Ok(paths.map(|path| PathBuf::from(os_string(path))).collect())
}

struct Job<'a> {
    repo_path: &'a Path,
    /// Where all is saved: the worktree's record in the outer repository.
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
            // It is damaged, or of a format that the outer repository cannot store.
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
                let parse = place.git("rev-parse --verify");
                Some(parse.arg(format!("{head}^{{tree}}")).run_line()?)
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

    /// Saves the git folder of a repository file by file, as `…/git`.
    fn keep_git_folder(
        &mut self,
        folder: &Path,
        under: &str,
        shown: &Path,
    ) -> Result<(), GitError> {
        let git_folder = folder.join(".git");
        // A file names a folder elsewhere, which is not removed.
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
        let add = staging.git("add --all --force --pathspec-from-file=- --pathspec-file-nul");
        let add = add.config("core.autocrlf=false");
        add.input(all_but(large)).run()?;
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

    /// Saves all of it as one commit on top of its HEAD.
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

    /// Whether the commit that is checked out is on no branch, and would be lost with the worktree.
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

/// Fetches the commit that is checked out in a nested repository, and its refs when `refs` is set.
fn fetch(place: &Place, folder: &Path, under: &str, refs: bool) -> Result<(), GitError> {
    let mut refspecs = vec![format!("+HEAD:{under}/head")];
    if refs {
        refspecs.push(format!("+refs/*:{under}/refs/*"));
    }
    place
        .git("fetch --quiet --no-tags --no-write-fetch-head --no-recurse-submodules --")
        .config("protocol.file.allow=always")
        .arg(folder)
        .args(refspecs)
        .limit(HEAVY)
        .run()
        .map(drop)
}

fn drop_ref(place: &Place, reference: &str) -> Result<(), GitError> {
    let update = place.git("update-ref -d --");
    update.arg(reference).run().map(drop)
}
