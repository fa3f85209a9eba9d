//! Repositories, worktrees and checkpoints.
//!
//! Called by the runtime, on blocking threads; every function opens its own `Repository`. git2
//! reads and resolves; the `git` program checks out, stages and moves refs, started in one place
//! (`command`). What must stay true:
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
#[cfg(test)]
use changes::diff_stats;
pub use changes::{Changed, ChangesOf, DiffStats, FileChange, FileStatus, StatsCache, changes};
pub use check_out::Wanted;
pub use checkpoint::{Wish, checkpoint, checkpoint_always, left_out, restore};
pub use commit::{Committed, commit};
pub use copy::{COPY_BYTES_MAX, COPY_FILES_MAX, Copied, copy_files};
pub use delete::delete_user_branch;
pub use deleted::{DeletedRun, deleted_runs, prune_deleted};
pub use error::{ErrorKind, GitError};
pub use filters::{check_push, filter_drivers};
pub use head::{Operation, UnderWay, check, has_commit, tip_of};
pub use keep::{drop_checkpoints, keep_deleted, keeps_checkpoint};
pub use locks::RepoLocks;
pub use merge::{Merged, merge};
pub use nested::keep_nested;
pub use own_base::own_base;
pub use push::{Pushed, push};
pub use rebase::{REBASE_COMMITS_MAX, Rebased, rebase};
pub use records::repair_worktree;
pub use remotes::{RemoteOf, Remotes, remotes_of};
pub use removal::{
    delete_branch, delete_branch_at, holds_nothing, is_in_place, lock_of, remove,
    remove_run_branch, unlock_branch,
};
pub use rename::{ToRename, rename_branch, rename_everywhere};
pub use repository::{
    Inspected, check_branch_free, check_branch_name, git_dir_of, inspect, resolve_commit, source_of,
};
pub use revert::{Replaced, restore_in_place, revert};
pub use spare::{Spare, SpareSpec, forget_spares, make_spare, remove_spare, spares_on_disk};
pub use stored::fill_in_stored;
pub use submodules::fill_submodules;
#[cfg(test)]
use tests::{take, take_always};
pub use trusted::{trust_filters, trusts_filters};
#[cfg(test)]
use worktree::add_all;
pub use worktree::{Added, WorktreeSpec, add_worktrees, date_index};
