//! A path that git refuses to stage affects no other path.

use super::support::{RUN, World, git, write};
use crate::{
    domain::run::event::WorktreeAt,
    git::{ChangesOf, GitError, changes, diff_stats, restore, take_always},
};
use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

fn base(at: &WorktreeAt) -> String {
    git(&at.worktree, &["rev-parse", "HEAD"]).trim().to_owned()
}

/// Names of changed files, and of what is left out; counted the other way too.
pub(super) fn shown(at: &WorktreeAt, repo: &Path, base: &str) -> (Vec<String>, Vec<String>) {
    let of = ChangesOf {
        at,
        repo_path: repo,
        base_commit: base,
        checkpoint: None,
    };
    let mut names = Vec::new();
    let changed = changes(of, &mut |file| {
        names.push(String::from_utf8_lossy(&file.path).into_owned());
        Ok(())
    });
    let changed = changed.unwrap();
    assert_eq!(diff_stats(of).unwrap(), changed.total);
    (
        names,
        changed.left_out.into_iter().map(|left| left.path).collect(),
    )
}

fn pipe(path: PathBuf) {
    drop(fs::remove_file(&path));
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o644)).unwrap();
}

#[test]
fn a_file_in_another_encoding_than_the_attributes_say_costs_no_other() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let root = &at.worktree;
    let base = base(&at);
    write(
        root,
        ".gitattributes",
        "*.ps1 text working-tree-encoding=UTF-16\n",
    );
    write(root, "a.txt", "precious\n");
    fs::remove_file(root.join("dir/b.txt")).unwrap();
    write(root, "s.ps1", "Write-Host hi\n");
    write(root, "new \"name\"\nwith\ttwo lines", "new\n");
    write(root, "run.sh", "#!/bin/sh\n");
    fs::set_permissions(root.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("/etc/hostname", root.join("link")).unwrap();
    let (names, left_out) = shown(&at, &repo, &base);
    let expected = [
        ".gitattributes",
        "a.txt",
        "dir/b.txt",
        "link",
        "new \"name\"\nwith\ttwo lines",
        "run.sh",
        "s.ps1",
    ];
    assert_eq!(
        (names, left_out),
        (expected.map(str::to_owned).to_vec(), vec![])
    );
    let kept = take_always(&at, &repo, RUN, 1, "stop").unwrap();
    assert_eq!(kept.left_out, []);
    let listed = git(
        &repo,
        &[
            "ls-tree",
            "-r",
            "--format=%(objectmode) %(path)",
            "-z",
            &kept.commit,
        ],
    );
    let listed: Vec<_> = listed.split_terminator('\0').collect();
    let modes = |name: &str| listed.contains(&name);
    assert!(
        modes("100755 run.sh") && modes("120000 link") && modes("100644 s.ps1"),
        "{listed:?}"
    );
    fs::write(root.join("s.ps1"), "other").unwrap();
    fs::write(root.join("a.txt"), "other").unwrap();
    restore(&at, &repo, &kept.commit).unwrap();
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    assert_eq!(
        (read("s.ps1"), read("a.txt")),
        ("Write-Host hi\n".into(), "precious\n".into())
    );
}

#[test]
fn a_required_filter_that_cannot_run_costs_no_content() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let root = &at.worktree;
    let base = base(&at);
    write(root, ".gitattributes", "*.x filter=x\n");
    write(
        &world.path("home"),
        ".gitconfig",
        "[filter \"x\"]\n\tclean = /nonexistent/clean\n\tsmudge = cat\n\trequired = true\n",
    );
    // More than are tried one by one.
    for number in 0..40 {
        write(root, &format!("{number}.x"), format!("contents {number}\n"));
    }
    write(root, "z", "last\n");
    let (names, left_out) = shown(&at, &repo, &base);
    assert_eq!((names.len(), left_out.len()), (42, 0));
    let kept = take_always(&at, &repo, RUN, 1, "stop").unwrap();
    let show = |path: &str| git(&repo, &["show", &format!("{}:{path}", kept.commit)]);
    assert_eq!(
        (show("39.x"), show("z")),
        ("contents 39\n".into(), "last\n".into())
    );
}

/// Git reads files of the same second as the index once more whenever it writes one.
#[test]
fn a_filter_that_fails_at_a_young_file_stops_neither_checkpoint_nor_restore() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let root = &at.worktree;
    let set_modified = |path: &Path, modified: SystemTime| {
        let file = fs::File::options().append(true).open(path).unwrap();
        let times = fs::FileTimes::new().set_modified(modified);
        file.set_times(times).unwrap();
    };
    // Young also beside what is written now.
    let at_work = UNIX_EPOCH + Duration::from_secs(4_000_000_000);
    write(root, "old.x", "old\n");
    set_modified(&root.join("old.x"), at_work);
    git(root, &["add", "-A"]);
    git(root, &["commit", "-q", "-m", "before there was a filter"]);
    write(
        &world.path("home"),
        ".gitconfig",
        "[filter \"x\"]\n\tclean = false\n\tsmudge = false\n\trequired = true\n",
    );
    fs::write(repo.join(".git/info/attributes"), "* filter=x\n").unwrap();
    let index = repo.join(".git/worktrees").join(&at.name).join("index");
    let same_second = at_work + Duration::from_millis(500);
    set_modified(&index, same_second);
    write(root, "new.x", "new\n");
    let kept = take_always(&at, &repo, RUN, 1, "stop").unwrap();
    assert!(kept.left_out.is_empty());
    write(root, "new.x", "other\n");
    set_modified(&index, same_second);
    restore(&at, &repo, &kept.commit).unwrap();
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    assert_eq!(
        (read("old.x"), read("new.x")),
        ("old\n".into(), "new\n".into())
    );
}

