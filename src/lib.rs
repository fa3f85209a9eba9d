//! abbado runs AI coding CLIs, each in its own git worktree, and keeps all they do as an event log.

#![cfg_attr(not(test), warn(unreachable_pub))]
#![cfg_attr(
    test,
    allow(
        clippy::wildcard_enum_match_arm,
        reason = "a test looks for one variant"
    )
)]

pub mod app;
pub mod cli;
pub mod config;
pub mod demo;
mod detached;
pub mod doctor;
pub mod domain;
pub mod fault;
mod files;
pub mod forge;
pub mod git;
pub mod http;
pub mod notify;
mod output;
mod proc_stat;
pub mod pty;
pub mod runtime;
mod sockets;
pub mod store;
mod tls;
