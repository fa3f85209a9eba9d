//! Repositories, worktrees and checkpoints.
//!
//! Called by the runtime, on blocking threads; every function opens its own `Repository`. git2
//! reads and resolves; the `git` program checks out, stages and moves refs, started in one place
//! (`command`), so that whatever answers a [`GitError`] may fail as a start of `git` does
//! (`command::Command::run`); its other errors are said beside it. What must stay true:
//!
//! - a repository is hostile: nothing that its own configuration names is run because we looked
//!   at it, added a worktree or took a checkpoint (`place`);
//! - a worktree or branch is removed only when it is provably ours;
//! - no file that git tracks, or would track, is dropped by a function here that is not named
//!   for it; checkpoints live under `refs/abbado/` and touch no branch and no index of the user.
//!
//! # Layout
//! - `error`: what can go wrong.
//! - `command`: starts `git`, with bounds; `text`: what it prints and reads.
//! - `place`: a git folder together with the settings that disarm its `configuration`;
//!   `trusted`: what of it the user allowed; `filters`: what must not be committed or pushed without
//!   it; `stored`: files from before that.
//! - `repository`: looks at what a user gave us.
//! - `records`: what a repository keeps of its worktrees, and `mend` makes again; `head`: what HEAD
//!   of one is.
//! - `locks`: one lock a repository; `lock_files`: those of git itself.
//! - `missing`: fetches what a partial clone lacks.
//! - `tree`, `ignored`: looks through a commit's files; asks which paths are ignored.
//! - `worktree`, `check_out`, `spare`, `submodules`, `lfs`, `removal`, `copy`: a run's folders.
//! - `index`, `seen`: what git knows of a worktree's files, and what is there.
//! - `staging`, `stage`, `surroundings`, `by_hand`: the contents of a worktree, in an index of our own;
//!   `tracked`, `on_disk`: the paths of both; `large`: what is not read; `fifos`: where git would wait.
//! - `checkpoint`, `exact`, `nested`, `keep`, `deleted`: a run's work, kept.
//! - `commit`, `push`, `rename`, `revert`: what people do with a run's work; `identity`: by whom;
//!   `remotes`: where it goes.
//! - `changes`: a run's work, compared with what it began with; `own_base` finds that.
//! - `branches`, `checkouts`: what branches there are, and where they are checked out.
//! - `merge`, `rebase`, `delete`: what a user does with them; `draft` thinks in memory, `advance`
//!   moves a branch with its checkout, `put_back` undoes that half way.

mod advance;
mod branches;
mod by_hand;
mod change;
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
mod deleted;
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
mod mend;
mod merge;
mod missing;
mod nested;
mod on_disk;
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
mod text;
mod tracked;
mod tree;
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
pub(crate) use deleted::{deleted_runs, prune_deleted};
pub use error::{ErrorKind, GitError};
pub(crate) use filters::{check_push, filter_drivers};
pub use head::UnderWay;
pub(crate) use head::{Operation, check, has_commit, tip_of};
pub(crate) use keep::{drop_checkpoints, keep_deleted, keeps_checkpoint};
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
