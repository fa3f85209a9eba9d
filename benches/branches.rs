//! How long the list of 300 branches takes, measured against `git for-each-ref` with distances.
//!
//! `cargo bench --bench branches`. Rounds are interleaved, medians compared. Beside them libgit2
//! asked branch by branch, which is what a `git` before 2.41 leaves us with.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for developers that shows what it found"
)]

use git2::Repository;
use std::{
    fmt::Write as _,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const BRANCHES: usize = 300;
const ROUNDS: usize = 11;
/// Promised: at most so many times git's own time.
const RATIO_MAX: f64 = 3.0;

fn git(repo: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("git")
        .current_dir(repo)
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

/// A line of `commits` commits on main, every eighth a merge, and branches that leave it anywhere
/// and have up to 20 commits of their own.
fn generate(repo: &Path, commits: usize) {
    let mut stream = String::new();
    let mut mark = 0;
    let mut write = |parents: &[usize], reference: &str| {
        mark += 1;
        let at = 1_600_000_000 + mark * 60;
        write!(
            stream,
            "commit {reference}\nmark :{mark}\ncommitter C <c@localhost> {at} +0000\n\
             data 7\ncommit\n"
        )
        .unwrap();
        for (number, parent) in parents.iter().enumerate() {
            let word = if number == 0 { "from" } else { "merge" };
            writeln!(stream, "{word} :{parent}").unwrap();
        }
        writeln!(stream, "M 100644 inline f{}\ndata 2\nx\n", mark % 50).unwrap();
        mark
    };
    let mut random = fastrand::Rng::with_seed(20_261_125);
    let mut main = vec![write(&[], "refs/heads/main")];
    while main.len() < commits {
        let tip = main[main.len() - 1];
        if main.len() % 8 == 0 {
            let from = main[main.len() - 1 - random.usize(0..main.len().min(50))];
            let side = write(&[from], "refs/import/side");
            main.push(write(&[tip, side], "refs/heads/main"));
        } else {
            main.push(write(&[tip], "refs/heads/main"));
        }
    }
    for number in 0..BRANCHES {
        let reference = format!("refs/heads/topic-{number}");
        let mut last = main[random.usize(0..main.len())];
        for _ in 0..random.usize(1..20) {
            last = write(&[last], &reference);
        }
    }
    let mut child = Command::new("git")
        .current_dir(repo)
        .args(["fast-import", "--quiet", "--force"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(stream.as_bytes()).unwrap();
    drop(input);
    assert!(child.wait().unwrap().success());
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1_000.0
}

fn one_by_one(repo: &Path) -> usize {
    let repository = Repository::open(repo).unwrap();
    let base = repository.refname_to_id("refs/heads/main").unwrap();
    let references = repository.references_glob("refs/heads/*").unwrap();
    let tips: Vec<_> = references
        .map(|found| found.unwrap().target().unwrap())
        .collect();
    tips.into_iter()
        .map(|tip| repository.graph_ahead_behind(tip, base).unwrap().0)
        .sum()
}

fn measure(repo: &Path, title: &str) {
    let (mut ours, mut gits, mut singles) = (Vec::new(), Vec::new(), Vec::new());
    let format = "--format=%(refname) %(ahead-behind:main)";
    for round in 0..ROUNDS {
        gits.push(timed(|| {
            drop(git(repo, &["for-each-ref", format, "refs/heads/"]));
        }));
        ours.push(timed(|| {
            let found = abbado::git::branches(repo).unwrap();
            assert_eq!(found.len(), BRANCHES + 1);
        }));
        // It is slow, and does not vary.
        if round < 3 {
            singles.push(timed(|| assert!(one_by_one(repo) > 0)));
        }
    }
    let (ours, gits) = (median(ours), median(gits));
    let ratio = ours / gits;
    println!(
        "{title}: branches() {ours:.1} ms, git {gits:.1} ms, ratio {ratio:.2}; \
         libgit2 one by one {:.1} ms",
        median(singles)
    );
    assert!(ratio <= RATIO_MAX, "ratio {ratio:.2} over {RATIO_MAX}");
}

fn main() {
    for commits in [300, 3_000, 30_000] {
        let folder = tempfile::tempdir().unwrap();
        let repo = folder.path().canonicalize().unwrap();
        git(&repo, &["init", "-q", "-b", "main"]);
        generate(&repo, commits);
        measure(&repo, &format!("{commits} commits"));
        git(&repo, &["commit-graph", "write", "--reachable"]);
        measure(&repo, &format!("{commits} commits, commit graph"));
    }
}