#[test]
fn files_that_come_and_go_hide_none_that_stay() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let base = base(&at);
    for number in 0..60 {
        write(&at.worktree, &format!("stays{number}"), vec![b'x'; 20_000]);
    }
    let over = AtomicBool::new(false);
    let mut seen = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in (0..40).cycle() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                drop(fs::write(at.worktree.join(format!("goes{number}")), "x"));
                let other = (number + 7) % 40;
                drop(fs::remove_file(at.worktree.join(format!("goes{other}"))));
            }
        });
        for _ in 0..8 {
            let of = ChangesOf {
                at: &at,
                repo_path: &repo,
                base_commit: &base,
                checkpoint: None,
            };
            let mut stay = 0;
            let changed = changes(of, &mut |file| {
                stay += usize::from(file.path.starts_with(b"stays"));
                Ok(())
            });
            seen.push((changed.map(|changed| changed.left_out), stay));
        }
        over.store(true, Ordering::Relaxed);
    });
    for (left_out, stay) in seen {
        assert_eq!((left_out.unwrap(), stay), (vec![], 60));
    }
}

#[test]
fn pipes_and_sockets_are_named_and_nobody_waits_at_them() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let root = &at.worktree;
    let base = base(&at);
    // Who waits at one of them waits for ever.
    pipe(root.join("a.txt"));
    pipe(root.join("dir/.gitattributes"));
    pipe(root.join("new.ignored"));
    fs::create_dir(root.join("new")).unwrap();
    pipe(root.join("new/.gitignore"));
    let _listener = UnixListener::bind(root.join("new/socket")).unwrap();
    write(root, "dir/b.txt", "work\n");
    write(root, "new/file", "work\n");
    let named = [
        "a.txt",
        "dir/.gitattributes",
        "new/.gitignore",
        "new/socket",
    ];
    let named = named.map(str::to_owned).to_vec();
    let (names, left_out) = shown(&at, &repo, &base);
    assert_eq!(names, ["dir/b.txt", "new/file"]);
    assert_eq!(left_out, named);
    let kept = take_always(&at, &repo, RUN, 1, "stop").unwrap();
    let paths: Vec<_> = kept.left_out.iter().map(|left| left.path.clone()).collect();
    assert_eq!(paths, named);
    assert!(
        kept.left_out[0].why.contains("a pipe"),
        "{:?}",
        kept.left_out
    );
    assert_eq!(
        git(&repo, &["show", &format!("{}:new/file", kept.commit)]),
        "work\n"
    );
}

/// Root may read everything; without two of its capabilities it is as everybody.
const AS_EVERYBODY: &str = "ABBADO_TEST_AS_EVERYBODY";

#[test]
fn what_may_not_be_read_is_named_and_all_else_is_kept() {
    if nix::unistd::geteuid().is_root() && std::env::var_os(AS_EVERYBODY).is_none() {
        let name = "git::tests::refusals::what_may_not_be_read_is_named_and_all_else_is_kept";
        let again = Command::new("setpriv")
            .args(["--bounding-set", "-dac_override,-dac_read_search"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(AS_EVERYBODY, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&again.stdout);
        assert!(
            again.status.success() && said.contains("1 passed"),
            "{said}"
        );
        return;
    }
    let world = World::new();
    let (repo, at) = world.worktree();
    let root = &at.worktree;
    write(root, "closed/tracked", "tracked\n");
    let base = super::support::commit_all(root, "more");
    let mode = |path: &str, mode: u32| {
        fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    write(root, "a.txt", "secret\n");
    write(root, "new", "secret too\n");
    write(root, "dir/b.txt", "work\n");
    write(root, "z", "work\n");
    for (path, closed) in [("a.txt", 0), ("new", 0), ("closed", 0)] {
        mode(path, closed);
    }
    let (names, left_out) = shown(&at, &repo, &base);
    let kept = take_always(&at, &repo, RUN, 1, "stop");
    mode("closed", 0o755);
    assert_eq!(names, ["dir/b.txt", "z"]);
    assert_eq!(left_out, ["a.txt", "closed/", "new"]);
    let kept = kept.unwrap();
    let paths: Vec<_> = kept
        .left_out
        .iter()
        .map(|left| left.path.as_str())
        .collect();
    assert_eq!(paths, ["a.txt", "closed/", "new"]);
    assert!(
        kept.left_out[0].why.contains("Permission denied"),
        "{:?}",
        kept.left_out
    );
    let show = |path: &str| git(&repo, &["show", &format!("{}:{path}", kept.commit)]);
    assert_eq!(
        (show("dir/b.txt"), show("a.txt")),
        ("work\n".into(), "one\n".into())
    );
    assert_eq!(show("closed/tracked"), "tracked\n");
}

#[test]
fn a_git_that_fails_for_all_is_an_error() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&at.worktree, "new", "x");
    write(&world.path("home"), ".gitconfig", "[core\n");
    let outcome = take_always(&at, &repo, RUN, 1, "stop");
    assert!(
        matches!(outcome, Err(GitError::Failed { .. })),
        "{outcome:?}"
    );
}
