//! Texts that git prints and reads: lines, and lists whose items each end with a NUL.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// Bytes that a program printed as a path or value, as the system sees them.
pub(super) fn os_string(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

/// One printed line as text, without its end.
pub(super) fn line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

/// A program's message, followed by a note on a line of its own.
pub(super) fn with_note(said: String, note: Option<&str>) -> String {
    match note {
        Some(note) => format!("{said}\n{note}"),
        None => said,
    }
}

/// The items of a printed list, empty ones aside.
pub(super) fn items(printed: &[u8]) -> impl Iterator<Item = &[u8]> {
    let items = printed.split(|byte| *byte == 0);
    items.filter(|item| !item.is_empty())
}

/// A list of paths.
pub(super) fn list<P: AsRef<[u8]>>(paths: impl IntoIterator<Item = P>) -> Vec<u8> {
    let mut list = Vec::new();
    for path in paths {
        list.extend_from_slice(path.as_ref());
        list.push(0);
    }
    list
}

/// A path on a line of its own, quoted as in C.
pub(super) fn quoted(path: &[u8]) -> Vec<u8> {
    let mut line = vec![b'"'];
    for byte in path {
        match byte {
            b'"' | b'\\' => line.extend([b'\\', *byte]),
            0..0x20 | 0x7f => line.extend(format!("\\{byte:03o}").bytes()),
            _ => line.push(*byte),
        }
    }
    line.extend(b"\"\n");
    line
}

/// A list of patterns for all paths but these.
pub(super) fn all_but<P: AsRef<[u8]>>(paths: impl IntoIterator<Item = P>) -> Vec<u8> {
    let exclude = |path: P| [b":(top,exclude,literal)", path.as_ref()].concat();
    let patterns = paths.into_iter().map(exclude);
    list(std::iter::once(b".".to_vec()).chain(patterns))
}

/// A file of an index, as `ls-files --stage` prints it.
pub(super) struct Staged<'a> {
    /// As git writes it.
    pub mode: &'a str,
    /// Its object, in hex.
    pub id: &'a str,
    /// `0`; of a path in conflict, its side.
    pub stage: &'a str,
    pub path: &'a [u8],
}

/// Reads a list of `<mode> <id> <stage>\t<path>`.
pub(super) fn staged(printed: &[u8]) -> impl Iterator<Item = Staged<'_>> {
    items(printed).filter_map(|entry| {
        let tab = entry.iter().position(|byte| *byte == b'\t')?;
        let mut words = std::str::from_utf8(&entry[..tab]).ok()?.split(' ');
        Some(Staged {
            mode: words.next()?,
            id: words.next()?,
            stage: words.next()?,
            path: &entry[tab + 1..],
        })
    })
}

/// Adds a file to what `update-index --index-info` reads.
pub(super) fn push_staged(list: &mut Vec<u8>, mode: &str, id: &str, path: &[u8]) {
    list.extend_from_slice(format!("{mode} {id}\t").as_bytes());
    list.extend_from_slice(path);
    list.push(0);
}

/// The mode of a plain file.
pub(super) const fn file_mode(executable: bool) -> &'static str {
    if executable { "100755" } else { "100644" }
}

/// Whether a value of a configuration means "true", as one that is missing behind its key does.
pub(super) fn is_true(value: &[u8]) -> bool {
    let yes: [&[u8]; 5] = [b"", b"true", b"yes", b"on", b"1"];
    yes.iter().any(|yes| value.eq_ignore_ascii_case(yes))
}
