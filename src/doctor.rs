//! `abbado doctor`: looks for trouble, and says how to mend it. Changes nothing.

mod data;
mod programs;
mod runs;

use crate::config::Config;
use std::io::Write;

/// Looks at everything and prints a line each.
///
/// # Errors
/// A sentence when something needs mending.
pub fn run(config: &Config) -> Result<(), String> {
    let mut report = Report::default();
    programs::look(config, &mut report);
    if let Some(reader) = data::look(config, &mut report) {
        runs::look(config, &reader, &mut report);
    }
    match report.troubles {
        0 => Ok(()),
        1 => Err("one thing needs mending".into()),
        many => Err(format!("{many} things need mending")),
    }
}

/// What was found so far.
#[derive(Default)]
struct Report {
    troubles: usize,
}

impl Report {
    /// Nothing to mend.
    fn fine(&mut self, line: impl std::fmt::Display) {
        self.line("ok  ", &line);
    }

    /// Trouble, and how to mend it.
    fn mend(&mut self, trouble: impl std::fmt::Display, how: impl std::fmt::Display) {
        self.troubles += 1;
        self.line("MEND", &format_args!("{trouble}: {how}"));
    }

    #[expect(
        clippy::unused_self,
        reason = "lines and troubles are counted in one place"
    )]
    fn line(&mut self, mark: &str, line: &dyn std::fmt::Display) {
        // A closed stdout ends nothing.
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
