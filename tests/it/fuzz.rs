//! The fuzz targets without a fuzzer: each body over its corpus, and over as many mutations of it
//! as a second has room for, the same each time. `make fuzz` continues from there.

#[path = "../fuzz/src/bodies/mod.rs"]
mod bodies;

use std::{fs, path::PathBuf, process::Command};

/// Mutations of each corpus; with ABBADO_PROVE more.
fn mutations() -> usize {
    std::env::var_os("ABBADO_PROVE").map_or(300, |_| 20_000)
}

/// The longest input that is made.
const INPUT_BYTES_MAX: usize = 16 * 1024;

/// The inputs that are checked in for a target.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder.join(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(paths.len() >= 4, "the corpus of {name} has {}", paths.len());
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Shows the input of a body that fails.
struct Shown<'a>(&'a str, &'a [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{} fails with b\"{}\"", self.0, self.1.escape_ascii());
        }
    }
}

/// One of the changes that a fuzzer makes, several times over.
fn mutated(corpus: &[Vec<u8>], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut input = random.choice(corpus).unwrap().clone();
    for _ in 0..random.usize(1..6) {
        let other = random.choice(corpus).unwrap();
        let at = random.usize(..=input.len());
        let end = random.usize(at..=input.len());
        let piece = random.usize(..=other.len());
        let piece = &other[piece..random.usize(piece..=other.len())];
        match random.u8(..6) {
            0 if at < input.len() => input[at] ^= 1 << random.u8(..8),
            1 if at < input.len() => input[at] = random.u8(..),
            2 => drop(input.drain(at..end)),
            3 => drop(input.splice(at..end, piece.iter().copied())),
            4 => {
                let copy = input[at..end].to_vec();
                input.splice(at..at, copy);
            }
            _ => {
                let odd = [
                    "0",
                    "-1",
                    "18446744073709551615",
                    "1e308",
                    "null",
                    "\"\"",
                    "{}",
                    "\n",
                ];
                let odd = random.choice(odd).unwrap();
                input.splice(at..end.min(at + 8), odd.bytes());
            }
        }
        input.truncate(INPUT_BYTES_MAX);
    }
    input
}

fn replayed(name: &str) {
    let (_, body) = bodies::ALL.iter().find(|(it, _)| *it == name).unwrap();
    let corpus = corpus(name);
    let mut random = fastrand::Rng::with_seed(7);
    let made = (0..mutations()).map(|_| mutated(&corpus, &mut random));
    for input in corpus.iter().cloned().chain(made) {
        let _shown = Shown(name, &input);
        body(&input);
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test] fn $name() { replayed(stringify!($name)); })*

        #[test]
        fn every_target_is_replayed_and_built() {
            let here = [$(stringify!($name)),*];
            assert_eq!(bodies::ALL.map(|(name, _)| name), here);
            let manifest = include_str!("../fuzz/Cargo.toml");
            for name in here {
                assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
            }
        }
    };
}

targets! {
    hook_claude hook_codex hook_others transcript
    holder_frames ref_names last_event_id terminal_control
}

/// Git itself says the same of the corpus, but for the names that it takes for others.
#[test]
fn git_has_the_same_rules_for_names() {
    let mut taken = 0;
    for input in corpus("ref_names") {
        let Ok(name) = str::from_utf8(&input) else {
            continue;
        };
        if name == "@" || name.starts_with("refs/") {
            continue;
        }
        let asked = Command::new("git")
            .args(["check-ref-format", "--branch", name])
            .current_dir("/")
            .output()
            .unwrap();
        let ours = abbado::git::check_branch_name(name).is_ok();
        assert_eq!(ours, asked.status.success(), "{name:?}");
        taken += usize::from(ours);
    }
    assert!(taken >= 4, "{taken} names are taken");
}
