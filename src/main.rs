//! Command line entry.

use abbado::cli::{demo, hook_program};

fn main() {
    let mut args = std::env::args_os();
    let argv0 = args.next().unwrap_or_default();
    let subcommand = args.next().unwrap_or_default();
    let code = if subcommand == "hook" || hook_program::called_as_hook(&argv0) {
        hook_program::run()
    } else if subcommand == demo::SUBCOMMAND {
        demo::run()
    } else {
        2
    };
    std::process::exit(code);
}
