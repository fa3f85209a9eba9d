//! Command line entry.
fn main() {
    if std::env::args_os().nth(1).is_some_and(|arg| arg == "holder") {
        std::process::exit(abbado::pty::holder::run());
    }
}
