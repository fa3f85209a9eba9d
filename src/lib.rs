//! abbado runs AI coding CLIs, each in its own git worktree, and keeps all they do as an event log.

pub mod cli;
pub mod domain;
