//! Checkpoints: the contents of a worktree, stored as a commit on a hidden ref, and restored.
//!
//! Called by the runtime on pause, revert, restore, delete and at the end of a turn. What must stay
//! true: no branch moves, taking one writes no index but its own, and what a ref names can be read
//! after a power cut (objects are flushed before the ref is written).
//!
//! The tree is what `git add --all` would make of the worktree: line endings and the user's own
//! filters (LFS) are applied, as in a commit. A file that git refuses is stored as it is on disk. Where
//! a checkout would write other bytes than those on disk, a second commit has them ([`exact`]); it is
//! the last parent, and the message names it. What cannot be read is reported. A nested repository is
//! stored as the commit that is checked out in it, without its contents.
//!
//! # Crash
//! Before the ref is written nothing refers to the objects. Afterwards the same number is used again,
//! and the ref replaced.

use super::{
    Context, GitError, exact, head::Head, keep, repository, sparse, staging::Staging,
    temporary::TemporaryIndex, text::list,
};
use crate::domain::{
    RunId,
    run::event::{CheckpointAt, LeftOut, WorktreeAt},
};
use git2::{Commit, ErrorCode, Oid};
use std::path::Path;

/// Begins the line of a message that names the commit with the exact bytes.
const EXACT: &str = "Abbado-Exact: ";

/// A checkpoint that is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish<'a> {
    /// The worktree.
    pub at: &'a WorktreeAt,
    /// The user's checkout.
    pub repo_path: &'a Path,
    /// The run.
    pub run_id: RunId,
    /// The checkpoint's number.
    pub number: u32,
    /// Why it is taken.
    pub reason: &'a str,
    /// The commit that the run began with, in hex.
    pub base_commit: &'a str,
    /// The last checkpoint of the worktree.
    pub previous: Option<&'a CheckpointAt>,
}

/// Stores the worktree under `refs/abbado/checkpoints/<run id>/<number>`.
///
/// Returns `None` when there is nothing to store: the worktree is as in the previous checkpoint, or,
/// without one, as in the base commit; and HEAD itself is reachable from a ref.
///
/// # Errors
/// `WorktreeGone`, `NotARepository`, and those of starting `git`.
pub(crate) fn checkpoint(wish: Wish<'_>) -> Result<Option<CheckpointAt>, GitError> {
    let staging = Staging::open(wish.at, wish.repo_path)?;
    let contents = Contents::of(&staging, &wish)?;
    let known = match wish.previous {
        Some(kept) => {
            contents.tree == kept.tree
                && contents.exact == kept.exact
                && contents.left_out == kept.left_out
        }
        None => {
            let base = commit_tree(&staging, wish.base_commit)?;
            base.is_some_and(|tree| tree == contents.tree)
                && contents.exact.is_none()
                && contents.left_out.is_empty()
        }
    };
    let known = known && contents.staged_is_kept(&staging, &wish);
    if known && heads_are_kept(&staging, wish.at)? {
        return Ok(None);
    }
    commit(&staging, wish, contents).map(Some)
}

/// Stores the worktree, also when nothing changed: before a branch moves, since the checkpoint's
/// parent is the former tip.
///
/// # Errors
/// Those of [`checkpoint`].
pub(crate) fn checkpoint_always(wish: Wish<'_>) -> Result<CheckpointAt, GitError> {
    let staging = Staging::open(wish.at, wish.repo_path)?;
    let contents = Contents::of(&staging, &wish)?;
    commit(&staging, wish, contents)
}

/// What a checkpoint would have to leave out now; nothing is stored.
///
/// # Errors
/// Those of [`checkpoint`].
pub(crate) fn left_out(at: &WorktreeAt, repo_path: &Path) -> Result<Vec<LeftOut>, GitError> {
    Staging::open_apart(at, repo_path)?.stage()
}

/// What a worktree holds.
struct Contents {
    /// A tree, in hex.
    tree: String,
    exact: Option<String>,
    left_out: Vec<LeftOut>,
    /// The tree of the worktree's index, when it holds something that neither HEAD nor the files
    /// do.
    staged: Option<String>,
}

impl Contents {
    fn of(staging: &Staging, wish: &Wish<'_>) -> Result<Self, GitError> {
        // An index with conflicts cannot be written as a tree; the sides are in commits.
        let index = staging.index_path().map(|_| staging.write_tree());
        let index = index.and_then(Result::ok);
        let left_out = staging.stage()?;
        let former = wish.previous.and_then(|kept| kept.exact.as_deref());
        let tree = staging.write_tree()?;
        let head = staging.head.map(|head| head.to_string());
        let head = head.map(|head| commit_tree(staging, &head)).transpose()?;
        let of_head = |index: &String| head.as_ref().and_then(Option::as_ref) == Some(index);
        Ok(Self {
            staged: index.filter(|index| *index != tree && !of_head(index)),
            tree,
            exact: exact::keep(staging, wish.base_commit, former)?,
            left_out,
        })
    }

    /// Whether the checkpoint before has what was only staged.
    fn staged_is_kept(&self, staging: &Staging, wish: &Wish<'_>) -> bool {
        let Some(staged) = &self.staged else {
            return true;
        };
        let before = index_ref(wish.run_id, wish.number.saturating_sub(1));
        let kept = staging.repository.find_reference(&before);
        let kept = kept.and_then(|kept| kept.peel_to_tree());
        kept.is_ok_and(|tree| tree.id().to_string() == *staged)
    }
}

