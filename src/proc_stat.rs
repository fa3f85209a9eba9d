//! The line of `/proc/<pid>/stat`: `<pid> (<name>) <state> …`, fields counted from 1 as in proc(5).

use std::{fs::File, io::Read, ops::Range, str::FromStr};

/// Upper bound of a line's length: a name and fifty numbers of up to 20 digits.
const LINE_LEN_MAX: usize = 2048;

/// The line of a process.
#[derive(Debug)]
pub(crate) struct Stat {
    line: String,
    /// Field 2 without its parentheses; it may hold spaces and parentheses itself.
    name: Range<usize>,
}

impl Stat {
    /// Reads the line of a process; none when it has ended.
    #[must_use]
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let mut line = [0; LINE_LEN_MAX];
        let mut file = File::open(format!("/proc/{pid}/stat")).ok()?;
        // The kernel writes the line anew for each read, all of it at once.
        let length = file.read(&mut line).ok()?;
        // A process may give itself a name that is not UTF-8.
        Self::parse(&String::from_utf8_lossy(line.get(..length)?))
    }

    /// Finds the name in a line.
    #[must_use]
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let name = line.find('(')? + 1..line.rfind(')')?;
        line.get(name.clone())?;
        let line = line.to_owned();
        Some(Self { line, name })
    }

    /// The name.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        &self.line[self.name.clone()]
    }

    /// A field after the name, from 3 on.
    #[must_use]
    pub(crate) fn field<T: FromStr>(&self, number: usize) -> Option<T> {
        let at = number.checked_sub(3)?;
        let fields = &self.line[self.name.end + 1..];
        fields.split_ascii_whitespace().nth(at)?.parse().ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_whatever_the_name() {
        let line = "7 (a) b (sh)) T 12 22 33 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987 0";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.name(), stat.state()), ("a) b (sh)", Some('T')));
        assert_eq!((stat.field(4), stat.field(22)), (Some(12), Some(987)));
        assert_eq!((stat.field(5), stat.field(6)), (Some(22), Some(33)));
        let numbers = ["0"; 44].join(" ");
        let stat = Stat::parse(&format!("7 (T) S 1 22 33 0 {numbers} 19")).unwrap();
        assert_eq!((stat.name(), stat.state()), ("T", Some('S')));
        assert_eq!(stat.field(52), Some(19));
        for none in ["", "7 sh", "7 )("] {
            assert!(Stat::parse(none).is_none(), "{none}");
        }
    }
}
