//! The line of `/proc/<pid>/stat`: `<pid> (<name>) <state> …`, fields counted from 1 as in proc(5).

use std::{fs::File, io::Read, str::FromStr};

/// Upper bound of a line's length: a name and fifty numbers of up to 20 digits.
const LINE_LEN_MAX: usize = 2048;

/// The line of a process; none when it has ended.
#[must_use]
pub(crate) fn line(pid: u32) -> Option<String> {
    let mut line = [0; LINE_LEN_MAX];
    let mut file = File::open(format!("/proc/{pid}/stat")).ok()?;
    // The kernel writes the line anew for each read, all of it at once.
    let length = file.read(&mut line).ok()?;
    // A process may give itself a name that is not UTF-8.
    Some(String::from_utf8_lossy(line.get(..length)?).into_owned())
}

/// The fields of a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stat<'a> {
    /// Field 2, without its parentheses; it may hold spaces and parentheses itself.
    pub name: &'a str,
    /// The fields after the name.
    rest: &'a str,
}

impl<'a> Stat<'a> {
    /// Finds the name in a line.
    #[must_use]
    pub(crate) fn parse(line: &'a str) -> Option<Self> {
        let (head, rest) = line.rsplit_once(')')?;
        let (_, name) = head.split_once('(')?;
        Some(Self { name, rest })
    }

    /// A field after the name, from 3 on.
    #[must_use]
    pub(crate) fn field<T: FromStr>(&self, number: usize) -> Option<T> {
        let at = number.checked_sub(3)?;
        self.rest.split_ascii_whitespace().nth(at)?.parse().ok()
    }

    /// The state, field 3: `R`, `S`, `T` …
    #[must_use]
    pub(crate) fn state(&self) -> Option<char> {
        self.field(3)
    }

    /// Whether it has ended (a zombie or dead).
    #[must_use]
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state(), Some('Z' | 'X'))
    }
}