/// Gives the worktree the contents of a commit, and its index those of HEAD.
///
/// Files that are tracked now, or would be, and are not in the commit are removed; take a
/// checkpoint first. What is ignored now stays, unless the commit has a file of that name.
///
/// # Errors
/// `UnknownRevision` when the commit is gone, `WorktreeGone`, and those of starting `git`.
pub(crate) fn restore(
    worktree: &WorktreeAt,
    repo_path: &Path,
    commit: &str,
) -> Result<(), GitError> {
    let staging = Staging::open(worktree, repo_path)?;
    let commit = repository::find_commit(&staging.repository, repo_path, commit)?;
    let exact = match exact_of(&commit) {
        Some(id) => {
            let exact = staging.repository.find_commit(id);
            let exact = exact.context("reading a checkpoint")?;
            exact::kept(&staging, exact.tree_id())?
        }
        None => Vec::new(),
    };
    // Present contents first: they tell git what to remove, by the present ignore rules. By those of
    // the commit it could remove a file that no checkpoint has.
    staging.stage()?;
    let differing = sparse::differing(&staging, commit.tree_id())?;
    staging
        .git("read-tree --reset -u --no-recurse-submodules")
        .config("checkout.workers=0")
        .arg(without(&staging, &commit, &exact)?)
        .run()?;
    sparse::write(&staging, &differing)?;
    for file in &exact {
        exact::put_back(&staging.place, file)?;
    }
    staging.reset_index()?;
    sparse::show(&staging, &differing)?;
    // Records the times of the files just written.
    staging.git("update-index").refresh()?;
    staging.install_index()
}

/// The tree of a commit without some of its files, in hex: git must not try to convert them.
fn without(
    staging: &Staging,
    commit: &Commit<'_>,
    files: &[exact::Kept],
) -> Result<String, GitError> {
    let tree = commit.tree_id().to_string();
    if files.is_empty() {
        return Ok(tree);
    }
    let index = TemporaryIndex::empty(staging.place.git_dir());
    let git = |name| staging.any_names(name).env("GIT_INDEX_FILE", &index.path);
    git("read-tree").arg(&tree).run()?;
    let paths = list(files.iter().map(|file| &file.path));
    let update = git("update-index --force-remove -z --stdin");
    update.input(paths).run()?;
    git("write-tree").run_line()
}

/// The commit with the exact bytes of a checkpoint.
fn exact_of(commit: &Commit<'_>) -> Option<Oid> {
    let message = String::from_utf8_lossy(commit.message_bytes());
    let named = message.lines().find_map(|line| line.strip_prefix(EXACT))?;
    let named = Oid::from_str(named).ok()?;
    commit.parent_ids().find(|parent| *parent == named)
}

/// The ref of what was only staged.
fn index_ref(run_id: RunId, number: u32) -> String {
    format!("{}{number}-index", keep::checkpoint_refs(run_id))
}

fn commit(staging: &Staging, wish: Wish<'_>, contents: Contents) -> Result<CheckpointAt, GitError> {
    let mut message = format!("abbado checkpoint {}: {}\n", wish.number, wish.reason);
    let heads = heads(staging, wish.at)?;
    let mut parents: Vec<_> = heads.iter().map(Oid::to_string).collect();
    if let Some(tree) = &contents.exact {
        let number = wish.number;
        let said = format!("abbado checkpoint {number}: files as they lay on disk\n");
        let exact = keep::write_commit(&staging.place, tree, &[], said)?;
        message.push_str(&format!("\n{EXACT}{exact}\n"));
        parents.push(exact);
    }
    let commit = keep::write_commit(&staging.place, &contents.tree, &parents, message)?;
    if let Some(tree) = &contents.staged {
        let said = format!("abbado checkpoint {}: the index\n", wish.number);
        let index = keep::write_commit(&staging.place, tree, &[], said)?;
        let reference = index_ref(wish.run_id, wish.number);
        keep::set_ref(&staging.place, &reference, &index)?;
    }
    let reference = format!("{}{}", keep::checkpoint_refs(wish.run_id), wish.number);
    crate::fault::point("checkpoint.before_ref");
    keep::set_ref(&staging.place, &reference, &commit)?;
    crate::fault::point("checkpoint.after_ref");
    Ok(CheckpointAt {
        repo_id: wish.at.repo_id,
        repo_name: wish.at.name.clone(),
        commit,
        tree: contents.tree,
        exact: contents.exact,
        left_out: contents.left_out,
    })
}

/// The tree of a commit, in hex; none when it is not there.
fn commit_tree(staging: &Staging, commit: &str) -> Result<Option<String>, GitError> {
    let found = Oid::from_str(commit).and_then(|id| staging.repository.find_commit(id));
    match found {
        Ok(commit) => Ok(Some(commit.tree_id().to_string())),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error).context("reading a commit"),
    }
}

/// The commit of HEAD first, then those that nothing but the worktree's state may name.
fn heads(staging: &Staging, at: &WorktreeAt) -> Result<Vec<Oid>, GitError> {
    let head = Head::read(&staging.repository, staging.place.git_dir(), &at.branch)?;
    Ok(head.commit.into_iter().chain(head.others).collect())
}

/// Whether these commits would survive without the worktree: a detached HEAD may hold commits
/// that no ref names.
fn heads_are_kept(staging: &Staging, at: &WorktreeAt) -> Result<bool, GitError> {
    let everywhere = [
        "refs/heads/*",
        "refs/remotes/*",
        "refs/tags/*",
        "refs/abbado/*",
    ];
    for head in heads(staging, at)? {
        if keep::has_own_commits(&staging.repository, head, &everywhere, None)? {
            return Ok(false);
        }
    }
    Ok(true)
}
