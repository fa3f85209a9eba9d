//! abbado runs AI coding CLIs, each in its own git worktree, and keeps all they do as an event log.

pub mod app;
pub mod cli;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod domain;
pub mod fault;
pub mod git;
pub mod http;
pub mod pty;
pub mod runtime;
pub mod store;
