//! Black-box tests: real sockets, raw bytes.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests, too, may fail loudly"
)]

mod branches;
mod claude;
mod codex;
mod delivery;
mod errors;
mod forge;
mod gate;
mod keeping;
mod limits;
mod matrix;
mod models;
mod notify;
mod other_clis;
mod programs;
mod pty;
mod pulls;
mod queue;
mod recipe;
mod remotes;
mod runs;
mod scale;
mod secrets;
mod set_up;
mod silence;
mod support;
mod terminal;
mod work;
