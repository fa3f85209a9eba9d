//! Finds import cycles between files from the paths they contain. A file and its own folder count
//! as one: a file may use what is below it, and the reverse.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

type Module = Vec<String>;

/// The files that each file uses, by its paths. Tests are ignored.
pub fn uses(src: &Path, files: &[std::path::PathBuf]) -> BTreeMap<Module, BTreeSet<Module>> {
    let module = |path: &Path| -> Module {
        let relative = path.strip_prefix(src).unwrap().with_extension("");
        let parts = relative
            .iter()
            .map(|part| part.to_str().unwrap().to_owned());
        let mut parts: Module = parts.collect();
        parts.pop_if(|last| last == "mod" || last == "lib");
        parts
    };
    let is_test = |module: &Module| module.iter().any(|part| part == "tests" || part == "bin");
    let known: BTreeMap<Module, String> = files
        .iter()
        .map(|path| (module(path), fs::read_to_string(path).unwrap()))
        .filter(|(module, _)| !is_test(module))
        .collect();
    let used = known.iter().map(|(module, text)| {
        let paths = paths(module, code(text));
        let file = |path: Module| {
            let lengths = (0..=path.len()).rev();
            let mut prefixes = lengths.map(|length| path[..length].to_vec());
            prefixes.find(|prefix| known.contains_key(prefix))
        };
        let others = paths.into_iter().filter_map(file);
        let others =
            others.filter(|other| !module.starts_with(other) && !other.starts_with(module));
        (module.clone(), others.collect())
    });
    used.collect()
}

/// Without its tests.
fn code(text: &str) -> &str {
    text.split_once("#[cfg(test)]\nmod tests")
        .map_or(text, |(code, _)| code)
}

/// Every path that begins with `crate`, `super` or, in a `use`, with a module, made absolute.
fn paths(module: &Module, code: &str) -> Vec<Module> {
    let lines = code
        .lines()
        .map(|line| line.split_once("//").map_or(line, |(code, _)| code));
    let code = lines.collect::<Vec<_>>().join(" ");
    let mut found = Vec::new();
    for statement in code.split(';') {
        let words = |part: &str| part.ends_with(|c: char| c.is_whitespace() || c == '}');
        let import = statement
            .rfind("use ")
            .filter(|at| *at == 0 || words(&statement[..*at]));
        match import {
            Some(at) => group(&statement[at + 4..], &Vec::new(), &mut found),
            None => {
                for start in ["crate::", "super::"] {
                    for (at, _) in statement.match_indices(start) {
                        let end = |c: char| !(c.is_alphanumeric() || c == '_' || c == ':');
                        let path = statement[at..].split(end).next().unwrap_or_default();
                        group(path, &Vec::new(), &mut found);
                    }
                }
            }
        }
    }
    found
        .into_iter()
        .map(|path| absolute(module, &path))
        .collect()
}

/// The paths of a `use`, groups taken apart.
fn group(text: &str, before: &Module, found: &mut Vec<Module>) {
    let (mut depth, mut start) = (0_usize, 0);
    let mut parts = Vec::new();
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => parts.push(&text[std::mem::replace(&mut start, at + 1)..at]),
            _ => {}
        }
    }
    parts.push(&text[start..]);
    for part in parts {
        let (path, inner) = part.split_once('{').unwrap_or((part, ""));
        let path = path.split(" as ").next().unwrap_or_default();
        let names = path
            .split("::")
            .map(str::trim)
            .filter(|name| !name.is_empty());
        let path: Module = before
            .iter()
            .cloned()
            .chain(names.map(str::to_owned))
            .collect();
        match inner.rsplit_once('}') {
            Some((inner, _)) => group(inner, &path, found),
            None => found.push(path),
        }
    }
}

fn absolute(module: &Module, path: &Module) -> Module {
    let mut base = module.clone();
    let mut rest = path.as_slice();
    match rest.first().map(String::as_str) {
        Some("crate") => return rest[1..].to_vec(),
        Some("self") => rest = &rest[1..],
        _ => {}
    }
    while rest.first().is_some_and(|name| name == "super") {
        base.pop();
        rest = &rest[1..];
    }
    base.extend_from_slice(rest);
    base
}

/// Groups of files that all reach each other.
pub fn circles(uses: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<Vec<String>> {
    let reached = |from: &Module| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(module) = next.pop() {
            for other in uses.get(module).into_iter().flatten() {
                if seen.insert(other) {
                    next.push(other);
                }
            }
        }
        seen
    };
    let all: BTreeMap<&Module, BTreeSet<&Module>> = uses
        .keys()
        .map(|module| (module, reached(module)))
        .collect();
    let circle = |module: &Module| -> Vec<String> {
        let back = all[module]
            .iter()
            .filter(|other| all[**other].contains(module));
        back.map(|other| other.join("/")).collect()
    };
    let found: BTreeSet<Vec<String>> = uses.keys().map(circle).collect();
    found
        .into_iter()
        .filter(|circle| !circle.is_empty())
        .collect()
}

#[test]
fn a_circle_is_found() {
    let module = |path: &str| -> Module { path.split('/').map(str::to_owned).collect() };
    let text = "use super::{b::{X, deep::Y}, c};\nuse crate::d::Z as W; fn f() { crate::e::g(super::h::i) }";
    let mut read = paths(&module("a/x"), text);
    read.sort();
    let expected = ["a/b/X", "a/b/deep/Y", "a/c", "a/h/i", "d/Z", "e/g"];
    assert_eq!(read, expected.map(module));
    let link = |from: &str, to: &[&str]| (module(from), to.iter().map(|to| module(to)).collect());
    let uses = BTreeMap::from([
        link("a", &["b"]),
        link("b", &["c"]),
        link("c", &["a"]),
        link("d", &["a"]),
    ]);
    assert_eq!(circles(&uses), [["a", "b", "c"]]);
}
