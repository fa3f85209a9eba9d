//! The hook program by itself: `abbado hook` in a program that is small, so that it starts in half
//! the time. A CLI starts it for every hook, and waits for it.

use abbado::cli::hook_program;
use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(u8::try_from(hook_program::run()).unwrap_or(1))
}
