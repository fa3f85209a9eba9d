//! Repositories, worktrees and checkpoints.
//!
//! Called by the runtime, on blocking threads; every function opens its own `Repository`. git2
//! reads and resolves; the `git` program checks out, stages and moves refs. It is started in one
//! place (`command`), so whatever returns a [`GitError`] can also fail as starting `git` does
//! (`command::Command::run`); "Errors" sections list the others. What must stay true:
//!
//! - a repository is hostile: nothing that its own configuration names is run because we read it,
//!   added a worktree or took a checkpoint (`place`);
//! - a worktree or branch is removed only when it is provably ours;
//! - only a function that is named for it removes a file that git tracks, or would track;
//!   checkpoints are stored under `refs/abbado/` and touch neither the user's branches nor their
//!   index.
//!
//! # Layout
//! - `error`: what can go wrong.
//! - `command`: starts `git`, within limits; `text`: the formats that git prints and reads.
//! - `place`: a git folder with the settings that disarm its `configuration`; `trusted`: the filters
//!   that the user allowed; `filters`: refuses to commit or push files whose filter is off; `stored`:
//!   files that were checked out before their filter was allowed.
//! - `repository`: opens a repository, and looks up branches and commits.
//! - `records`: a repository's records of its worktrees; `open_worktree`: opens one, and recreates a
//!   lost record; `head`: what its HEAD is.
//! - `locks`: one lock a repository; `lock_files`: git's own.
//! - `missing`: fetches the objects that a partial clone lacks.
//! - `ignored`: asks which paths are ignored.
//! - `worktree`, `check_out`, `spare`, `submodules`, `lfs`, `removal`, `copy`: a run's folders.
//! - `index`, `seen`: what git knows of a worktree's files, and what is on disk.
//! - `staging`, `stage`, `surroundings`, `by_hand`: the contents of a worktree, in an index of our own;
//!   `tracked`, `on_disk`: the paths in either; `large`: what is not read; `fifos`: where git would
//!   block; `temporary`: files that are removed with their owner.
//! - `checkpoint`, `exact`, `nested`, `keep`: saves a run's work.
//! - `commit`, `push`, `rename`, `revert`: what people do with a run's work; `identity`: by whom;
//!   `remotes`: where it goes; `conflicts`: what they have to resolve first.
//! - `changes`: a run's work, compared with its base; `own_base` finds the base.
//! - `branches`, `checkouts`: the branches, and where they are checked out.
//! - `merge`, `rebase`, `delete`: what a user does with branches; `draft` prepares commits in memory,
//!   `advance` moves a branch with its checkout, `put_back` undoes a half-finished move.

mod advance;
mod branches;
mod by_hand;
mod changes;
mod check_out;
mod checkouts;
mod checkpoint;
mod command;
mod commit;
mod configuration;
mod conflicts;
mod copy;
mod delete;
mod draft;
mod error;
mod exact;
mod fifos;
mod filters;
mod head;
mod identity;
mod ignored;
mod index;
mod keep;
mod large;
mod lfs;
mod lock_files;
mod locks;
mod merge;
mod missing;
mod nested;
mod on_disk;
mod open_worktree;
mod own_base;
mod place;
mod push;
mod put_back;
mod rebase;
mod records;
mod remotes;
mod removal;
mod rename;
mod repository;
mod revert;
mod seen;
mod spare;
mod sparse;
mod stage;
mod staging;
mod stored;
mod submodules;
mod surroundings;
mod temporary;
mod text;
mod tracked;
mod trusted;
mod worktree;

#[cfg(test)]
mod tests;

pub use branches::{Branch, branches};
pub use changes::{ChangesOf, DiffStats, StatsCache};
pub(crate) use changes::{FileChange, FileStatus, changes};
pub(crate) use check_out::Wanted;
pub(crate) use checkpoint::{Wish, checkpoint, checkpoint_always, left_out, restore};
pub(crate) use commit::commit;
pub(crate) use copy::copy_files;
pub(crate) use delete::delete_user_branch;
use error::Context;
pub use error::{ErrorKind, GitError};
pub(crate) use filters::{check_push, filter_drivers};
pub use head::UnderWay;
pub(crate) use head::{Operation, check, has_commit, tip_of};
pub(crate) use keep::{
    deleted_runs, drop_checkpoints, keep_deleted, keeps_checkpoint, prune_deleted,
};
pub(crate) use locks::RepoLocks;
pub(crate) use merge::{Merged, merge};
pub(crate) use nested::keep_nested;
pub(crate) use own_base::own_base;
pub(crate) use push::{Pushed, push};
pub(crate) use rebase::{Rebased, rebase};
pub(crate) use records::repair_worktree;
pub(crate) use remotes::remotes_of;
pub(crate) use removal::{
    delete_branch_at, holds_nothing, is_in_place, lock_of, remove, remove_run_branch, unlock_branch,
};
pub(crate) use rename::{ToRename, rename_everywhere};
pub use repository::{Inspected, check_branch_name, inspect};
pub(crate) use repository::{check_branch_free, git_dir_of, resolve_commit, source_of};
pub(crate) use revert::{Replaced, restore_in_place, revert};
pub(crate) use spare::{Spare, SpareSpec, forget_spares, make_spare, remove_spare, spares_on_disk};
pub(crate) use stored::fill_in_stored;
pub(crate) use submodules::fill_submodules;
pub(crate) use trusted::{trust_filters, trusts_filters};
pub(crate) use worktree::{Added, WorktreeSpec, add_worktrees, date_index};

#[cfg(test)]
use {
    changes::diff_stats,
    copy::{COPY_FILES_MAX, Copied},
    removal::delete_branch,
    rename::rename_branch,
    tests::{take, take_always},
    worktree::add_all,
};
