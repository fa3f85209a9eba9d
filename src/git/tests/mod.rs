//! Tests with real repositories and the real `git`, in folders that are removed afterwards.

mod branching;
mod caching;
mod changes;
mod checkpoints;
mod copying;
mod deleting;
mod exact;
mod filters;
mod head_states;
mod histories;
mod hostile;
mod keeping;
mod large;
mod lfs;
mod locks;
mod merging;
mod own_bases;
mod partial_clones;
mod random_trees;
mod rebasing;
mod refusals;
mod repairing;
mod repositories;
mod shipping;
mod spares;
mod submodules;
mod support;
mod undoing;
mod worktrees;

pub(super) use support::{before_ref, hermetic_environment, take, take_always};
