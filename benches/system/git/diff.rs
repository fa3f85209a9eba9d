//! The size of a run's changes, beside the two commands that a user asks for it.

use super::{GROUP, LARGE, packed, settled};
use crate::{
    Bench,
    report::{Figure, Goal},
    server::{Server, git},
};
use serde_json::Value;
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

const FIRST: &str = "diff-stats, 250 changed of 50,000 files, first time";
const AGAIN: &str = "diff-stats, 250 changed of 50,000 files, again";
const PEER: &str = "git diff --numstat, git ls-files -o";

/// Changed files.
const CHANGED: (usize, usize) = (250, 50);
/// Asked so often with nothing changed between; the mean counts.
const TIMES: usize = 20;

/// Both figures.
pub(super) fn stats(bench: &Bench) -> Vec<Figure> {
    if !bench.wants(GROUP, FIRST) && !bench.wants(GROUP, AGAIN) {
        return Vec::new();
    }
    let [mut first, mut again] = [(FIRST, 0.9), (AGAIN, 0.1)]
        .map(|(title, most)| Figure::new(GROUP, title, "s").beside(PEER, Goal::AtMost(most)));
    let (files, changed) = (
        bench.count(LARGE.0, LARGE.1),
        bench.count(CHANGED.0, CHANGED.1),
    );
    let folder = bench.folder.join("diff");
    let repo = folder.join("repo");
    packed(&repo, files);
    let server = Server::start(&folder);
    let agent = server.agent(&repo, &["true"]);
    for round in 0..bench.rounds {
        // A worktree of its own: nothing is known of it yet.
        let run = server.run(&agent);
        server.wait_status(&run, "completed");
        let view = server.get(&format!("runs/{run}"));
        let worktree = PathBuf::from(view["repos"][0]["worktree"].as_str().unwrap());
        change(&worktree, files, changed);
        let path = format!("runs/{run}/diff-stats");
        let mut client = server.client();
        let mut ask = || -> Value { serde_json::from_slice(&client.get(&path)).unwrap() };
        let peer = || settled(|| by_git(&worktree)).0;
        let before = (round % 2 == 0).then(peer);
        let (took, told) = settled(&mut ask);
        let theirs = before.unwrap_or_else(peer);
        first.round(took, [theirs]);
        let (took, ()) = settled(|| (0..TIMES).for_each(|_| assert_eq!(ask(), told)));
        again.round(took / TIMES as f64, [theirs]);
        assert_eq!(told["files_changed"], changed, "{told}");
    }
    vec![first, again]
}

/// What a user types to see the same.
fn by_git(worktree: &Path) {
    git(worktree, &["diff", "--numstat", "HEAD"]);
    git(worktree, &["ls-files", "-o", "--exclude-standard"]);
}

/// Changes so many files: most are edited, some new, gone or moved.
fn change(root: &Path, files: usize, changed: usize) {
    for step in 0..changed {
        let number = step * (files / changed);
        let name = format!(
            "src/part{}/module{}/file{number}.rs",
            number % 50,
            number % 500
        );
        let file = root.join(name);
        match step % 10 {
            0 => write_new(root, number),
            1 => fs::remove_file(file).unwrap(),
            2 => fs::rename(&file, file.with_extension("moved")).unwrap(),
            _ => {
                let text = fs::read_to_string(&file).unwrap();
                fs::write(file, text.replacen("call", "another", 5)).unwrap();
            }
        }
    }
}

fn write_new(root: &Path, number: usize) {
    let mut text = String::new();
    for line in 0..40 {
        writeln!(text, "fn new{number}_{line}() {{ call({number}); }}").unwrap();
    }
    let path = root.join(format!("new/file{number}.rs"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}
