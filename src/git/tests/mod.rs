//! Tests of the room: real repositories and the real `git`, in folders that go afterwards.

mod changes;
mod checkpoints;
mod copying;
mod hostile;
mod keeping;
mod random_trees;
mod repositories;
mod shipping;
mod support;
mod undoing;
mod worktrees;

pub(super) use support::hermetic_environment;
