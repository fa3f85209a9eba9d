//! Generated histories: written by `git fast-import`, so that a hundred commits cost one program.

use super::support::hermetic_environment;
use proptest::{prelude::*, sample::Index};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

/// The same histories each time; with ABBADO_PROVE others, and more of them.
pub(super) fn config(cases: u32, cases_to_prove: u32) -> ProptestConfig {
    let mut config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    if std::env::var_os("ABBADO_PROVE").is_some() {
        config.cases = cases_to_prove;
    } else {
        config.rng_seed = proptest::test_runner::RngSeed::Fixed(20_261_125);
    }
    config
}

/// Files and their lines.
pub(super) type Files = BTreeMap<String, Vec<String>>;

/// One commit to write: its parents are places in the list before it.
pub(super) struct Planned {
    pub parents: Vec<usize>,
    pub files: Files,
    /// Seconds since 1970.
    pub at: i64,
}

/// Writes commits into a repository; branches name places in the list.
pub(super) fn import(repo: &Path, commits: &[Planned], branches: &[(String, usize)]) {
    let mut stream = String::new();
    for (place, commit) in commits.iter().enumerate() {
        let mark = place + 1;
        let message = format!("commit {place}\n");
        // A ref of its own: on one ref each commit would need the one before as its parent.
        write!(
            stream,
            "commit refs/import/{mark}\nmark :{mark}\n\
             author A <a@localhost> {at} +0100\ncommitter C <c@localhost> {at} +0000\n\
             data {length}\n{message}",
            at = commit.at,
            length = message.len()
        )
        .unwrap();
        for (number, parent) in commit.parents.iter().enumerate() {
            let word = if number == 0 { "from" } else { "merge" };
            writeln!(stream, "{word} :{}", parent + 1).unwrap();
        }
        stream.push_str("deleteall\n");
        for (path, lines) in &commit.files {
            let contents: String = lines.iter().map(|line| format!("{line}\n")).collect();
            write!(
                stream,
                "M 100644 inline {path}\ndata {}\n{contents}\n",
                contents.len()
            )
            .unwrap();
        }
    }
    for (branch, place) in branches {
        write!(stream, "reset refs/heads/{branch}\nfrom :{}\n\n", place + 1).unwrap();
    }
    let mut child = Command::new("git")
        .current_dir(repo)
        .args(["fast-import", "--quiet", "--force"])
        .envs(hermetic_environment())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(stream.as_bytes()).unwrap();
    drop(input);
    assert!(child.wait().unwrap().success(), "{stream}");
}

/// A graph of `commits` commits, the first of them the root; a third are merges. Times go
/// backwards now and then.
pub(super) fn graph(commits: usize) -> impl Strategy<Value = Vec<Planned>> {
    let one = (
        any::<Index>(),
        prop::option::weighted(0.3, any::<Index>()),
        // Clocks that run backwards are left out: there git's own ways to count differ.
        0..60_i64,
    );
    prop::collection::vec(one, commits).prop_map(|drawn| {
        let mut planned: Vec<Planned> = Vec::with_capacity(drawn.len());
        for (place, (first, second, late)) in drawn.into_iter().enumerate() {
            let mut parents = Vec::new();
            if place > 0 {
                // Mostly near the end, so that there are long lines as well as many branches.
                let near = place.saturating_sub(8);
                parents.push(near + first.index(place - near));
                let second = second.map(|second| second.index(place));
                parents.extend(second.filter(|second| *second != parents[0]));
            }
            let at = 1_700_000_000 + 60 * i64::try_from(place).unwrap() - late;
            planned.push(Planned {
                parents,
                files: Files::from([("f".to_owned(), vec![place.to_string()])]),
                at,
            });
        }
        planned
    })
}

/// One edit of a tree of files.
#[derive(Debug, Clone)]
pub(super) enum Edit {
    Set(Index, Index, u8),
    Insert(Index, Index, u8),
    Remove(Index, Index),
    Delete(Index),
    Add(u8, u8),
    Rename(Index, u8),
}

pub(super) fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let place = any::<Index>;
    let one = prop_oneof![
        6 => (place(), place(), 0..200_u8).prop_map(|(file, line, text)| Edit::Set(file, line, text)),
        4 => (place(), place(), 0..200_u8)
            .prop_map(|(file, line, text)| Edit::Insert(file, line, text)),
        3 => (place(), place()).prop_map(|(file, line)| Edit::Remove(file, line)),
        1 => place().prop_map(Edit::Delete),
        2 => (0..6_u8, 0..3_u8).prop_map(|(name, text)| Edit::Add(name, text)),
        1 => (place(), 0..6_u8).prop_map(|(file, name)| Edit::Rename(file, name)),
    ];
    prop::collection::vec(one, 0..5)
}

/// Five files of fifteen different lines, in two folders.
pub(super) fn some_files() -> Files {
    let lines = |name: &str| (0..15).map(|line| format!("{name}, line {line}")).collect();
    ["a", "b", "dir/c", "dir/d", "dir/deep/e"]
        .into_iter()
        .map(|name| (name.to_owned(), lines(name)))
        .collect()
}

pub(super) fn edited(files: &Files, edits: &[Edit]) -> Files {
    let mut files = files.clone();
    for edit in edits {
        let names: Vec<String> = files.keys().cloned().collect();
        let chosen = |file: &Index| (!names.is_empty()).then(|| file.get(&names).clone());
        match edit {
            Edit::Set(file, line, text) => {
                if let Some(lines) = chosen(file).and_then(|name| files.get_mut(&name))
                    && !lines.is_empty()
                {
                    let place = line.index(lines.len());
                    lines[place] = format!("set {text}");
                }
            }
            Edit::Insert(file, line, text) => {
                if let Some(lines) = chosen(file).and_then(|name| files.get_mut(&name)) {
                    let place = line.index(lines.len() + 1);
                    lines.insert(place, format!("inserted {text}"));
                }
            }
            Edit::Remove(file, line) => {
                if let Some(lines) = chosen(file).and_then(|name| files.get_mut(&name))
                    && !lines.is_empty()
                {
                    lines.remove(line.index(lines.len()));
                }
            }
            Edit::Delete(file) => drop(chosen(file).and_then(|name| files.remove(&name))),
            Edit::Add(name, text) => {
                files.insert(format!("new/{name}"), vec![format!("added {text}")]);
            }
            Edit::Rename(file, name) => {
                if let Some(from) = chosen(file) {
                    let lines = files.remove(&from).unwrap();
                    files.insert(format!("dir/moved-{name}"), lines);
                }
            }
        }
    }
    files
}
