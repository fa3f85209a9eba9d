//! How long a worktree of 50,000 files takes to make, beside `git worktree add`, and the numbers
//! of what was changed in it, beside the user's own `git status` and `git diff --numstat`.
//!
//! `cargo bench --bench worktrees`; with `-- --quick` on a small repository. Rounds are
//! interleaved, medians compared.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for developers that shows what it found"
)]

use abbado::{
    domain::{RepoId, run::event::WorktreeAt},
    git::{ChangesOf, WorktreeSpec, add_all, changes, diff_stats, remove},
};
use std::{
    fmt::Write as _,
    fs,
    hint::black_box,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};
use uuid::Uuid;

const ROUNDS: usize = 5;
/// Promised: at most so many times git's own time.
const ADD_RATIO_MAX: f64 = 1.1;
const STATS_RATIO_MAX: f64 = 1.5;

fn git(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=B", "-c", "user.email=b@localhost"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {output:?}");
    output.stdout
}

fn path(number: usize) -> String {
    format!(
        "src/part{}/module{}/file{number}.rs",
        number % 50,
        number % 500
    )
}

/// Forty lines that no other file has.
fn text(number: usize) -> String {
    let mut text = String::new();
    for line in 0..40 {
        writeln!(text, "fn f{number}_{line}() {{ call({}); }}", number * line).unwrap();
    }
    text
}

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn repository(world: &Path, files: usize) -> PathBuf {
    let repo = world.join("repo");
    fs::create_dir(&repo).unwrap();
    git(&repo, &["init", "-q", "-b", "main"]);
    for number in 0..files {
        put(&repo, &path(number), &text(number));
    }
    git(&repo, &["add", "-A"]);
    git(&repo, &["commit", "-q", "-m", "base"]);
    repo
}

/// Changes so many files: most are edited, some new, gone or moved.
fn change(root: &Path, files: usize, changed: usize) {
    for step in 0..changed {
        let number = step * (files / changed);
        let file = root.join(path(number));
        match step % 10 {
            0 => put(root, &format!("new/file{number}.rs"), &text(files + number)),
            1 => fs::remove_file(file).unwrap(),
            2 => fs::rename(&file, file.with_extension("moved")).unwrap(),
            _ => fs::write(file, text(number).replacen("call", "another", 5)).unwrap(),
        }
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let began = Instant::now();
    black_box(work());
    began.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Prints one figure beside git's; with a promise, says whether it is kept.
fn show(what: &str, ours: Duration, theirs: Duration, promised: Option<f64>) {
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    let verdict = match promised {
        None => String::new(),
        Some(most) if ratio <= most => format!("(promised: {most})"),
        Some(most) => format!("(promised: {most}: MISSED)"),
    };
    println!("{what:<42} {ours:>10.1?}  git {theirs:>10.1?}  ratio {ratio:.2} {verdict}");
}

fn spec(world: &Path, repo: &Path, name: &str) -> WorktreeSpec {
    WorktreeSpec {
        repo_id: RepoId(Uuid::nil()),
        name: "repo".into(),
        repo_path: repo.to_owned(),
        branch: format!("abbado/{name}"),
        base_commit: head(repo),
        path: world.join(name),
    }
}

fn head(repo: &Path) -> String {
    let head = String::from_utf8(git(repo, &["rev-parse", "HEAD"])).unwrap();
    head.trim().to_owned()
}

fn creation(world: &Path, repo: &Path) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let other = world.join("other");
    let spec = spec(world, repo, "made");
    for _ in 0..ROUNDS {
        theirs.push(timed(|| {
            git(
                repo,
                &[
                    "worktree",
                    "add",
                    "-q",
                    "-b",
                    "other",
                    other.to_str().unwrap(),
                ],
            )
        }));
        git(
            repo,
            &["worktree", "remove", "--force", other.to_str().unwrap()],
        );
        git(repo, &["branch", "-q", "-D", "other"]);
        let mut made = Vec::new();
        ours.push(timed(|| {
            made = add_all(std::slice::from_ref(&spec), &|| false).unwrap();
        }));
        assert!(remove(&made[0], repo, world).unwrap());
        git(repo, &["branch", "-q", "-D", &spec.branch]);
    }
    show(
        "a worktree",
        median(ours),
        median(theirs),
        Some(ADD_RATIO_MAX),
    );
}

fn comparison(what: &str, at: &WorktreeAt, repo: &Path, base: &str) {
    let of = ChangesOf {
        at,
        repo_path: repo,
        base_commit: base,
        checkpoint: None,
    };
    let root = &at.worktree;
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        let [theirs, stats, all] = &mut times;
        stats.push(timed(|| diff_stats(of).unwrap()));
        theirs.push(timed(|| {
            git(root, &["status"]);
            git(root, &["diff", "--numstat", base])
        }));
        all.push(timed(|| {
            changes(of, &mut |file| {
                black_box(file);
                Ok(())
            })
            .unwrap()
        }));
    }
    let [theirs, stats, all] = times.map(median);
    show(
        &format!("diff-stats, {what}"),
        stats,
        theirs,
        Some(STATS_RATIO_MAX),
    );
    show(&format!("changes, {what}"), all, theirs, None);
    println!("{:?}", diff_stats(of).unwrap());
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (files, changed) = if quick { (1_000, 50) } else { (50_000, 250) };
    let folder = tempfile::tempdir().unwrap();
    let world = folder.path().canonicalize().unwrap();
    let repo = repository(&world, files);
    println!("{files} files, medians of {ROUNDS}");
    creation(&world, &repo);
    let at = add_all(&[spec(&world, &repo, "run")], &|| false)
        .unwrap()
        .remove(0);
    let base = head(&repo);
    comparison("nothing changed", &at, &repo, &base);
    change(&at.worktree, files, changed);
    comparison(&format!("{changed} changed"), &at, &repo, &base);
}
