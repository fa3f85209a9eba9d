//! Black-box tests: real sockets, raw bytes.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers of tests, too, may fail loudly"
)]

mod approvals;
mod branches;
mod claude;
mod codex;
mod contract;
mod crash;
mod delivery;
mod errors;
mod faults;
mod filters;
mod forge;
mod fuzz;
mod gate;
mod keeping;
mod limits;
mod matrix;
mod methods;
mod models;
mod moved;
mod notify;
mod openapi;
mod other_clis;
mod programs;
mod pty;
mod pulls;
mod queue;
mod recipe;
mod remotes;
mod runs;
mod scale;
mod schemathesis;
mod screens;
mod secrets;
mod set_up;
mod silence;
mod spares;
mod states;
mod stopped;
mod support;
mod survival;
mod terminal;
mod work;
