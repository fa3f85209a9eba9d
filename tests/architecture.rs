//! Rules about the code: dependencies between modules, file lengths, registered items.

#![expect(clippy::unwrap_used, reason = "helpers of tests, too, may fail loudly")]

#[path = "architecture/circles.rs"]
mod circles;

use abbado::{cli, domain::run::Event};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Each folder and the modules it may use. All may use `fault` (crash points) and `files` (opens
/// what a run can replace).
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("store", &["domain", "cli"]),
    ("pty", &["domain", "proc_stat"]),
    ("git", &["domain", "detached"]),
    ("forge", &["domain", "tls"]),
    ("notify", &["domain", "tls"]),
    ("cli", &["domain", "proc_stat", "sockets"]),
    (
        "runtime",
        &[
            "domain", "store", "pty", "git", "forge", "notify", "cli", "config", "detached",
        ],
    ),
    ("http", &["domain", "store", "runtime", "sockets"]),
];
/// Longest file, in lines; test files may be longer.
const LINES_MAX: usize = 500;
const TEST_LINES_MAX: usize = 600;

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Modules that a file names by `crate::`, also inside a group.
fn used(text: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    let word = |text: &str| {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            rooms.insert(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut fresh = true;
        for (at, letter) in group.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' => fresh = fresh || depth == 0,
                _ if depth == 0 && fresh && letter.is_alphabetic() => {
                    rooms.insert(word(&group[at..]));
                    fresh = false;
                }
                _ => {}
            }
        }
    }
    rooms
}

#[test]
fn no_room_uses_one_it_may_not() {
    let mut wrong = Vec::new();
    for (room, allowed) in MAY_USE {
        for path in sources(&root().join("src").join(room)) {
            for other in used(&fs::read_to_string(&path).unwrap()) {
                let fine = other == *room
                    || other == "fault"
                    || other == "files"
                    || allowed.contains(&other.as_str());
                let ours = root().join("src").join(&other).is_dir()
                    || root().join("src").join(format!("{other}.rs")).is_file();
                if ours && !fine {
                    wrong.push(format!("{} uses {other}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Handlers read; the runtime writes.
#[test]
fn http_only_reads_the_store() {
    let mut wrong = Vec::new();
    for path in sources(&root().join("src/http")) {
        let text = fs::read_to_string(&path).unwrap();
        let mut words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        if words.any(|word| word == "Writer") || text.contains(".writer.") {
            wrong.push(path);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let src = root().join("src");
    let found = circles::circles(&circles::uses(&src, &sources(&src)));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_reader_of_uses_reads_them() {
    let text = "use crate::{domain::{a, b}, store::X};\nuse crate::pty; crate::git::inspect()";
    let rooms: Vec<String> = used(text).into_iter().collect();
    assert_eq!(rooms, ["domain", "git", "pty", "store"]);
}

#[test]
fn every_adapter_has_its_page() {
    let page = fs::read_to_string(root().join("docs/adapters.md")).unwrap();
    for name in cli::NAMES {
        assert!(page.contains(&format!("\n## {name}\n")), "{name}");
    }
}

#[test]
fn files_stay_short() {
    let long: Vec<String> = sources(&root().join("src"))
        .into_iter()
        .map(|path| (fs::read_to_string(&path).unwrap().lines().count(), path))
        .filter(|(lines, path)| {
            let test = path.to_string_lossy().contains("tests");
            *lines > if test { TEST_LINES_MAX } else { LINES_MAX }
        })
        .map(|(lines, path)| format!("{} has {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

/// Code of a file without its tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    text[..end].to_owned()
}

/// Files that may be opened by the standard library: no run can put anything else in their place,
/// or it is a program of the run itself that opens them.
const OPENED_PLAINLY: &[(&str, &str)] = &[
    ("cli/demo/", "the demo's own agent, in the run"),
    ("git/command/unit.rs", "a test"),
    ("pty/end.rs", "/proc"),
    ("pty/process_tree", "/proc and cgroups"),
    ("pty/holder/program.rs", "/proc"),
    ("pty/holder/startup.rs", "/dev/null"),
    ("http/edge/peer.rs", "/proc"),
    ("cli/hook_program/callers.rs", "/proc"),
    ("git/lock_files/holders.rs", "/proc"),
    ("git/changes/watched.rs", "/proc"),
    (
        "git/worktree.rs",
        "the index of a worktree that was just made",
    ),
    ("git/records.rs", "a record that was just made"),
    ("git/fifos.rs", "a pipe, without waiting"),
];

#[test]
fn what_a_run_can_replace_is_opened_without_waiting_for_anybody() {
    let openers = ["File::open(", "fs::read(", "fs::read_to_string(", ".open("];
    let mut wrong = Vec::new();
    for room in ["cli", "git", "http", "pty", "runtime"] {
        for path in sources(&root().join("src").join(room)) {
            let at = path.strip_prefix(root().join("src")).unwrap();
            let at = at.to_str().unwrap();
            let excepted = OPENED_PLAINLY.iter().any(|(name, _)| at.starts_with(name));
            if at.contains("test") || excepted {
                continue;
            }
            let text = code(&path);
            let found = openers.iter().filter(|opener| text.contains(**opener));
            wrong.extend(found.map(|opener| format!("{at}: {opener}")));
        }
    }
    assert!(wrong.is_empty(), "open these by crate::files: {wrong:#?}");
}

#[test]
fn every_event_type_has_a_golden_sample() {
    for name in Event::TYPES {
        let sample = root().join(format!("schema/events/{name}.v1.json"));
        assert!(sample.is_file(), "{}", sample.display());
    }
}

/// Every promise of docs/security.md names an existing test.
#[test]
fn every_test_that_the_security_page_names_exists() {
    let page = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let promised = page.split("## What is promised").nth(1).unwrap();
    let table = promised.split("\n## ").next().unwrap();
    let mut all: String = [root().join("src"), root().join("tests")]
        .iter()
        .flat_map(|folder| sources(folder))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    all += &fs::read_to_string(root().join("web/tests/security.e2e.ts")).unwrap();
    let mut count = 0;
    for row in table.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let tests = row.split('|').nth(2).unwrap();
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test shows: {row}");
        for name in names {
            let is_there =
                all.contains(&format!("fn {name}(")) || all.contains(&format!("\"{name}\""));
            assert!(is_there, "there is no test {name}");
            count += 1;
        }
    }
    assert!(count > 30, "{count} tests are named");
}

/// The checked-in document is current; `make openapi` regenerates it.
#[test]
fn openapi_is_current() {
    let path = root().join("schema/openapi.json");
    let made = abbado::http::openapi::text();
    if std::env::var_os("ABBADO_WRITE_OPENAPI").is_some() {
        fs::write(&path, &made).unwrap();
    }
    assert!(made.len() > 10_000, "the document was made");
    assert_eq!(
        fs::read_to_string(&path).unwrap_or_default(),
        made,
        "run make openapi"
    );
}
