//! Files that are too large are reported and left alone; nothing reads them.

use super::{
    refusals::shown,
    support::{RUN, World, commit_all, git, write},
};
use crate::{
    domain::run::event::LeftOut,
    git::{
        ChangesOf, GitError, StatsCache, commit, copy_files, diff_stats, keep_nested,
        large::FILE_BYTES_MAX, left_out, restore, revert, take_always,
    },
};
use std::{fs::File, path::Path};

/// So long that reading it takes more than an hour.
const ENDLESS: u64 = 4 << 40;

fn of_length(folder: &Path, name: &str, len: u64) {
    std::fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
    let mut options = File::options();
    let options = options.create(true).write(true).truncate(false);
    options
        .open(folder.join(name))
        .unwrap()
        .set_len(len)
        .unwrap();
}

fn len(folder: &Path, name: &str) -> u64 {
    folder.join(name).metadata().unwrap().len()
}

fn paths(left_out: &[LeftOut]) -> Vec<&str> {
    left_out.iter().map(|left| left.path.as_str()).collect()
}

#[test]
fn a_file_that_is_too_large_is_named_and_stays_and_costs_no_other() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let root = &at.worktree;
    let base = git(root, &["rev-parse", "HEAD"]).trim().to_owned();
    write(root, "new", "work\n");
    of_length(root, "dir/b.txt", ENDLESS);
    of_length(root, "new [1].bin", ENDLESS);
    of_length(root, "x.ignored", ENDLESS);
    of_length(root, "just fits", FILE_BYTES_MAX);
    let large = ["dir/b.txt", "new [1].bin"];
    let (names, without) = shown(&at, &repo, &base);
    assert_eq!(names, ["just fits", "new"]);
    assert_eq!(without, large);
    let kept = take_always(&at, &repo, RUN, 1, "stop").unwrap();
    assert_eq!(paths(&kept.left_out), large);
    assert!(kept.left_out[0].why.contains("larger than"), "{kept:?}");
    let listed = git(&repo, &["ls-tree", "-r", "--name-only", &kept.commit]);
    assert_eq!(listed, ".gitignore\na.txt\ndir/b.txt\njust fits\nnew\n");
    assert_eq!(paths(&left_out(&at, &repo).unwrap()), large);
    // A commit would lack them.
    let refused = commit(&at, &repo, "all").unwrap_err();
    let GitError::CommitRefused { said } = &refused else {
        panic!("{refused}");
    };
    assert!(large.iter().all(|name| said.contains(name)), "{said}");
    assert_eq!(git(root, &["rev-parse", "HEAD"]).trim(), base);
    // Path by path, when git refuses another.
    write(
        root,
        ".gitattributes",
        "*.ps1 working-tree-encoding=UTF-16\n",
    );
    write(root, "bad.ps1", b"\xff\xfe\x00");
    let kept = take_always(&at, &repo, RUN, 2, "stop").unwrap();
    assert_eq!(paths(&kept.left_out), large);
    // What is not tracked is out of the way of what brings other files back.
    drop(revert(&at, &repo, &base, &kept).unwrap());
    assert_eq!(len(root, "new [1].bin"), ENDLESS);
    assert!(!root.join("new").exists());
    restore(&at, &repo, &kept.commit).unwrap();
    assert_eq!(std::fs::read(root.join("new")).unwrap(), b"work\n");
}

#[test]
fn a_tracked_file_that_is_too_large_counts_when_it_was_changed() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let root = &at.worktree;
    of_length(root, "model", FILE_BYTES_MAX + 1);
    let base = commit_all(root, "large");
    assert_eq!(left_out(&at, &repo).unwrap(), []);
    write(root, "new", "work\n");
    assert_eq!(shown(&at, &repo, &base), (vec!["new".into()], vec![]));
    commit(&at, &repo, "beside it").unwrap().unwrap();
    of_length(root, "model", FILE_BYTES_MAX + 2);
    assert_eq!(paths(&left_out(&at, &repo).unwrap()), ["model"]);
    assert_eq!(
        shown(&at, &repo, &base),
        (vec!["new".into()], vec!["model".into()])
    );
    std::fs::remove_file(root.join("model")).unwrap();
    assert_eq!(
        shown(&at, &repo, &base),
        (vec!["model".into(), "new".into()], vec![])
    );
}

#[test]
fn counts_are_remembered_beside_one_and_made_anew_when_it_shrinks() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let base = git(&repo, &["rev-parse", "HEAD"]);
    let of = ChangesOf {
        at: &at,
        repo_path: &repo,
        base_commit: base.trim(),
        checkpoint: None,
    };
    of_length(&at.worktree, "dump", ENDLESS);
    let cache = StatsCache::new(Path::new(""), &[]);
    assert_eq!(cache.diff_stats(of).unwrap().files_changed, 0);
    assert!(cache.remembers(&at.worktree));
    of_length(&at.worktree, "dump", 1);
    assert_eq!(cache.diff_stats(of).unwrap().files_changed, 1);
}

#[test]
fn rules_that_are_too_large_hold_nothing_up() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let root = &at.worktree;
    write(root, "new", "work\n");
    for name in [".gitattributes", ".gitmodules"] {
        of_length(root, name, ENDLESS);
    }
    let kept = take_always(&at, &repo, RUN, 1, "stop").unwrap();
    assert_eq!(paths(&kept.left_out), [".gitattributes", ".gitmodules"]);
    let kept = git(&repo, &["show", &format!("{}:new", kept.commit)]);
    assert_eq!(kept, "work\n");
    // Git would read all of this one, whatever the command.
    let base = git(&repo, &["rev-parse", "HEAD"]);
    let of = ChangesOf {
        at: &at,
        repo_path: &repo,
        base_commit: base.trim(),
        checkpoint: None,
    };
    for name in [".gitignore", "new folder/.gitignore"] {
        of_length(root, name, ENDLESS);
        for refused in [
            take_always(&at, &repo, RUN, 2, "stop").map(drop),
            diff_stats(of).map(drop),
            commit(&at, &repo, "all").map(drop),
        ] {
            let refused = refused.unwrap_err();
            assert!(matches!(refused, GitError::TooMuch { .. }), "{refused}");
            assert!(refused.to_string().contains(name), "{refused}");
        }
        std::fs::remove_file(root.join(name)).unwrap();
    }
    take_always(&at, &repo, RUN, 2, "stop").unwrap();
}

#[test]
fn nested_repositories_and_copied_files_are_bounded_too() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let inside = at.worktree.join("inside");
    std::fs::create_dir(&inside).unwrap();
    git(&inside, &["init", "-q", "--object-format=sha256"]);
    write(&inside, "work", "x");
    commit_all(&inside, "work");
    of_length(&inside, "dump", ENDLESS);
    of_length(&inside, ".git/dump", ENDLESS);
    let mut named = keep_nested(&at, &repo, RUN).unwrap();
    named.sort_by(|one, other| one.path.cmp(&other.path));
    assert_eq!(paths(&named), ["inside/.git/dump", "inside/dump"]);
    let under = format!("refs/abbado/deleted/{RUN}/nested/1");
    assert_eq!(git(&repo, &["show", &format!("{under}/work:work")]), "x");
    git(&repo, &["cat-file", "-e", &format!("{under}/git:HEAD")]);
    of_length(&repo, "x.ignored", ENDLESS);
    let refused = copy_files(&repo, &at.worktree, &["*.ignored".into()]);
    assert!(
        matches!(refused, Err(GitError::TooMuch { .. })),
        "{refused:?}"
    );
}
