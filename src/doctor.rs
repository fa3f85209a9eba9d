//! `abbado doctor`: checks for problems and says how to fix them. It changes nothing.

mod data;
mod programs;
mod runs;

use crate::config::Config;
use std::io::Write;

/// Runs all checks and prints one line each.
///
/// # Errors
/// The number of problems, as a sentence, when there are any.
pub fn run(config: &Config) -> Result<(), String> {
    let mut report = Report::default();
    programs::look(config, &mut report);
    if let Some(reader) = data::look(config, &mut report) {
        runs::look(config, &reader, &mut report);
    }
    match report.problems {
        0 => Ok(()),
        1 => Err("1 problem to fix".into()),
        many => Err(format!("{many} problems to fix")),
    }
}

/// Counts and prints the results of checks.
#[derive(Default)]
struct Report {
    problems: usize,
}

impl Report {
    /// Prints a check that passed.
    fn fine(&mut self, line: impl std::fmt::Display) {
        self.line("ok  ", &line);
    }

    /// Prints a problem and how to fix it.
    fn fix(&mut self, problem: impl std::fmt::Display, how: impl std::fmt::Display) {
        self.problems += 1;
        self.line("FIX ", &format_args!("{problem}: {how}"));
    }

    #[expect(
        clippy::unused_self,
        reason = "lines and problems are counted in one place"
    )]
    fn line(&mut self, mark: &str, line: &dyn std::fmt::Display) {
        // A closed stdout is not an error.
        drop(writeln!(std::io::stdout().lock(), "{mark}  {line}"));
    }
}

/// A path as a shell takes it.
fn quoted(path: &std::path::Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
