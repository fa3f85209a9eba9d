//! Black-box tests: real sockets, raw bytes.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests, too, may fail loudly"
)]

mod claude;
mod errors;
mod forge;
mod gate;
mod programs;
mod pty;
mod runs;
mod support;
