//! Parts of the server by themselves: `cargo bench --bench parts`. Each group measures its peer or
//! its limit, too; what is promised of the whole is in benches/system.

#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

mod store;

use abbado::{
    domain::{RepoId, run::event::WorktreeAt},
    git::{ChangesOf, StatsCache},
    pty::{emulator::Emulator, protocol::Size},
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::{fs, path::Path, process::Command, time::Duration};

const SIZE: Size = Size {
    cols: 120,
    rows: 30,
};

/// Peer: vt100, which keeps fewer attributes, without scrollback.
fn emulator(criterion: &mut Criterion) {
    let line = "a line of plain text as a build prints it, with some words in it\r\n";
    let plain = line.repeat(10_000);
    let coloured = "\x1b[1;32m   Compiling\x1b[0m serde v1.0.219 \x1b[38;5;244m(12/340)\x1b[m\r\n";
    let coloured = coloured.repeat(10_000);
    let mut group = criterion.benchmark_group("emulator");
    group.sample_size(20);
    for (name, text) in [("plain lines", &plain), ("coloured lines", &coloured)] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| {
            let mut emulator = Emulator::new(SIZE);
            bencher.iter(|| emulator.process(text.as_bytes()));
        });
        group.bench_function(format!("peer: vt100, {name}"), |bencher| {
            let side = |size| std::num::NonZero::new(size).unwrap();
            let mut alone = vt100::Parser::new(side(30), side(120), 0);
            bencher.iter(|| alone.process(text.as_bytes()));
        });
    }
}

/// Limit: a copy of the bytes that come out. A viewer that comes is sent one.
fn snapshot(criterion: &mut Criterion) {
    let mut emulator = Emulator::new(SIZE);
    for number in 0..5_000 {
        emulator
            .process(format!("\x1b[3{}mline {number}\x1b[m of a build\r\n", number % 8).as_bytes());
    }
    let bytes = emulator.snapshot();
    let mut group = criterion.benchmark_group("snapshot");
    group
        .sample_size(20)
        .throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("of a screen with scrollback", |bencher| {
        bencher.iter(|| emulator.snapshot());
    });
    group.bench_function("limit: a copy", |bencher| bencher.iter(|| bytes.clone()));
}

/// What git prints; it must succeed.
fn git(repo: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(repo)
        .args(["-c", "user.name=B", "-c", "user.email=b@localhost"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Peer: `git diff --numstat` and `git ls-files -o`, as a person would ask.
fn diff(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let (repo, worktree) = (folder.join("repo"), folder.join("worktree"));
    fs::create_dir(&repo).unwrap();
    git(&repo, &["init", "-q", "-b", "main"]);
    let file = |folder: &Path, number: usize| folder.join(format!("file{number}.txt"));
    for number in 0..500 {
        fs::write(file(&repo, number), format!("line {number}\n").repeat(40)).unwrap();
    }
    git(&repo, &["add", "-A"]);
    git(&repo, &["commit", "-q", "-m", "base"]);
    git(
        &repo,
        &[
            "worktree",
            "add",
            "-q",
            "-b",
            "run",
            worktree.to_str().unwrap(),
        ],
    );
    let base_commit = git(&repo, &["rev-parse", "HEAD"]);
    (0..20).for_each(|number| fs::write(file(&worktree, number), "changed\n").unwrap());
    fs::write(worktree.join("new.txt"), "new\n").unwrap();
    let at = WorktreeAt {
        repo_id: RepoId(uuid::Uuid::now_v7()),
        name: "repo".to_owned(),
        worktree: worktree.clone(),
        branch: "run".to_owned(),
    };
    let mut group = criterion.benchmark_group("diff");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(3));
    let count = |cache: &StatsCache| {
        let of = ChangesOf {
            at: &at,
            repo_path: &repo,
            base_commit: base_commit.trim(),
            checkpoint: None,
        };
        assert_eq!(cache.diff_stats(of).unwrap().files_changed, 21);
    };
    group.bench_function("21 changed of 500 files", |bencher| {
        bencher.iter(|| count(&StatsCache::new(&folder, &[])));
    });
    let cache = StatsCache::new(&folder, &[]);
    group.bench_function("again, nothing changed since", |bencher| {
        bencher.iter(|| count(&cache));
    });
    group.bench_function("peer: git diff --numstat and git ls-files -o", |bencher| {
        bencher.iter(|| {
            let changed = git(&worktree, &["diff", "--numstat"]).lines().count();
            assert_eq!(changed, 20);
            git(&worktree, &["ls-files", "-o", "--exclude-standard"])
        });
    });
}

criterion_group!(
    parts,
    store::append,
    store::replay,
    store::frames,
    emulator,
    snapshot,
    diff
);
criterion_main!(parts);
